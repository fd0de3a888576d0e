//go:build unix

package storage

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// Something else where the content belongs: one clear error, and nothing
// touched.
func TestInTheWay(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(dir string) error // outside is a sibling of dir
		want    error
	}{
		{"folder is a file", func(dir string) error {
			return os.WriteFile(dir+"/x", []byte("mine"), 0o600)
		}, ErrNotFolder},
		{"folder is a link", func(dir string) error { return os.Symlink("../outside", dir+"/x") },
			ErrLink},
		{"folder is a dangling link", func(dir string) error {
			return os.Symlink("../nowhere", dir+"/x")
		}, ErrLink},
		{"file is a folder", func(dir string) error { return os.MkdirAll(dir+"/x/a", 0o700) },
			ErrFolder},
		{"file is a link", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700),
				os.Symlink("../../outside/victim", dir+"/x/a"))
		}, ErrLink},
		{"file is a link within", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700), os.WriteFile(dir+"/x/z", nil, 0o600),
				os.Symlink("z", dir+"/x/a"))
		}, ErrLink},
		{"file is a pipe", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700), syscall.Mkfifo(dir+"/x/a", 0o600))
		}, ErrSpecial},
		{"parent is a file", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700),
				os.WriteFile(dir+"/x/b", []byte("mine"), 0o600))
		}, ErrNotFolder},
		{"parent is a link", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700), os.Symlink("../../outside", dir+"/x/b"))
		}, ErrLink},
		{"file is longer", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/x", 0o700),
				os.WriteFile(dir+"/x/a", make([]byte, 100_001), 0o600))
		}, ErrLonger},
		{"empty file is longer", func(dir string) error {
			return errors.Join(os.MkdirAll(dir+"/x/b", 0o700),
				os.WriteFile(dir+"/x/b/c", make([]byte, 1), 0o600))
		}, ErrLonger},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			dir, outside := base+"/dir", base+"/outside"
			err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(outside, 0o700),
				os.WriteFile(outside+"/victim", []byte("victim"), 0o600), tt.prepare(dir))
			if err != nil {
				t.Fatal(err)
			}
			before, outsideBefore := tree(t, base), tree(t, outside)
			layout, data := makeLayout(t, "x", 64<<10, shapes["folder"]...)
			r, err := tryRig(t, Config{Dir: dir, Layout: layout}, data)
			if err == nil {
				_, err = r.store.Check(t.Context(), nil)
			}
			own := (*Error)(nil)
			if !errors.Is(err, tt.want) || !errors.As(err, &own) || !IsInTheWay(err) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if after := tree(t, base); after != before {
				t.Errorf("something was changed:\n%s\nwas\n%s", after, before)
			}
			if r.store == nil {
				return
			}
			for p := range layout.Pieces() { // and when somebody writes all the same
				r.piece(p)
			}
			if err := r.store.Finish(); err == nil {
				t.Error("Finish did not fail")
			}
			if after := tree(t, outside); after != outsideBefore {
				t.Error("something outside was changed:", after)
			}
		})
	}
}

func fileText(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// tree prints what lies below dir: names, kinds, sizes and times.
func tree(t *testing.T, dir string) string {
	text := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text += path[len(dir):] + " " + info.Mode().String() + " " +
			info.ModTime().Format(time.RFC3339Nano)
		if info.Mode().IsRegular() {
			text += " " + fileText(t, path)[:min(info.Size(), 20)]
		}
		text += "\n"
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return text
}

// wholeFolder writes a folder x with the files of shapes.
func wholeFolder(t *testing.T) (dir string, layout *metainfo.Layout, data []byte) {
	t.Helper()
	layout, data = makeLayout(t, "x", 64<<10, shapes["folder"]...)
	dir = t.TempDir()
	r := newRig(t, Config{Dir: dir, Layout: layout}, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	return dir, layout, data
}

func TestReadOnlyChangesNothing(t *testing.T) {
	dir, layout, data := wholeFolder(t)
	if err := os.Truncate(filepath.Join(dir, "x", "a"), 50_000); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "x", "z")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	r := newRig(t, Config{Dir: dir, Layout: layout, ReadOnly: true}, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || have.Has(0) || have.Has(1) || have.Has(2) || !have.Has(3) {
		t.Error("check of damaged content:", have, err)
	}
	if err := r.store.ReadAt(make([]byte, 1000), 0, 49_500); !errors.Is(err, ErrShort) {
		t.Error("reading over the end of a file:", err)
	}
	if err := r.store.ReadAt(make([]byte, 30_000), 2, 30_000); !errors.Is(err, fs.ErrNotExist) {
		t.Error("reading a file that is gone:", err)
	}
	r.write(r.refs(0)[0])
	if got := <-r.results; !errors.Is(got.Err, ErrReadOnly) {
		t.Error("writing:", got)
	}
	if err := r.store.Finish(); !errors.Is(err, ErrChanged) {
		t.Error("Finish of damaged content:", err)
	}
	r.back()
	if after := tree(t, dir); after != before {
		t.Errorf("something was changed:\n%s\nwas\n%s", after, before)
	}
}

func TestFinishNoticesChanges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"nothing", nil},
		{"deleted", os.Remove},
		{"shorter", func(path string) error { return os.Truncate(path, 99_999) }},
		{"longer", func(path string) error { return os.Truncate(path, 100_001) }},
		{"touched", func(path string) error {
			return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))
		}},
		{"overwritten", func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{1}, 5)
			return errors.Join(err, f.Close(), os.Chtimes(path, time.Time{},
				time.Now().Add(time.Second)))
		}},
		{"a folder", func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}},
	} {
		layout, data := makeLayout(t, "x", 64<<10, shapes["folder"]...)
		dir := t.TempDir()
		r := newRig(t, Config{Dir: dir, Layout: layout}, data)
		r.all()
		path := filepath.Join(dir, "x", "a")
		if tt.change == nil {
			if err := r.store.Finish(); err != nil {
				t.Error("unchanged:", err)
			}
			continue
		}
		if err := tt.change(path); err != nil {
			t.Fatal(err)
		}
		err := r.store.Finish()
		if own := (*Error)(nil); !errors.As(err, &own) || own.Path != path {
			t.Errorf("%s: got %v", tt.name, err)
		}
		inTheWay := tt.name == "longer" || tt.name == "a folder"
		if !inTheWay {
			if err := r.store.Finish(); !errors.Is(err, ErrChanged) {
				t.Errorf("%s: Finish with nothing done about it: %v", tt.name, err)
			}
			// each piece verified again, and fetched where that fails
			for p := range layout.Pieces() {
				r.store.Verify(uint32(p))
				if got := <-r.results; got.Err != nil || !got.OK && !r.piece(p).OK {
					t.Errorf("%s: piece %d: %+v", tt.name, p, got)
				}
			}
			if err := r.store.Finish(); err != nil {
				t.Errorf("%s: Finish after that: %v", tt.name, err)
			}
			r.onDisk(dir, "x")
			r.back()
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			r = newRig(t, Config{Dir: dir, Layout: layout}, data)
		}
		have, err := r.store.Check(t.Context(), nil) // or a check and a download
		if inTheWay {
			if !IsInTheWay(err) {
				t.Errorf("%s: check: %v", tt.name, err)
			}
			continue
		}
		if err != nil || have.All() != (tt.name == "touched") {
			t.Errorf("%s: check: %d pieces, %v", tt.name, have.Count(), err)
		}
		for p := range layout.Pieces() {
			if !have.Has(p) {
				r.piece(p)
			}
		}
		if err := r.store.Finish(); err != nil {
			t.Errorf("%s: Finish after a check: %v", tt.name, err)
		}
		r.onDisk(dir, "x")
		r.back()
	}
}

// A torrent is made of what links within its folder lead to, so that is served
// and found right. What leads elsewhere, or is something else, is missing alone.
func TestReadOnlyFollowsLinksWithin(t *testing.T) {
	dir, layout, data := wholeFolder(t)
	whole := filepath.Join(dir, "x")
	move := func(name, to, link string) {
		t.Helper()
		if err := errors.Join(os.Rename(filepath.Join(whole, name), filepath.Join(whole, to)),
			os.Symlink(link, filepath.Join(whole, name))); err != nil {
			t.Fatal(err)
		}
	}
	move("a", ".real", ".real")
	move("b", ".folder", ".folder")
	r := newRig(t, Config{Dir: dir, Layout: layout, ReadOnly: true}, data)
	if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
		t.Error("content with links:", have, err)
	}
	got := make([]byte, 1000)
	if err := r.store.ReadAt(got, 0, 0); err != nil || !bytes.Equal(got, data[:1000]) {
		t.Error("reading through a link:", err)
	}
	r.back()

	if err := os.Rename(filepath.Join(whole, ".real"),
		filepath.Join(t.TempDir(), "outside")); err != nil {
		t.Fatal(err)
	}
	for _, prepare := range []func(name string) error{
		func(name string) error { return os.Symlink("../../outside", name) },
		func(name string) error { return os.Symlink("/etc/passwd", name) },
		func(name string) error { return os.Symlink("a", name) },
		func(name string) error { return os.Mkdir(name, 0o700) },
		func(name string) error { return syscall.Mkfifo(name, 0o600) },
	} {
		name := filepath.Join(whole, "a")
		if err := errors.Join(os.RemoveAll(name), prepare(name)); err != nil {
			t.Fatal(err)
		}
		r = newRig(t, Config{Dir: dir, Layout: layout, ReadOnly: true}, data)
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || have.Has(0) || !have.Has(layout.Pieces()-1) {
			t.Error("one file of several is not there:", have, err)
		}
		if err := r.store.ReadAt(got, 0, 0); err == nil {
			t.Error("something was read where nothing is")
		}
		r.back()
		r = newRig(t, Config{Dir: dir, Layout: layout, ReadOnly: true}, data)
		if err := r.store.Trust(t.Context()); err == nil {
			t.Error("content was trusted of which a file is something else")
		}
		r.back()
	}
}

func TestOneWriterPerContent(t *testing.T) {
	for _, name := range []string{"single", "folder"} {
		layout, data := makeLayout(t, name, 64<<10, shapes[name]...)
		cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true}
		r := newRig(t, cfg, data)
		if _, err := tryRig(t, cfg, data); !errors.Is(err, ErrInUse) {
			t.Errorf("%s: a second writer: %v", name, err)
		}
		readOnly := cfg
		readOnly.ReadOnly = true
		newRig(t, readOnly, data).back()
		r.all()
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		newRig(t, cfg, data).back() // finished content is free
		r.back()
	}
}

func TestUnwritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("permissions do not bind root")
	}
	layout, data := makeLayout(t, "x", 64<<10, shapes["folder"]...)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := tryRig(t, Config{Dir: dir, Layout: layout}, data); !IsDenied(err) {
		t.Error("got", err)
	}
}
