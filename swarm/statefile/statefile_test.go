//go:build unix

package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// traps are what somebody else may have put in the place of a file. victim is a
// file outside.
var traps = []struct {
	name string
	set  func(path, victim string) error
	want error // of opening
}{
	{"link", func(path, victim string) error { return os.Symlink(victim, path) }, ErrLink},
	{"dangling link", func(path, victim string) error { return os.Symlink(victim+"2", path) },
		ErrLink},
	{"pipe", func(path, _ string) error { return syscall.Mkfifo(path, 0o666) }, ErrSpecial},
	{"folder", func(path, _ string) error { return os.Mkdir(path, 0o777) }, ErrSpecial},
	{"link to a device", func(path, _ string) error { return os.Symlink("/dev/zero", path) },
		ErrLink},
}

// What lies in the place of a file is neither followed, nor waited for, nor
// written to.
func TestTraps(t *testing.T) {
	for _, tt := range traps {
		dir, outside := t.TempDir(), t.TempDir()
		path, victim := filepath.Join(dir, "file"), filepath.Join(outside, "victim")
		if err := errors.Join(os.WriteFile(victim, []byte("victim"), 0o600),
			tt.set(path, victim)); err != nil {
			t.Fatal(err)
		}
		if doc, _, err := Read(path, 100); !errors.Is(err, tt.want) {
			t.Errorf("%s: read %q, %v", tt.name, doc, err)
		}
		if f, err := OpenLock(path); !errors.Is(err, tt.want) {
			t.Errorf("%s: opened %v to be locked, %v", tt.name, f, err)
		}
		if err := Create(path, []byte("new"), true); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: created: %v", tt.name, err)
		}
		err := Replace(path, []byte("new"), true)
		if failed := err != nil; failed != (tt.name == "folder") {
			t.Errorf("%s: replaced: %v", tt.name, err)
		}
		if doc, _, err := Read(path, 100); err == nil && string(doc) != "new" {
			t.Errorf("%s: then there is %q", tt.name, doc)
		}
		if doc, err := os.ReadFile(victim); err != nil || string(doc) != "victim" {
			t.Errorf("%s: what it leads to was changed: %q, %v", tt.name, doc, err)
		}
		for folder, want := range map[string]int{dir: 1, outside: 1} {
			if entries, _ := os.ReadDir(folder); len(entries) != want {
				t.Errorf("%s: left behind: %v", tt.name, entries)
			}
		}
	}
}

func TestReplaceAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Error("no file:", err)
	}
	for _, doc := range []string{"first", "", "0123456789"} {
		if err := Replace(path, []byte(doc), false); err != nil {
			t.Fatal(err)
		}
		if got, when, err := Read(path, 10); string(got) != doc || err != nil || when.IsZero() {
			t.Errorf("got %q, %v, %v", got, when, err)
		}
	}
	if _, _, err := Read(path, 9); !errors.Is(err, ErrTooLong) {
		t.Error("a byte too long:", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != perm {
		t.Error("its mode:", info.Mode(), err)
	}
	lock := path + ".lock"
	for range 2 {
		f, err := OpenLock(lock)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

func TestShared(t *testing.T) {
	for mode, want := range map[fs.FileMode]bool{
		0o700: false, 0o755: false, 0o775: true, 0o777: true, 0o702: true,
		fs.ModeSticky | 0o777: true,
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := Shared(dir); got != want {
			t.Errorf("%v: %v", mode, got)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		if got := Shared(link); got != want {
			t.Errorf("link to %v: %v", mode, got)
		}
		if err := Writable(dir); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Error("left behind:", entries)
		}
	}
	if Shared(filepath.Join(t.TempDir(), "none")) {
		t.Error("a folder that does not exist")
	}
	if err := Writable(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
