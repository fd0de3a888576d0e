//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"

	"swarmnode/swarm/statefile"
)

// A fileLock is held by one process at a time. It is released at the latest when that
// process ends.
type fileLock struct{ f *os.File }

// lockFile takes the lock at path. It returns nil if another process holds the lock, or
// if locking fails.
func lockFile(path string) *fileLock {
	f, err := statefile.OpenLock(path)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil
	}
	return &fileLock{f}
}

func (l *fileLock) close() { l.f.Close() }
