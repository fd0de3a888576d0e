//go:build unix

package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"swarmnode/swarm/bits"
)

// moveWays are the ways in which content is moved; each value makes Config.moving force one.
var moveWays = map[string]func(step string) error{
	"rename": nil,
	"link": func(step string) error {
		if step == "rename" {
			return syscall.EXDEV
		}
		return nil
	},
	"copy": forceCopy,
}

// forceCopy makes content be copied on one device, too.
func forceCopy(step string) error {
	if step == "rename" || step == "link" {
		return syscall.EXDEV
	}
	return nil
}

// mustFind opens cfg as the next run would, and reports whether it finds the pieces of want
// without hashing a byte.
func mustFind(t *testing.T, cfg Config, data []byte, want *bits.Set) *rig {
	t.Helper()
	hashed := int64(0)
	r := newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if err != nil {
		t.Fatal(err)
	}
	if !equal(have, want) || hashed != 0 {
		t.Errorf("found %s in %s, and hashed %d bytes; want %s and none", members(have),
			r.store.Dir(), hashed, members(want))
	}
	for p := range have.Members() {
		r.mustBeSound(p)
	}
	return r
}

// Content is moved in each way and state: the old folder is empty afterwards, the fetch goes
// on at the new place, and the next run finds everything from either folder.
func TestMove(t *testing.T) {
	for way, force := range moveWays {
		for shape, files := range shapes {
			t.Run(way+"/"+shape, func(t *testing.T) {
				layout, data := makeLayout(t, "x", 32<<10, files...)
				cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
					moving: force}
				to := filepath.Join(t.TempDir(), "new", "place")
				r := newRig(t, cfg, data)
				if _, err := r.store.Check(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				half := layout.Pieces() / 2
				for p := range half {
					if got := r.piece(p); !got.OK {
						t.Fatal(got)
					}
				}
				if err := r.store.Move(t.Context(), to, nil); err != nil {
					t.Fatal(err)
				}
				sameFiles(t, filesBelow(t, cfg.Dir), nil)
				if got := r.store.Dir(); got != to {
					t.Errorf("it lies in %s, want %s", got, to)
				}
				have := r.store.Have()
				if have.Count() != half {
					t.Errorf("%d pieces after the move, want %d", have.Count(), half)
				}
				r.back()
				r = mustFind(t, cfg, data, have) // from the old folder
				for p := range layout.Pieces() {
					if !have.Has(p) {
						if got := r.piece(p); !got.OK {
							t.Fatal(got)
						}
					}
				}
				if err := r.store.Finish(); err != nil {
					t.Fatal(err)
				}
				r.onDisk(to, "x")
				back := t.TempDir()
				if err := r.store.Move(t.Context(), back, nil); err != nil {
					t.Fatal(err)
				}
				r.onDisk(back, "x")
				sameFiles(t, filesBelow(t, to), nil)
				r.back()
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
				cfg.Dir = back
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
			})
		}
	}
}

// Pieces that come while content is copied are at the new place afterwards, and are read
// from the old one until then.
func TestMoveWhileFetched(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"a", 3 << 20, false},
		tfile{"b/c", 2<<20 + 1, false}, tfile{"d", 100_000, false})
	var r *rig
	p, steps, held := 10, 0, false
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	cfg.moving = func(step string) error {
		if step == "held" {
			held = true
			r.write(r.refs(p)[0]) // it waits until the move has ended
		}
		if step == "chunk" && !held && p < layout.Pieces()-4 {
			steps++
			for range 3 {
				if got := r.piece(p); !got.OK {
					t.Error(got)
				}
				r.mustBeSound(p)
				p++
			}
			r.write(r.refs(layout.Pieces() - 1)[0]) // a part of a piece
		}
		return forceCopy(step)
	}
	r = newRig(t, cfg, data)
	for p := range p {
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	told := int64(0)
	to := t.TempDir()
	if err := r.store.Move(t.Context(), to, func(done, total int64) {
		if done > total || done < told {
			t.Errorf("%d of %d bytes after %d", done, total, told)
		}
		told = done
	}); err != nil {
		t.Fatal(err)
	}
	if steps == 0 || told == 0 {
		t.Error("nothing was fetched while it was copied")
	}
	for ; p < layout.Pieces(); p++ {
		if got := r.piece(p); !got.OK {
			t.Fatal(p, got)
		}
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.onDisk(to, "x")
	sameFiles(t, filesBelow(t, cfg.Dir), nil)
	r.back()
}

// Files that are not of the torrent stay where they are, in a folder that stays for them;
// unwanted files that exist are moved.
func TestMoveLeavesOthers(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	for way, force := range moveWays {
		t.Run(way, func(t *testing.T) {
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
				moving: force, Wanted: []bool{true, true, false, true, true}}
			putContent(t, cfg.Dir, "x", layout, data)
			other := filepath.Join(cfg.Dir, "x", "b", "stranger")
			if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			r.onDisk(to, "x")
			sameFiles(t, filesBelow(t, cfg.Dir), map[string]string{"x/b/stranger": "mine"})
			r.back()
			cfg.Dir = to
			mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
		})
	}
}

// Holes stay holes, and rights and times stay as they are.
func TestMoveKeepsHolesAndRights(t *testing.T) {
	layout, data := makeLayout(t, "x", 1<<20, tfile{"", 40 << 20, false})
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), moving: forceCopy}
	r := newRig(t, cfg, data)
	if got := r.piece(20); !got.OK {
		t.Fatal(got)
	}
	old := r.store.FilePath(0)
	if err := os.Chmod(old, 0o640); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.Move(t.Context(), t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(r.store.FilePath(0))
	if err != nil {
		t.Fatal(err)
	}
	if is.Mode() != was.Mode() || !is.ModTime().Equal(was.ModTime()) || is.Size() != was.Size() {
		t.Errorf("it was %v %v, and is %v %v", was.Mode(), was.ModTime(), is.Mode(), is.ModTime())
	}
	if a, b := statOf(was).room, statOf(is).room; b > a+(64<<10) {
		t.Errorf("it took %d bytes, and takes %d", a, b)
	}
	r.mustBeSound(20)
	r.back()
}

// After an error everything is as before: each file, and that the fetch goes on.
func TestMoveFails(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	denied := func(err error) bool { return IsDenied(err) }
	is := func(target error) func(error) bool {
		return func(err error) bool { return errors.Is(err, target) }
	}
	write := func(path string) error {
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte("y"), 0o600))
	}
	for name, tt := range map[string]struct {
		prepare func(to string) error
		below   string // the new folder, below to
		inside  bool   // the new folder lies in the content
		step    string // that fails
		err     func(error) bool
		root    bool // it works for root
	}{
		"file of that name": {prepare: func(to string) error { return write(to + "/x") },
			err: is(ErrExists)},
		"unfinished one": {prepare: func(to string) error {
			return write(to + "/x.part/a")
		}, err: is(ErrExists)},
		"folder of that name": {prepare: func(to string) error { return write(to + "/x/other") },
			err: is(ErrExists)},
		"into itself": {inside: true, err: is(ErrInside)},
		"folder is a file": {prepare: func(to string) error { return write(to + "/f") },
			below: "f", err: is(syscall.ENOTDIR)},
		"below a file": {prepare: func(to string) error { return write(to + "/f") },
			below: "f/g", err: is(syscall.ENOTDIR)},
		"may not be written": {prepare: func(to string) error { return os.Chmod(to, 0o500) },
			err: denied, root: true},
		"fault while copying":    {below: "new/new", step: "chunk", err: is(syscall.EIO)},
		"fault before the end":   {below: "new", step: "synced", err: is(syscall.EIO)},
		"fault after the notes":  {below: "new", step: "begun", err: is(syscall.EIO)},
		"new folder disappears":  {step: "gone", err: is(fs.ErrNotExist)},
		"the original is lost":   {step: "lost", err: func(err error) bool { return err != nil }},
		"the context has ended":  {step: "cancel", err: is(context.Canceled)},
		"it is closed meanwhile": {step: "close", err: is(context.Canceled)},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() == 0 {
				t.Skip("nothing stops root")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var r *rig
			var closed sync.WaitGroup
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
			above, aside := t.TempDir(), t.TempDir()
			cfg.moving = func(step string) error {
				switch {
				case step == tt.step:
					return syscall.EIO
				case step != "copied":
				case tt.step == "gone":
					os.RemoveAll(above)
				case tt.step == "lost":
					os.Rename(r.store.FilePath(0), filepath.Join(aside, "a"))
				case tt.step == "cancel":
					cancel()
				case tt.step == "close":
					closed.Go(func() { r.store.Close() })
					waitUntilCancelled(r.store)
				}
				return forceCopy(step)
			}
			r = newRig(t, cfg, data)
			half := layout.Pieces() / 2
			for p := range half {
				if got := r.piece(p); !got.OK {
					t.Fatal(got)
				}
			}
			if tt.prepare != nil {
				if err := tt.prepare(above); err != nil {
					t.Fatal(err)
				}
			}
			to := filepath.Join(above, tt.below)
			if tt.inside {
				to = filepath.Join(cfg.Dir, "x.part", "b", "deeper")
			}
			before, beforeThere := filesBelow(t, cfg.Dir), tree(t, above)
			err := r.store.Move(ctx, to, nil)
			if !tt.err(err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v", err)
			}
			if tt.step == "lost" {
				os.Rename(filepath.Join(aside, "a"), r.store.FilePath(0))
			}
			sameFiles(t, filesBelow(t, cfg.Dir), before)
			if tt.step == "gone" {
				beforeThere = ""
			} else if after := tree(t, above); sansTimes(after) != sansTimes(beforeThere) {
				t.Errorf("the new folder was\n%s\nand is\n%s", beforeThere, after)
			}
			if r.store.Dir() != cfg.Dir {
				t.Error("it lies in", r.store.Dir())
			}
			if tt.step == "close" {
				closed.Wait()
				return
			}
			for p := range layout.Pieces() {
				if p >= half {
					if got := r.piece(p); !got.OK {
						t.Fatal(got)
					}
				}
				r.mustBeSound(p)
			}
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			r.onDisk(cfg.Dir, "x")
			r.back()
			mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
		})
	}
}

// A move to the folder that the content lies in, by whatever path, does nothing.
func TestMoveOntoItself(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir()}
	r := newRig(t, cfg, data)
	r.all()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(cfg.Dir, link); err != nil {
		t.Skip(err)
	}
	before := tree(t, cfg.Dir)
	for _, dir := range []string{cfg.Dir, cfg.Dir + "/../" + filepath.Base(cfg.Dir), link} {
		if err := r.store.Move(t.Context(), dir, nil); err != nil {
			t.Error(dir, err)
		}
	}
	if after := tree(t, cfg.Dir); after != before {
		t.Errorf("the folder was\n%s\nand is\n%s", before, after)
	}
	r.back()
}

// waitUntilCancelled returns when Close has told the arrangement that is under way to end.
func waitUntilCancelled(s *Store) {
	for {
		s.workers.mu.Lock()
		closing := s.closing
		s.workers.mu.Unlock()
		if closing {
			return
		}
	}
}
