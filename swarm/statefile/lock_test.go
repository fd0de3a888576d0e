//go:build unix || windows

package statefile

import (
	"path/filepath"
	"testing"
)

// TestLockIsHeldByOne: a lock can be taken again once it was released, and not before.
func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := TakeLock(path)
	if first == nil {
		t.Fatal("a lock that nobody holds was not given")
	}
	if second := TakeLock(path); second != nil {
		t.Error("a lock was given twice")
		second.Release()
	}
	first.Release()
	third := TakeLock(path)
	if third == nil {
		t.Error("a lock that was released was not given")
	}
	third.Release()
	if l := TakeLock(filepath.Join(path, "below a file")); l != nil {
		t.Error("a lock that cannot exist was given")
	}
	var none *Lock
	none.Release()
}
