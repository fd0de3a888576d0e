package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"swarmnode/swarm/bits"
)

// A RoomError tells that a file system has less room than what is missing of the
// content will take. It is told to Config.Warn before anything is written, and stops
// nothing: there may be more room by the time.
type RoomError struct {
	Path   string // of the content
	Need   int64  // bytes that will be taken
	Others int64  // bytes that other Stores of the same Workers will take there
	Free   int64  // bytes
}

func (e *RoomError) Error() string {
	beside := ""
	if e.Others > 0 {
		beside = fmt.Sprintf(" beside %s of other torrents", sizeText(e.Others))
	}
	return fmt.Sprintf("%s needs %s%s, %s free", e.Path, sizeText(e.Need), beside, sizeText(e.Free))
}

// sizeText writes a size with three digits.
func sizeText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), 0
	for size >= 999.5 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	digits := 2
	for limit := 9.995; size >= limit && digits > 0; limit *= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %s", digits, size, units[unit])
}

// A fileSystem tells file systems apart.
type fileSystem [2]uint64

// rooms is what the Stores of Workers will take of each file system. It is safe for
// concurrent use.
type rooms struct {
	mu  sync.Mutex
	all map[*Store]map[fileSystem]int64 // bytes
}

// claim notes what a Store needs, in place of what it did before, and returns what the
// others need.
func (r *rooms) claim(s *Store, need map[fileSystem]int64) (others map[fileSystem]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*Store]map[fileSystem]int64)
	}
	others = make(map[fileSystem]int64)
	for other, needs := range r.all {
		for system, n := range needs {
			if other != s {
				others[system] += max(0, n-other.taken.Load())
			}
		}
	}
	delete(r.all, s)
	if len(need) > 0 {
		r.all[s] = need
		s.taken.Store(0)
	}
	return others
}

// tellRoom warns if what is missing of the content will not find room.
func (s *Store) tellRoom(have *bits.Set) {
	content, side := s.missingRoom(have)
	need := make(map[fileSystem]int64)
	free := make(map[fileSystem]int64)
	for dir, n := range map[string]int64{s.path(): content, s.side.place(): side} {
		if system, room, ok := s.spaceOf(dir); ok && n > 0 {
			need[system] += n
			free[system] = room
		}
	}
	others := s.workers.rooms.claim(s, need)
	for system, n := range need {
		if n+others[system] > free[system] {
			s.warn(&RoomError{Path: s.path(), Need: n, Others: others[system], Free: free[system]})
		}
	}
}

// missingRoom returns how many bytes what is missing will take, of the files that are
// wanted and of the side file. What other programs have reserved for a file is there
// already; the holes of a file are not.
func (s *Store) missingRoom(have *bits.Set) (content, side int64) {
	for i := range s.layout.Files {
		f := &s.layout.Files[i]
		if f.Pad || len(f.Link) > 0 {
			continue
		}
		missing := int64(0)
		first, end := s.layout.FilePieces(i)
		for p := have.NextMissing(first); p >= 0 && p < end; p = have.NextMissing(p + 1) {
			if s.wanted.piece(p) {
				from := max(f.Offset, s.layout.PieceOffset(p))
				missing += f.Offset + partEnd(s.layout, f, p) - from
			}
		}
		switch {
		case missing == 0:
		case !s.wanted.file(i):
			side += missing
		default:
			if st, err := s.disk.stat(s.fileName(i)); err == nil {
				missing = min(missing, max(0, f.Length-st.room))
			}
			content += missing
		}
	}
	return content, side
}

// spaceOf returns the file system of a path, which need not exist yet, and the bytes
// that are free there.
func (s *Store) spaceOf(path string) (system fileSystem, free int64, ok bool) {
	if s.cfg.spaceOf != nil {
		return s.cfg.spaceOf(path)
	}
	for {
		_, err := os.Stat(path)
		if up := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && up != path {
			path = up
			continue
		}
		if err != nil {
			return fileSystem{}, 0, false
		}
		return spaceOf(path)
	}
}
