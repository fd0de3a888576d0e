package storage

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// reserveFresh is how long a look at the free space is good enough, less what was written
	// since. Other programs write, too.
	reserveFresh = time.Second
	// reserveFoldersMax bounds the folders whose free space is remembered.
	reserveFoldersMax = 256
)

// A ReserveError says that a write would have left less free space than the user wants.
type ReserveError struct {
	Least int64 // bytes that are to stay free
	Free  int64 // bytes
}

func (e *ReserveError) Error() string {
	return fmt.Sprintf("less than %s would stay free", sizeText(e.Least))
}

// Unwrap returns the error of the system that it stands for.
func (e *ReserveError) Unwrap() error { return syscall.ENOSPC }

// A reserve is the space that stays free on each file system. It is safe for concurrent use.
type reserve struct {
	least atomic.Int64 // bytes; 0 is none

	mu   sync.Mutex
	seen map[string]*spaceSeen // by folder
}

// A spaceSeen is what is known of the file system of a folder.
type spaceSeen struct {
	at   time.Time // of the look
	free int64     // bytes then, less what was written since
}

// SetReserve sets how many bytes stay free on a file system from now on: a Store writes nothing
// that would leave less, and fails with a *ReserveError. 0 or less is no limit. Systems that do
// not say what is free have none.
func (w *Workers) SetReserve(least int64) { w.reserve.least.Store(max(least, 0)) }

// take returns a *ReserveError if n bytes may not be written to a folder.
func (r *reserve) take(dir string, n int,
	space func(path string) (system fileSystem, free int64, ok bool)) error {
	least := r.least.Load()
	if least == 0 {
		return nil
	}
	now := time.Now()
	r.mu.Lock()
	if x := r.seen[dir]; x != nil && now.Sub(x.at) < reserveFresh && x.free-int64(n) >= least {
		x.free -= int64(n)
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()
	_, free, ok := space(dir) // without the lock, since it may take long
	if !ok {
		return nil
	}
	if free-int64(n) < least {
		return &ReserveError{least, free}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || len(r.seen) >= reserveFoldersMax {
		r.seen = make(map[string]*spaceSeen)
	}
	r.seen[dir] = &spaceSeen{now, free - int64(n)}
	return nil
}

// mayTake returns a *ReserveError if n bytes may not be written to file i of the content.
func (s *Store) mayTake(i, n int) error {
	r := &s.workers.reserve
	if r.least.Load() == 0 {
		return nil
	}
	path := s.names.path()
	if s.files.isPartfile(i) {
		path = s.files.path(i)
	}
	return r.take(filepath.Dir(path), n, s.cfg.freeSpace)
}
