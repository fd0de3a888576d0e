//go:build unix

package storage

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What is there of files that are not wanted is used, and is left as it is.
func TestUnwantedFilesThatAreThere(t *testing.T) {
	layout, data := mixed(t)
	sound := func(i int) []byte { f := layout.Files[i]; return data[f.Offset : f.Offset+f.Length] }
	write := func(dir, name string, data []byte) error {
		path := filepath.Join(dir, "x", name)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600))
	}
	for _, tt := range []struct {
		name    string
		prepare func(dir string) error
		have    string // found by Check
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"whole", func(dir string) error { return write(dir, "a", sound(0)) }, "0 1 2"},
		{"whole, as all around", func(dir string) error {
			return errors.Join(write(dir, "a", sound(0)), write(dir, "e", sound(3)),
				write(dir, "b/c", sound(1)))
		}, "0 1 2 3 4"},
		{"the start of it", func(dir string) error { return write(dir, "a", sound(0)[:40_000]) },
			"0"},
		{"other data", func(dir string) error { return write(dir, "e", content(9, 70_000)) }, ""},
		{"other data, longer", func(dir string) error {
			return write(dir, "e", content(9, 70_001))
		}, ""},
		{"longer", func(dir string) error {
			return write(dir, "a", append(bytes.Clone(sound(0)), "more"...))
		}, "0 1 2"},
		{"a folder", func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, "x", "a"), 0o700)
		}, ""},
		{"a link", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "x"), 0o700),
				os.Symlink("/etc/passwd", filepath.Join(dir, "x", "a")))
		}, ""},
	} {
		for _, stateDir := range []string{"", t.TempDir()} {
			cfg := Config{Dir: t.TempDir(), StateDir: stateDir, Layout: layout,
				Wanted: choose(".x......")}
			if err := tt.prepare(cfg.Dir); err != nil {
				t.Fatal(err)
			}
			before := unwantedTree(t, cfg.Dir)
			r := newRig(t, cfg, data)
			have, err := r.store.Check(t.Context(), nil)
			if err != nil || members(have) != tt.have {
				t.Errorf("%s: found %s, want %s; %v", tt.name, members(have), tt.have, err)
				continue
			}
			r.wantedPieces(cfg.Wanted, have)
			if err := r.store.Finish(); err != nil {
				t.Errorf("%s: Finish: %v", tt.name, err)
			}
			r.readsBack(r.store.Have())
			r.back()
			if got, err := os.ReadFile(filepath.Join(cfg.Dir, "x", "b", "c")); err != nil ||
				!bytes.Equal(got, sound(1)) {
				t.Errorf("%s: the wanted file: %v", tt.name, err)
			}
			if after := unwantedTree(t, cfg.Dir); after != before {
				t.Errorf("%s: something was changed:\n%s\nwas\n%s", tt.name, after, before)
			}
		}
	}
}

// unwantedTree prints what lies in dir besides the file b/c and the folders.
func unwantedTree(t *testing.T, dir string) string {
	t.Helper()
	text := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := path[len(dir):]
		if err != nil || d.IsDir() && name != "/x/a" || name == "/x/b/c" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			text += fmt.Sprintln(name, info.Mode(), info.Size(), info.ModTime())
		}
		if err == nil && info.Mode().IsRegular() {
			text += fmt.Sprintf("%x\n", sha1.Sum([]byte(fileText(t, path))))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return text
}

// A file that is not wanted goes while its part of a shared piece is needed: the
// piece is fetched again, and its part kept aside.
func TestUnwantedFileGoes(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	r.all()
	r.back()
	cfg.Wanted = choose(".x......")
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || !have.All() {
		t.Fatal(members(have), err)
	}
	r.readsBack(have)
	if err := os.Remove(filepath.Join(cfg.Dir, "x", "e")); err != nil {
		t.Fatal(err)
	}
	r.store.files.closeAll()
	if err := r.store.ReadAt(make([]byte, 32<<10), 3, 0); !errors.Is(err, ErrChanged) {
		t.Error("reading:", err)
	}
	r.store.Verify(3)
	if got := <-r.results; got.OK || got.Err != nil {
		t.Errorf("Verify: %+v", got)
	}
	if r.store.Have().Has(3) {
		t.Error("it still counts")
	}
	if got := r.piece(3); !got.OK {
		t.Errorf("fetched again: %+v", got)
	}
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
	r.readsBack(WantedPieces(layout, cfg.Wanted))
	r.back()
	if _, err := os.Lstat(filepath.Join(cfg.Dir, "x", "e")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file was made:", err)
	}
}

// TestUnwantedPieceIsTaken: blocks that were asked for before their files were deselected
// still come. A piece of one file goes to that file, and a shared one to the partfile.
func TestUnwantedPieceIsTaken(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
		Wanted: choose(".......x")}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range []int{3, 0} {
		if got := r.piece(p); !got.OK {
			t.Fatalf("piece %d: %+v", p, got)
		}
		r.readsBack(r.store.Have())
		for name := range filesBelow(t, cfg.Dir) {
			if is := name == filepath.Join("x", "a"); is != (p == 0) {
				t.Errorf("after piece %d there is %s", p, name)
			}
		}
	}
	r.back()
	have, hashed, warned := recheck(t, cfg, data)
	if members(have) != "0 3" || hashed != 0 || warned != nil {
		t.Errorf("next start: %s, %d bytes hashed, %v", members(have), hashed, warned)
	}
}

// TestWrongSelection: a selection of another number of files is refused.
func TestWrongSelection(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Wanted: choose("x")}
	if _, err := tryRig(t, cfg, data); !errors.Is(err, ErrSelection) {
		t.Error(err)
	}
}
