//go:build windows

package statefile

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// lockFrom is where the byte lies that is locked: beyond everything that the file holds, since
// Windows keeps others from reading what is locked.
const lockFrom = math.MaxInt32

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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	at := windows.Overlapped{Offset: lockFrom}
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if err != nil {
		f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
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

// SyncFolder does nothing: Windows writes names by itself.
func SyncFolder(string) error { return nil }
