//go:build unix

package statefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A Lock is held by one process at a time. It is released at the latest when that process
// ends.
type Lock struct{ f *os.File }

// TakeLock takes the lock of the file path, which it makes if there is none. It never
// waits: it returns nil if another process holds the lock, or if locking fails.
func TakeLock(path string) *Lock {
	l, err := Take(path)
	if err != nil {
		return nil
	}
	return l
}

// Take is TakeLock that says why there is no lock: the error is ErrLocked if another process
// holds it, or else says why the file cannot be used.
func Take(path string) (*Lock, error) {
	f, err := OpenLock(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return &Lock{f}, nil
}

// Write replaces what is in the file of the lock, for those who find it locked.
func (l *Lock) Write(doc []byte) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt(doc, 0)
	return err
}

// Holds reports whether the file path is that of the lock: nobody has removed it, or put
// another folder in the place of its own.
func (l *Lock) Holds(path string) bool {
	mine, err := l.f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// Release lets others take the lock. A nil Lock has nothing to release.
func (l *Lock) Release() {
	if l != nil {
		l.f.Close()
	}
}

// SyncFolder waits until the names in the folder dir are on stable storage.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
