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

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// fetch checks and fetches what is missing.
func (r *rig) fetch() {
	r.t.Helper()
	have, err := r.store.Check(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for p := range r.layout.Pieces() {
		if !have.Has(p) {
			if got := r.piece(p); !got.OK {
				r.t.Fatalf("piece %d: %+v", p, got)
			}
		}
	}
	if err := r.store.Finish(); err != nil {
		r.t.Fatal(err)
	}
}

// Complete content is looked at, found and finished, and nothing of it or beside it
// is made, changed or locked: several Stores do so at the same time.
func TestCompleteContentIsOnlyRead(t *testing.T) {
	for _, name := range []string{"single", "folder", "padding"} {
		layout, data := makeLayout(t, name, 64<<10, shapes[name]...)
		dir := t.TempDir()
		putContent(t, dir, name, layout, data)
		before := tree(t, dir)
		cfg := Config{Dir: dir, Layout: layout, Part: true, StateDir: t.TempDir()}
		first, second := newRig(t, cfg, data), newRig(t, cfg, data)
		for _, r := range []*rig{first, second} {
			if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
				t.Fatalf("%s: %v", name, err)
			}
		}
		third := newRig(t, cfg, data) // while the others look
		if have, err := third.store.Check(t.Context(), nil); err != nil || !have.All() {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range []*rig{first, second, third} {
			if err := r.store.Finish(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := r.store.ReadAt(make([]byte, 1), 0, 0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, r := range []*rig{first, second, third} {
			r.back()
		}
		if after := tree(t, dir); after != before {
			t.Errorf("%s: something was changed:\n%s\nwas\n%s", name, after, before)
		}
		if have, hashed, warned := recheck(t, cfg, data); !have.All() || hashed != 0 ||
			warned != nil {
			t.Errorf("%s: the next start: %d bytes hashed, %q", name, hashed, warned)
		}
	}
}

// Of two that find the same incomplete content at the same time, one writes.
func TestOneOfTwoWrites(t *testing.T) {
	for _, name := range []string{"single", "folder"} {
		layout, data := makeLayout(t, name, 64<<10, shapes[name]...)
		for _, top := range []string{name, name + PartSuffix} {
			cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true}
			putContent(t, cfg.Dir, top, layout, data)
			if err := overwrite(filepath.Join(cfg.Dir, top,
				strings.Repeat("a", len(layout.Files[0].Path))), 10); err != nil {
				t.Fatal(err)
			}
			first, second := newRig(t, cfg, data), newRig(t, cfg, data)
			have, err := first.store.Check(t.Context(), nil)
			if err != nil || have.All() {
				t.Fatalf("%s: %v", top, err)
			}
			if _, err := second.store.Check(t.Context(), nil); !errors.Is(err, ErrInUse) {
				t.Errorf("%s: the second one: %v", top, err)
			}
			second.back()
			if got := first.piece(0); !got.OK {
				t.Errorf("%+v", got)
			}
			if err := first.store.Finish(); err != nil {
				t.Error(err)
			}
			first.onDisk(cfg.Dir, name)
			first.back()
		}
	}
}

// What somebody else has put where unfinished content goes is left alone, and told;
// the content is fetched under another name, also after a stop.
func TestStrangersPart(t *testing.T) {
	noise := content(77, 70_000)
	for _, tt := range []struct {
		name  string
		shape string
		put   func(part string) error
		ours  bool // it is useful, or nothing is lost
	}{
		{"other data", "single", func(p string) error { return os.WriteFile(p, noise, 0o600) },
			false},
		{"a little other data", "single", func(p string) error {
			return os.WriteFile(p, []byte("mine"), 0o600)
		}, false},
		{"longer", "single", func(p string) error {
			return os.WriteFile(p, make([]byte, 300_002), 0o600)
		}, false},
		{"a folder", "single", func(p string) error { return os.MkdirAll(p+"/mine", 0o700) },
			false},
		{"a link", "single", func(p string) error { return os.Symlink("elsewhere", p) }, false},
		{"a pipe", "single", func(p string) error { return syscall.Mkfifo(p, 0o600) }, false},
		{"an empty file", "single", func(p string) error { return os.WriteFile(p, nil, 0o600) },
			true},
		{"zeros", "single", func(p string) error {
			return os.WriteFile(p, make([]byte, 300_001), 0o600)
		}, true},
		{"a file", "folder", func(p string) error { return os.WriteFile(p, noise, 0o600) }, false},
		{"a folder of other files", "folder", func(p string) error {
			return errors.Join(os.MkdirAll(p+"/mine/b", 0o700),
				os.WriteFile(p+"/mine/b/c", noise, 0o600))
		}, false},
		{"a folder with a link", "folder", func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700), os.Symlink("x", p+"/other"))
		}, false},
		{"other data in a file", "folder", func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700), os.WriteFile(p+"/a", noise, 0o600))
		}, false},
		{"a longer file", "folder", func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700), os.WriteFile(p+"/z", noise, 0o600))
		}, false},
		{"empty folders", "folder", func(p string) error { return os.MkdirAll(p+"/b/d", 0o700) },
			true},
		{"zeros", "folder", func(p string) error {
			return errors.Join(os.Mkdir(p, 0o700),
				os.WriteFile(p+"/a", make([]byte, 100_000), 0o600))
		}, true},
	} {
		t.Run(tt.shape+" "+tt.name, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 64<<10, shapes[tt.shape]...)
			var warned []string
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true,
				Hash: metainfo.Hash{9, 8, 7},
				Warn: func(err error) { warned = append(warned, err.Error()) }}
			part := filepath.Join(cfg.Dir, "x"+PartSuffix)
			if err := tt.put(part); err != nil {
				t.Fatal(err)
			}
			before := tree(t, cfg.Dir)
			r := newRig(t, cfg, data)
			if have, err := r.store.Check(t.Context(), nil); err != nil || !have.None() {
				t.Fatal("Check:", err)
			}
			own := filepath.Join(cfg.Dir, "x."+cfg.Hash.Short()+PartSuffix)
			if got := r.store.Paths()[0]; (got == part) != tt.ours || !tt.ours && got != own {
				t.Error("Paths:", got)
			}
			if told := len(warned) == 1 && strings.Contains(warned[0],
				"left alone"); told == tt.ours {
				t.Errorf("warned of %q", warned)
			}
			if got := r.piece(1); !got.OK {
				t.Fatalf("%+v", got)
			}
			r.back()
			r = newRig(t, cfg, data)
			if have, err := r.store.Check(t.Context(), nil); err != nil || have.Count() != 1 {
				t.Fatal("after a stop:", err)
			}
			r.fetch()
			r.onDisk(cfg.Dir, "x")
			r.back()
			if err := os.RemoveAll(filepath.Join(cfg.Dir, "x")); err != nil {
				t.Fatal(err)
			}
			if after := tree(t, cfg.Dir); !tt.ours && sansTimes(after) != sansTimes(before) {
				t.Errorf("something was changed or is left:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// A record of an earlier fetch to the same place does not make something else ours.
func TestStrangersPartAfterFetch(t *testing.T) {
	for _, shape := range []string{"single", "folder"} {
		for _, pieces := range []int{0, 1, -1} { // that the earlier fetch has got; -1: all
			layout, data := makeLayout(t, "x", 64<<10, shapes[shape]...)
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true}
			r := newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			switch pieces {
			case 1:
				r.piece(1)
			case -1:
				r.fetch()
			}
			r.back()
			part := filepath.Join(cfg.Dir, "x"+PartSuffix)
			for _, name := range []string{part, filepath.Join(cfg.Dir, "x")} {
				if err := os.RemoveAll(name); err != nil {
					t.Fatal(err)
				}
			}
			putContent(t, cfg.Dir, "x"+PartSuffix, layout, content(78, len(data)))
			before := tree(t, part)
			for range 2 { // also when the fetch that goes aside is stopped
				r = newRig(t, cfg, data)
				if _, err := r.store.Check(t.Context(), nil); err != nil {
					t.Fatalf("%s, %d pieces: %v", shape, pieces, err)
				}
				r.piece(1)
				r.back()
			}
			r = newRig(t, cfg, data)
			r.fetch()
			r.onDisk(cfg.Dir, "x")
			r.back()
			if after := tree(t, part); after != before {
				t.Errorf("%s, %d pieces: a stranger's files were changed:\n%s\nwas\n%s", shape,
					pieces, after, before)
			}
		}
	}
}

// sansTimes takes the time of the folder itself, which new names in it change, out of
// what tree prints.
func sansTimes(tree string) string { return tree[strings.Index(tree, "\n"):] }

// A file of zeros, as other clients make it before they fetch, holds no other data.
func TestZerosAreNoOtherData(t *testing.T) {
	for _, name := range []string{"single", "folder"} {
		layout, data := makeLayout(t, name, 64<<10, shapes[name]...)
		for _, size := range []float64{1, 0.5} {
			cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true}
			putContent(t, cfg.Dir, name, layout, make([]byte, len(data)))
			path := filepath.Join(cfg.Dir, name, strings.Repeat("a", len(layout.Files[0].Path)))
			if err := os.Truncate(path, int64(size*float64(layout.Files[0].Length))); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, cfg, data)
			r.fetch()
			r.onDisk(cfg.Dir, name)
			r.back()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			zeros := make([]byte, layout.Files[0].Length)
			zeros[len(zeros)-1] = 1 // somebody's, at the very end
			cfg.Dir = t.TempDir()
			putContent(t, cfg.Dir, name, layout,
				append(zeros, make([]byte, len(data)-len(zeros))...))
			r = newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); !errors.Is(err, ErrExists) {
				t.Errorf("%s: zeros and a byte: %v", name, err)
			}
			r.back()
		}
	}
}

// The record of an earlier version, one for each torrent, is taken over, with its
// partfile; the record of another place stays there.
func TestEarlierRecord(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		layout, data := mixed(t)
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
			Wanted: choose(".x......"), Hash: metainfo.Hash{5}}
		r := newRig(t, cfg, data)
		r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		want := r.store.Have()
		r.back()
		doc, err := os.ReadFile(recordPath(cfg))
		was, err1 := ParseResume(doc)
		if err := errors.Join(err, err1); err != nil {
			t.Fatal(err)
		}
		was.Partfile.Ctime = 0 // renaming the file, as this test does, changes it
		earlier := filepath.Join(cfg.StateDir, cfg.Hash.String())
		err = errors.Join(os.Remove(recordPath(cfg)),
			os.WriteFile(earlier+ResumeSuffix, was.Append(nil), 0o600),
			os.Rename(partfilePath(cfg), earlier+partfileSuffix))
		if err != nil {
			t.Fatal(err)
		}
		other := cfg
		other.Dir = t.TempDir()
		if have, _, warned := recheck(t, other, data); !have.None() || warned != nil {
			t.Errorf("another place: %s, %q", members(have), warned)
		}
		cfg.StateReadOnly = frozen
		before := tree(t, cfg.StateDir)
		for range 2 {
			have, hashed, warned := recheck(t, cfg, data)
			if !equal(have, want) || hashed != 0 || warned != nil {
				t.Errorf("frozen %v: found %s, want %s; %d bytes hashed, %q", frozen, members(have),
					members(want), hashed, warned)
			}
		}
		if _, err := os.Lstat(earlier + ResumeSuffix); errors.Is(err, fs.ErrNotExist) == frozen {
			t.Errorf("frozen %v: the earlier record: %v", frozen, err)
		}
		if after := tree(t, cfg.StateDir); frozen && after != before {
			t.Errorf("the folder for state was changed:\n%s\nwas\n%s", after, before)
		}
	}
}

// With StateReadOnly, a partly wanted torrent writes nothing to the state folder, and
// warns of nothing.
func TestStateReadOnly(t *testing.T) {
	layout, data := mixed(t)
	cfg := Config{Dir: t.TempDir(), StateDir: filepath.Join(t.TempDir(), "none"), Layout: layout,
		Wanted: choose(".x......"), StateReadOnly: true}
	var warned []string
	cfg.Warn = func(err error) { warned = append(warned, err.Error()) }
	r := newRig(t, cfg, data)
	r.wantedPieces(cfg.Wanted, bits.New(layout.Pieces()))
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
	r.readsBack(r.store.Have())
	r.back()
	if _, err := os.Lstat(cfg.StateDir); !errors.Is(err, fs.ErrNotExist) || warned != nil {
		t.Errorf("%v; %q", err, warned)
	}
}

// What others have planted in the folder for state is neither followed, nor waited
// for, nor written to, and keeps no record from being made.
func TestPlantedState(t *testing.T) {
	layout, data := mixed(t)
	for name, plant := range map[string]func(path, victim string) error{
		"link":          func(path, victim string) error { return os.Symlink(victim, path) },
		"dangling link": func(path, victim string) error { return os.Symlink(victim+"2", path) },
		"pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o666) },
	} {
		for _, at := range []string{".resume", ".resume.new", ".parts", ".parts.lock"} {
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout,
				Wanted: choose(".x......"), Hash: metainfo.Hash{6}}
			outside := t.TempDir()
			victim := filepath.Join(outside, "victim")
			if err := os.WriteFile(victim, []byte("victim"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, stem := range []string{strings.TrimSuffix(recordPath(cfg), ResumeSuffix),
				filepath.Join(cfg.StateDir, cfg.Hash.String())} {
				if err := plant(stem+at, victim); err != nil {
					t.Fatal(err)
				}
			}
			r := newRig(t, cfg, data)
			_, err := r.store.Check(t.Context(), nil)
			if err == nil {
				r.piece(3)
			} else if at != partfileSuffix {
				t.Errorf("%s at %s: %v", name, at, err)
			}
			r.back()
			if doc, err := os.ReadFile(victim); err != nil || string(doc) != "victim" {
				t.Errorf("%s at %s: the victim is %q, %v", name, at, doc, err)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Errorf("%s at %s: outside: %v", name, at, entries)
			}
			if at == partfileSuffix {
				continue
			}
			if have, _, _ := recheck(t, cfg, data); have.Count() != 1 {
				t.Errorf("%s at %s: then there is %s", name, at, members(have))
			}
		}
	}
}
