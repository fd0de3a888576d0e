//go:build unix

package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"swarmnode/swarm/bits"
)

// The top gets another name, in every way and state. The next run finds it under that name,
// also if it names the content as the first did.
func TestRenameTop(t *testing.T) {
	for way, force := range moveWays {
		for shape, files := range shapes {
			t.Run(way+"/"+shape, func(t *testing.T) {
				layout, data := makeLayout(t, "x", 32<<10, files...)
				cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
					moving: force}
				r := newRig(t, cfg, data)
				half := layout.Pieces() / 2
				for p := range half {
					if got := r.piece(p); !got.OK {
						t.Fatal(got)
					}
				}
				if err := r.store.Rename(-1, "new name"); err != nil {
					t.Fatal(err)
				}
				if _, err := os.Lstat(filepath.Join(cfg.Dir, "new name.part")); half > 0 &&
					err != nil {
					t.Error(err)
				}
				have := r.store.Have()
				r.back()
				r = mustFind(t, cfg, data, have)
				for p := half; p < layout.Pieces(); p++ {
					if got := r.piece(p); !got.OK {
						t.Fatal(got)
					}
				}
				if err := r.store.Finish(); err != nil {
					t.Fatal(err)
				}
				r.onDisk(cfg.Dir, "new name")
				if err := r.store.Rename(-1, "third"); err != nil {
					t.Fatal(err)
				}
				to := t.TempDir()
				if err := r.store.Move(t.Context(), to, nil); err != nil {
					t.Fatal(err)
				}
				r.onDisk(to, "third")
				sameFiles(t, filesBelow(t, cfg.Dir), nil)
				r.back()
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
				cfg.Dir = to
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
				cfg.Name = "third"
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
				cfg.Name = "other" // is other content
				mustFind(t, cfg, data, bits.New(layout.Pieces())).back()
			})
		}
	}
}

// Content with a name of the caller's choice is found under its new name by a run that still
// gives the old one, and not by a run that gives a third one.
func TestRenameNamedContent(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
		Name: "chosen"}
	r := newRig(t, cfg, data)
	r.all()
	if err := r.store.Rename(-1, "renamed"); err != nil {
		t.Fatal(err)
	}
	r.back()
	for _, tt := range []struct {
		name string
		want *bits.Set
	}{
		{"chosen", bits.Full(layout.Pieces())}, {"renamed", bits.Full(layout.Pieces())},
		{"third", bits.New(layout.Pieces())}, {"", bits.New(layout.Pieces())},
	} {
		cfg.Name = tt.name
		mustFind(t, cfg, data, tt.want).back()
	}
}

// A file gets another name before it is made, while it is fetched, and when it is complete.
func TestRenameFile(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	r := newRig(t, cfg, data)
	rename := func(i int, name string) {
		t.Helper()
		if err := r.store.Rename(i, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.piece(0); !got.OK {
		t.Fatal(got)
	}
	rename(0, "first") // exists
	rename(2, "not yet")
	rename(0, "first") // nothing to do
	have := r.store.Have()
	r.back()
	r = mustFind(t, cfg, data, have)
	for p := 1; p < layout.Pieces(); p++ {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	rename(0, "second")
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	rename(4, "was y")
	rename(2, "e2")
	rename(-1, "top")
	want := map[string]string{}
	for i, name := range []string{"second", "b/c", "b/d/e2", "z", "was y"} {
		f := &layout.Files[i]
		want["top/"+name] = string(data[f.Offset : f.Offset+f.Length])
		if got := r.store.FilePath(i); got != filepath.Join(cfg.Dir, "top", name) {
			t.Errorf("file %d lies at %s", i, got)
		}
	}
	sameFiles(t, filesBelow(t, cfg.Dir), want)
	r.back()
	r = mustFind(t, cfg, data, bits.Full(layout.Pieces()))
	cfg.Dir = t.TempDir()
	if err := r.store.Move(t.Context(), cfg.Dir, nil); err != nil {
		t.Fatal(err)
	}
	r.back()
	sameFiles(t, filesBelow(t, cfg.Dir), want)
	mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
}

// After an error everything is as before.
func TestRenameFails(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	r := newRig(t, cfg, data)
	for p := range 3 {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(cfg.Dir, "there"), nil, 0o600),
		os.WriteFile(filepath.Join(cfg.Dir, "x.part", "stranger"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before := filesBelow(t, cfg.Dir)
	for _, tt := range []struct {
		i    int
		name string
		want error
	}{
		{-1, "", ErrName}, {-1, ".", ErrName}, {-1, "..", ErrName}, {-1, "a/b", ErrName},
		{-1, "/", ErrName}, {-1, "a\x00b", ErrName}, {0, "../y", ErrName},
		{-1, strings.Repeat("n", 250), ErrName}, {-1, "there", ErrExists},
		{0, "stranger", ErrExists}, {0, "z", ErrExists}, {0, "Z", ErrExists}, {0, "b", ErrExists},
		{4, "A", ErrExists}, {5, "q", fs.ErrNotExist}, {-2, "q", fs.ErrNotExist},
	} {
		err := r.store.Rename(tt.i, tt.name)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Rename(%d, %q): %v", tt.i, tt.name, err)
		}
	}
	sameFiles(t, filesBelow(t, cfg.Dir), before)
	for p := 3; p < layout.Pieces(); p++ {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	r.back()
	if err := r.store.Rename(-1, "y"); !errors.Is(err, ErrClosed) {
		t.Error("after Close:", err)
	}
}

// A name or a folder that was chosen before anything of the content existed counts in the next
// run.
func TestArrangedBeforeAnyData(t *testing.T) {
	for shape, files := range shapes {
		for _, way := range []string{"rename", "move"} {
			t.Run(way+"/"+shape, func(t *testing.T) { arrangedBeforeAnyData(t, way, files) })
		}
	}
}

func arrangedBeforeAnyData(t *testing.T, way string, files []tfile) {
	layout, data := makeLayout(t, "x", 32<<10, files...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
		Wanted: make([]bool, len(layout.Files))}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	err := error(nil)
	if way == "move" {
		err = r.store.Move(t.Context(), t.TempDir(), nil)
	} else {
		err = r.store.Rename(-1, "y")
	}
	if err != nil {
		t.Fatal(err)
	}
	r.reselect("")
	if got := r.piece(0); !got.OK {
		t.Fatal(got)
	}
	r.back()
	cfg.Wanted = nil
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || !have.Has(0) {
		t.Errorf("found %s in %s: %v", members(have), r.store.Paths(), err)
	}
	r.back()
}

// A folder gets another name before it is made, while its files are fetched, and when they are
// complete. Files of others stay.
func TestRenameFolder(t *testing.T) {
	for _, others := range []bool{false, true} {
		layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
		cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
		r := newRig(t, cfg, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		rename := func(i, depth int, name string) {
			t.Helper()
			if err := r.store.RenameFolder(i, depth, name); err != nil {
				t.Fatal(err)
			}
		}
		rename(1, 1, "before") // not made yet
		for p := range layout.Pieces() - 1 {
			if got := r.piece(p); !got.OK {
				t.Fatal(got)
			}
		}
		want := map[string]string{}
		if others {
			stranger := filepath.Join(cfg.Dir, "x.part", "before", "d", "stranger")
			if err := os.WriteFile(stranger, []byte("others'"), 0o600); err != nil {
				t.Fatal(err)
			}
			want["top/before/d/stranger"] = "others'"
		}
		rename(2, 1, "during")
		rename(2, 1, "during") // nothing to do
		rename(2, 2, "deep")
		have := r.store.Have()
		r.back()
		r = mustFind(t, cfg, data, have)
		if got := r.piece(layout.Pieces() - 1); !got.OK {
			t.Fatal(got)
		}
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		rename(1, 1, "after")
		if err := errors.Join(r.store.Rename(1, "c2"), r.store.Rename(-1, "top")); err != nil {
			t.Fatal(err)
		}
		if others { // the top was renamed without them
			want["x/before/d/stranger"] = want["top/before/d/stranger"]
			delete(want, "top/before/d/stranger")
		}
		for i, name := range []string{"a", "after/c2", "after/deep/e", "z", "y"} {
			f := &layout.Files[i]
			want["top/"+name] = string(data[f.Offset : f.Offset+f.Length])
			if got := r.store.FilePath(i); got != filepath.Join(cfg.Dir, "top", name) {
				t.Errorf("file %d lies at %s", i, got)
			}
		}
		sameFiles(t, filesBelow(t, cfg.Dir), want)
		r.back()
		mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
	}
}

// After an error of RenameFolder everything is as before.
func TestRenameFolderFails(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	r := newRig(t, cfg, data)
	for p := range 4 {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "x.part", "stranger"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := filesBelow(t, cfg.Dir)
	for _, tt := range []struct {
		i, depth int
		name     string
		want     error
	}{
		{1, 1, "", ErrName}, {1, 1, "..", ErrName}, {1, 1, "a/b", ErrName},
		{1, 1, "a\x00", ErrName},
		{1, 1, strings.Repeat("n", 250), ErrName}, {1, 1, "stranger", ErrExists},
		{1, 1, "a", ErrExists}, {1, 1, "A", ErrExists}, {1, 1, "z", ErrExists},
		{2, 2, "c", ErrExists}, {1, 0, "q", fs.ErrNotExist}, {1, 2, "q", fs.ErrNotExist},
		{1, -1, "q", fs.ErrNotExist}, {0, 1, "q", fs.ErrNotExist}, {-1, 1, "q", fs.ErrNotExist},
		{99, 1, "q", fs.ErrNotExist},
	} {
		err := r.store.RenameFolder(tt.i, tt.depth, tt.name)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("RenameFolder(%d, %d, %q): %v", tt.i, tt.depth, tt.name, err)
		}
	}
	sameFiles(t, filesBelow(t, cfg.Dir), before)
	link := filepath.Join(cfg.Dir, "x.part", "link")
	if err := os.Symlink("b", link); err != nil {
		t.Fatal(err)
	}
	if err := r.store.RenameFolder(1, 1, "link"); !errors.Is(err, ErrExists) {
		t.Error("to the name of a link:", err)
	}
	have := r.store.Have()
	r.back()
	mustFind(t, cfg, data, have).back()
	if err := r.store.RenameFolder(1, 1, "y"); !errors.Is(err, ErrClosed) {
		t.Error("after Close:", err)
	}
}

// If one of the files cannot get its new path, those before it get their old ones back.
func TestRenameFolderIsUndone(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 10, false}, tfile{"b/c", 40_000, false},
		tfile{"b/d/e", 70_000, false})
	cfg := Config{Layout: layout, Dir: t.TempDir(), StateDir: t.TempDir()}
	files := 0
	cfg.moving = func(step string) error {
		if step == "each" {
			files++
		}
		if step == "rename" {
			return syscall.EXDEV
		}
		for _, name := range []string{"c", "d/e"} {
			path := filepath.Join(cfg.Dir, "x", "new", name)
			if _, err := os.Lstat(path); err == nil || files != 2 {
				continue
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
				os.WriteFile(path, nil, 0o600)); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	r := newRig(t, cfg, data)
	r.all()
	before := filesBelow(t, cfg.Dir)
	if err := r.store.RenameFolder(1, 1, "new"); !errors.Is(err, ErrExists) || files != 2 {
		t.Fatal(err, files)
	}
	after := filesBelow(t, cfg.Dir)
	delete(after, "x/new/c")
	delete(after, "x/new/d/e")
	sameFiles(t, after, before)
	r.back()
	cfg.moving = nil
	mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
}
