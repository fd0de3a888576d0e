package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"swarmnode/swarm/bits"
)

// A RoomError says that a file system has less room than the missing content will
// take. It goes to Config.Warn before anything is written, and stops nothing: there may
// be more room by the time it is needed.
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

// Unwrap returns the error of the system that writing would lead to.
func (e *RoomError) Unwrap() error { return syscall.ENOSPC }

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

// A roomClaim is the room that one Store needs. Fields but taken are guarded by
// rooms.mu.
type roomClaim struct {
	taken atomic.Int64         // bytes written to the content since the claim
	need  map[fileSystem]int64 // bytes
}

// rooms are the claims of the Stores of Workers. It is safe for concurrent use.
type rooms struct {
	mu  sync.Mutex
	all map[*roomClaim]struct{}
}

// claim makes need what c claims, and returns what the others need.
func (r *rooms) claim(c *roomClaim, need map[fileSystem]int64) (others map[fileSystem]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*roomClaim]struct{})
	}
	delete(r.all, c)
	others = make(map[fileSystem]int64)
	for other := range r.all {
		for system, n := range other.need {
			others[system] += max(0, n-other.taken.Load())
		}
	}
	c.need = need
	if len(need) > 0 {
		r.all[c] = struct{}{}
		c.taken.Store(0)
	}
	return others
}

// release ends the claim of c.
func (r *rooms) release(c *roomClaim) { r.claim(c, nil) }

// claimRoom claims room for the missing content, and warns if there is too little.
func (s *Store) claimRoom(have *bits.Set) {
	content, parts := s.missingRoom(have)
	need := make(map[fileSystem]int64)
	free := make(map[fileSystem]int64)
	path := s.names.path()
	for dir, n := range map[string]int64{path: content, s.parts.at.room(): parts} {
		if system, room, ok := s.cfg.freeSpace(dir); ok && n > 0 {
			need[system] += n
			free[system] = room
		}
	}
	others := s.workers.rooms.claim(&s.room, need)
	for system, n := range need {
		if n+others[system] > free[system] {
			s.cfg.warn(&RoomError{Path: path, Need: n, Others: others[system], Free: free[system]})
		}
	}
}

// claimRoomAgain claims room for the missing content where it lies now.
func (s *Store) claimRoomAgain() {
	if !s.place.isReadOnly() {
		s.claimRoom(s.Have())
	}
}

// missingRoom returns how many bytes the missing content will take, in the wanted files
// and in the partfile. Room that another program has reserved for a file is taken
// already; the holes of a file are not.
func (s *Store) missingRoom(have *bits.Set) (content, parts int64) {
	for i := range s.layout.Files {
		f := &s.layout.Files[i]
		if !hasPlace(s.layout, i) {
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
			parts += missing
		case !s.known.isThere(i) && !s.wanted.isOpened(i):
			content += missing
		default:
			if st, err := s.files.stat(i); err == nil {
				missing = min(missing, max(0, f.Length-st.room))
			}
			content += missing
		}
	}
	return content, parts
}

// freeSpace returns the file system of a path, which need not exist yet, and the bytes
// that are free there.
func (c *Config) freeSpace(path string) (system fileSystem, free int64, ok bool) {
	if c.spaceOf != nil {
		return c.spaceOf(path)
	}
	system, free, _, err := roomAt(path)
	return system, free, err == nil
}

// roomAt is roomOf for a path that need not exist yet.
func roomAt(path string) (system fileSystem, free, total int64, err error) {
	for {
		_, err := os.Stat(path)
		if up := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && up != path {
			path = up
			continue
		}
		if err != nil {
			return fileSystem{}, 0, 0, err
		}
		return roomOf(path)
	}
}

// DiskSpace returns how many bytes this process may still write where a folder lies, which need
// not exist yet, and how large that file system is. The error is errors.ErrUnsupported if that
// is not known, or one of the system.
func DiskSpace(dir string) (free, total int64, err error) {
	_, free, total, err = roomAt(dir)
	return free, total, err
}
