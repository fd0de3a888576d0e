//go:build unix

package statefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Lock is held by one process at a time. It is released at the latest when that process
// ends.
type Lock struct{ f *os.File }

// TakeLock takes the lock of the file path, which it makes if there is none. It never
// waits: it returns nil if another process holds the lock, or if locking fails.
func TakeLock(path string) *Lock {
	f, err := OpenLock(path)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil
	}
	return &Lock{f}
}

// Release lets others take the lock. A nil Lock has nothing to release.
func (l *Lock) Release() {
	if l != nil {
		l.f.Close()
	}
}
