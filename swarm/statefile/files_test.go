package statefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	doc := bytes.Repeat([]byte("x"), 11)
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path, 10); !errors.Is(err, ErrTooLong) ||
		!strings.Contains(err.Error(), path) {
		t.Errorf("a byte too long: %v", err)
	}
	got, changed, err := Read(path, 11)
	if err != nil || !bytes.Equal(got, doc) || changed.IsZero() {
		t.Errorf("as long as it may be: %d bytes of %v, %v", len(got), changed, err)
	}
}

// TestCreateNeverReplaces: a file that is there stays as it is.
func TestCreateNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, durable := range []bool{false, true} {
		os.Remove(path)
		if err := Create(path, []byte("old"), durable); err != nil {
			t.Fatal(err)
		}
		if err := Create(path, []byte("new"), durable); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over a file that is there: %v", err)
		}
		if got, _, err := Read(path, 100); err != nil || string(got) != "old" {
			t.Errorf("it is %q, %v", got, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others have rights to it: %v, %v", info.Mode(), err)
		}
	}
}

// TestReplaceLeavesNothingBehind: neither a replacement nor one that failed leaves a
// temporary file.
func TestReplaceLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, doc := range []string{"one", "two", ""} {
		if err := Replace(path, []byte(doc), doc == "two"); err != nil {
			t.Fatal(err)
		}
		if got, _, err := Read(path, 10); err != nil || string(got) != doc {
			t.Errorf("after %q it is %q, %v", doc, got, err)
		}
	}
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(folder, []byte("x"), false); err == nil {
		t.Error("a folder was replaced")
	}
	if err := Replace(filepath.Join(dir, "nowhere", "file"), nil, false); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("in a folder that does not exist: %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("the folder has %v, %v; want the file and the folder", names, err)
	}
}

// TestReadersSeeOneOrTheOther: who reads while a file is replaced gets it whole.
func TestReadersSeeOneOrTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	a, b := bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 100_000)
	if err := Replace(path, a, false); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 50 {
			if err := Replace(path, [][]byte{b, a}[i%2], false); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		got, _, err := Read(path, 1<<20)
		if err != nil || !bytes.Equal(got, a) && !bytes.Equal(got, b) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	wg.Wait()
}

// TestOpenLockAtOnce: however many make a lock file at the same time, all open one.
func TestOpenLockAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var wg sync.WaitGroup
	infos := make([]fs.FileInfo, 20)
	for i := range infos {
		wg.Go(func() {
			f, err := OpenLock(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if infos[i], err = f.Stat(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, info := range infos {
		if !os.SameFile(info, infos[0]) {
			t.Error("two lock files")
		}
	}
	if _, err := OpenLock(t.TempDir()); !errors.Is(err, ErrSpecial) {
		t.Errorf("a folder as a lock: %v", err)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := Writable(dir); err != nil {
		t.Error(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("the trial left %v, %v", names, err)
	}
	if err := Writable(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

func TestTemporaryNames(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		name := Temporary("a/file")
		if seen[name] || !strings.HasPrefix(name, "a/file.") ||
			!strings.HasSuffix(name, TemporarySuffix) {
			t.Fatalf("temporary name %q", name)
		}
		seen[name] = true
	}
}
