package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/statefile"
)

// torrentsMax bounds how many torrents a daemon has. Each costs about a KiB even while it
// rests.
const torrentsMax = 1 << 17

// loaded is what the folder of torrents held at the start.
type loaded struct {
	torrents []found
	last     ID // the largest ID that was given away
	// left are the torrents whose files are left alone, with the reasons. They cannot be
	// added, since that would replace the files.
	left map[metainfo.Hash]error
}

// A found is one torrent that was found in the folder.
type found struct {
	hash  metainfo.Hash
	rec   *record
	fresh bool // the record was made just now, since there was none
}

// has says which files of a torrent there are.
type has struct{ record, info, removed bool }

// load reads all records. What cannot be used is set aside or left alone, and named in the
// log. dir is the folder for the content of torrents that have no record.
func (r *records) load(dir string) (loaded, error) {
	all := loaded{left: make(map[metainfo.Hash]error), last: r.loadLast()}
	files, err := r.list()
	if err != nil {
		return all, err
	}
	hashes := slices.SortedFunc(maps.Keys(files), func(a, b metainfo.Hash) int {
		return slices.Compare(a[:], b[:])
	})
	if len(hashes) > torrentsMax {
		return all, fmt.Errorf("%s has %d torrents, more than %d", r.dir, len(hashes),
			torrentsMax)
	}
	results := make([]result, len(hashes))
	r.each(len(hashes), func(i int) { results[i] = r.loadOne(hashes[i], files[hashes[i]]) })
	for i, res := range results {
		switch {
		case res.left != nil:
			all.left[hashes[i]] = res.left
		case res.rec != nil:
			all.torrents = append(all.torrents, found{hashes[i], res.rec, res.fresh})
			all.last = max(all.last, res.rec.ID)
		}
	}
	r.sayLeft(all.left)
	all.number(dir)
	return all, nil
}

// list returns which files there are, and removes temporary ones that a killed process has
// left behind.
func (r *records) list() (map[metainfo.Hash]has, error) {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := make(map[metainfo.Hash]has)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, statefile.TemporarySuffix) && r.readOnly == nil {
			os.Remove(filepath.Join(r.dir, name)) // what stays is in nobody's way
			continue
		}
		stem, suffix, _ := strings.Cut(name, ".")
		hash, err := metainfo.ParseHash(stem)
		if err != nil || hash.String() != stem {
			continue
		}
		h := files[hash]
		switch "." + suffix {
		case recordSuffix:
			h.record = true
		case infoSuffix:
			h.info = true
		case removedSuffix:
			h.removed = true
		default:
			continue
		}
		files[hash] = h
	}
	return files, nil
}

// each calls f with the numbers below n, several at a time.
func (r *records) each(n int, f func(i int)) {
	var wait sync.WaitGroup
	workers := min(2*runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wait.Wait()
}

// A result is what became of the files of one torrent.
type result struct {
	rec   *record
	fresh bool
	left  error
}

// loadOne reads the record of a torrent.
func (r *records) loadOne(hash metainfo.Hash, files has) result {
	if files.removed {
		if r.readOnly == nil {
			if err := r.finishRemoval(hash); err != nil {
				r.log.Warn("a torrent that was removed has files left", "torrent", hash.Short(),
					"err", err)
			}
		}
		return result{}
	}
	if files.record {
		rec, err := r.readRecord(hash)
		switch {
		case err == nil && files.info && !rec.Shown.HaveInfo:
			return r.complete(hash, rec)
		case err == nil:
			return result{rec: rec}
		case errors.Is(err, errLater), !isBroken(err):
			return result{left: err}
		}
		r.setAside(hash.String()+recordSuffix, err)
	}
	if !files.info {
		return result{}
	}
	return r.adopt(hash)
}

// readRecord reads the record of a torrent.
func (r *records) readRecord(hash metainfo.Hash) (*record, error) {
	doc, _, err := statefile.Read(r.path(hash, recordSuffix), recordBytesMax)
	if err != nil {
		return nil, err
	}
	rec, err := parseRecord(doc)
	if err != nil {
		return nil, err
	}
	known, err := rec.names()
	if err == nil && !slices.Contains(known.short(), hash) {
		err = fmt.Errorf("%w: it is of another torrent", errDamaged)
	}
	return rec, err
}

// complete gives the record of a link its metadata, which came just before the process died.
func (r *records) complete(hash metainfo.Hash, rec *record) result {
	torrent, err := r.readTorrent(hash)
	switch {
	case err == nil:
		known := namesOfInfo(torrent.Info())
		known.write(rec)
		rec.learn(torrent.Info())
	case isBroken(err):
		r.setAside(hash.String()+infoSuffix, err)
	}
	return result{rec: rec, fresh: err == nil}
}

// isBroken reports whether an error says that a file is no good, rather than that it could not
// be read just now.
func isBroken(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, statefile.ErrLink) ||
		errors.Is(err, statefile.ErrSpecial) || errors.Is(err, statefile.ErrTooLong)
}

// adopt makes a record for a .torrent file that has none.
func (r *records) adopt(hash metainfo.Hash) result {
	torrent, err := r.readTorrent(hash)
	switch {
	case err == nil:
	case isBroken(err):
		r.setAside(hash.String()+infoSuffix, err)
		return result{}
	default:
		return result{left: err}
	}
	rec := new(record)
	rec.describe(torrent)
	r.log.Info("a torrent without settings was found", "torrent", hash.Short(), "name",
		rec.Shown.Name)
	return result{rec: rec, fresh: true}
}

// readTorrent reads and parses the .torrent file of a torrent. The error wraps errDamaged if it
// is no torrent, or another one; fs.ErrNotExist if there is no file; or swarm.ErrMemory.
func (r *records) readTorrent(hash metainfo.Hash) (*metainfo.Torrent, error) {
	doc, err := r.readInfo(hash)
	if err != nil {
		return nil, err
	}
	if !swarm.MemorySpare(metainfo.ParseCost(doc)) {
		return nil, swarm.ErrMemory
	}
	torrent, err := metainfo.ParseTorrent(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	known := namesOfInfo(torrent.Info())
	if !slices.Contains(known.short(), hash) {
		return nil, fmt.Errorf("%w: it is the torrent %v", errDamaged, torrent.Info().Hash())
	}
	return torrent, nil
}

// sayLeft names the torrents that are left alone, once for each reason.
func (r *records) sayLeft(left map[metainfo.Hash]error) {
	byWhy := make(map[string][]string)
	for hash, err := range left {
		byWhy[err.Error()] = append(byWhy[err.Error()], hash.Short())
	}
	for _, why := range slices.Sorted(maps.Keys(byWhy)) {
		slices.Sort(byWhy[why])
		r.log.Warn("torrents of the state folder are left alone", "torrents", len(byWhy[why]),
			"first", byWhy[why][0], "err", why)
	}
}

// number gives IDs to torrents that have none, or that of another torrent, and sorts all by
// their IDs. dir is the folder of those without a record.
func (l *loaded) number(dir string) {
	byID := func(a, b found) int { return cmp.Compare(a.rec.ID, b.rec.ID) }
	slices.SortStableFunc(l.torrents, byID)
	taken := make(map[ID]bool, len(l.torrents))
	for i := range l.torrents {
		t := &l.torrents[i]
		if t.rec.ID > 0 && !taken[t.rec.ID] {
			taken[t.rec.ID] = true
			continue
		}
		l.last++
		t.rec.ID = l.last
		t.rec.Queue = math.MaxInt64 / 8 // after all others
		t.fresh = true
		if t.rec.Options.Dir == "" {
			t.rec.Options.Dir = dir
		}
	}
	slices.SortFunc(l.torrents, byID)
}
