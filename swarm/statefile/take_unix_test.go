//go:build unix

package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTakeSaysWhy: who does not get a lock learns whether somebody else has it.
func TestTakeSaysWhy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lock")
	lock, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"a long line\n", "short"} {
		if err := lock.Write([]byte(words)); err != nil {
			t.Fatal(err)
		}
		if got, _, err := Read(path, 100); err != nil || string(got) != words {
			t.Errorf("the lock says %q, %v", got, err)
		}
	}
	if _, err := Take(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a lock that is held: %v", err)
	}
	if _, err := Take(filepath.Join(dir, "none", "lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
	if _, err := Take(dir); !errors.Is(err, ErrSpecial) {
		t.Errorf("a folder: %v", err)
	}
	if !lock.Holds(path) {
		t.Error("it does not hold its own file")
	}
	if err := os.Rename(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if lock.Holds(path) || !lock.Holds(path+"2") {
		t.Error("it does not follow its file")
	}
	if other, err := Take(path); err != nil || lock.Holds(path) {
		t.Errorf("another file of that name: %v", err)
	} else {
		other.Release()
	}
	lock.Release()
	if lock.Holds(path + "2") {
		t.Error("it holds its file after it was released")
	}
}

func TestSyncFolder(t *testing.T) {
	dir := t.TempDir()
	if err := SyncFolder(dir); err != nil {
		t.Error(err)
	}
	if err := SyncFolder(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}
