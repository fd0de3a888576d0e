package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/statefile"
)

const (
	// recordsFolder is the folder of the torrents in the state folder.
	recordsFolder = "torrents"
	// recordSuffix, infoSuffix and removedSuffix end the names of files, after the
	// info-hash: the record, the metadata, and what is left of a torrent while its files are
	// removed.
	recordSuffix  = ".json"
	infoSuffix    = ".torrent"
	removedSuffix = ".removed"
	// lastFile holds the largest ID that was given away, unless a record has it.
	lastFile = "last-id"
	// lastBytesMax bounds that file.
	lastBytesMax = 32
	// stripes is how many torrents are written to at one time.
	stripes = 16
	// asideMax bounds how many damaged files of one name are kept.
	asideMax = 1000
)

// errReplaced says that another folder lies in the place of the state folder.
var errReplaced = errors.New("the state folder was moved or replaced by another one")

// records is the folder of torrents in the state folder. It is safe for concurrent use; what
// is done to one torrent is done by one goroutine at a time.
type records struct {
	state    string // the state folder
	dir      string
	log      *slog.Logger
	lock     *statefile.Lock // nil if the state folder cannot be written to
	writing  [stripes]sync.Mutex
	readOnly error // why nothing can be written; nil if it can

	mu   sync.Mutex
	last ID // in lastFile
}

// openRecords takes the lock of the state folder, and makes the folder of torrents. A state
// folder that cannot be written to is only read, with a warning. The error is a *LockError, or
// says why the folder cannot be used.
func openRecords(log *slog.Logger, state string) (*records, error) {
	r := &records{state: state, dir: filepath.Join(state, recordsFolder), log: log}
	var err error
	if r.lock, err = takeLock(state); err == nil {
		err = os.MkdirAll(r.dir, 0o700)
	}
	if err == nil {
		err = statefile.Writable(r.dir)
	}
	cause := swarm.CauseOf(err)
	if cause == swarm.CauseDenied {
		r.readOnly = err
		log.Warn("torrents are not kept: the state folder cannot be written to", "err", err)
		return r, nil
	}
	if cause == swarm.CauseFull && r.lock != nil {
		return r, nil // the saver says so, and tries again
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close gives the lock back.
func (r *records) close() { r.lock.Release() }

// path returns the path of a file of a torrent.
func (r *records) path(hash metainfo.Hash, suffix string) string {
	return filepath.Join(r.dir, hash.String()+suffix)
}

// with calls f while nobody else writes files of the torrent. It fails without calling f if
// the folder is not ours to write to.
func (r *records) with(hash metainfo.Hash, f func() error) error {
	if r.readOnly != nil {
		return r.readOnly
	}
	stripe := &r.writing[int(hash[0])%stripes]
	stripe.Lock()
	defer stripe.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	return f()
}

// writable says why the state folder is not ours to write to; nil if it is.
func (r *records) writable() error {
	if r.readOnly != nil {
		return r.readOnly
	}
	if !r.lock.Holds(filepath.Join(r.state, lockFile)) {
		return errReplaced
	}
	return nil
}

// replace writes a file, and makes the folder again if somebody has removed it.
func (r *records) replace(path string, doc []byte) error {
	err := statefile.Replace(path, doc, true)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(r.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		err = statefile.Replace(path, doc, true)
	}
	return err
}

// sync waits until the names in the folder are on stable storage.
func (r *records) sync() error { return statefile.SyncFolder(r.dir) }

// remove removes the files of a torrent. If the process dies on the way, the next run goes on.
func (r *records) remove(hash metainfo.Hash) error {
	return r.with(hash, func() error {
		gone := r.path(hash, removedSuffix)
		err := os.Rename(r.path(hash, recordSuffix), gone)
		if errors.Is(err, fs.ErrNotExist) {
			err = r.replace(gone, nil) // the record was never written
		}
		if err != nil {
			return err
		}
		if err := r.sync(); err != nil {
			return err
		}
		return r.finishRemoval(hash)
	})
}

// finishRemoval removes what is left of a torrent.
func (r *records) finishRemoval(hash metainfo.Hash) error {
	for _, suffix := range []string{recordSuffix, infoSuffix, removedSuffix} {
		if err := os.Remove(r.path(hash, suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keepLast makes sure that no later run gives away an ID again whose record is going to be
// removed. last is the last ID that was given away, which spares the next records a write.
func (r *records) keepLast(id, last ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id <= r.last {
		return nil
	}
	if r.readOnly != nil {
		return r.readOnly
	}
	path := filepath.Join(r.dir, lastFile)
	if err := r.replace(path, []byte(strconv.Itoa(int(last))+"\n")); err != nil {
		return err
	}
	r.last = last
	return r.sync()
}

// loadLast reads the largest ID that was given away; 0 if no file says one.
func (r *records) loadLast() ID {
	doc, _, err := statefile.Read(filepath.Join(r.dir, lastFile), lastBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	n, wrong := strconv.ParseInt(strings.TrimSpace(string(doc)), 10, 32)
	if err != nil || wrong != nil || n < 0 {
		r.log.Warn("the last id of a torrent is not known; ids go on after the largest in use",
			"file", lastFile)
		return 0
	}
	r.last = ID(n)
	return r.last
}

// readInfo returns the .torrent file of a torrent. The error wraps fs.ErrNotExist if there is
// none.
func (r *records) readInfo(hash metainfo.Hash) ([]byte, error) {
	doc, _, err := statefile.Read(r.path(hash, infoSuffix), metainfo.TorrentBytesMax)
	return doc, err
}

// setAside gives a damaged file another name, and says so once.
func (r *records) setAside(name string, why error) {
	aside, err := r.freeName(name)
	if err == nil {
		err = os.Rename(filepath.Join(r.dir, name), filepath.Join(r.dir, aside))
	}
	if err != nil {
		r.log.Warn("a file of the state folder cannot be used", "file", name, "err", why,
			"setting aside", err)
		return
	}
	r.log.Warn("a file of the state folder cannot be used and was set aside", "file", name,
		"as", aside, "err", why)
}

// freeName returns a name for a damaged file that nothing has.
func (r *records) freeName(name string) (string, error) {
	if r.readOnly != nil {
		return "", r.readOnly
	}
	for n := 1; n <= asideMax; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", name, n)
		_, err := os.Lstat(filepath.Join(r.dir, aside))
		if errors.Is(err, fs.ErrNotExist) {
			return aside, nil
		}
	}
	return "", fmt.Errorf("%d damaged files have its name", asideMax)
}

// saveInfo writes the .torrent file of a torrent. Its name is durable after the next sync.
func (r *records) saveInfo(hash metainfo.Hash, doc []byte) error {
	return r.with(hash, func() error { return r.replace(r.path(hash, infoSuffix), doc) })
}
