//go:build unix

package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// errKilled ends a move as the death of its process would: what is on disk stays.
var errKilled = errors.New("killed")

// stopAt returns a hook that panics at a step of a move, so that nothing is undone.
func stopAt(step string, force func(step string) error) func(step string) error {
	return func(now string) error {
		if now == step {
			panic(errKilled)
		}
		if force != nil {
			return force(now)
		}
		return nil
	}
}

// dieMoving moves content and stops at the step where the hook of cfg panics.
func dieMoving(t *testing.T, r *rig, to string) {
	t.Helper()
	defer func() {
		if got := recover(); got != errKilled {
			t.Fatalf("the move did not get so far: %v", got)
		}
		r.back()
	}()
	t.Error(r.store.Move(t.Context(), to, nil))
}

// A folder of the content that is a link leads to files of somebody else. They are copied and
// stay; the link goes.
func TestMoveFolderLinkWithin(t *testing.T) {
	for way, force := range moveWays {
		t.Run(way, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 50_000, false},
				tfile{"b/c", 70_000, false})
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
				moving: force}
			putContent(t, cfg.Dir, "x", layout, data)
			err := errors.Join(os.Mkdir(filepath.Join(cfg.Dir, "other"), 0o700),
				os.Rename(filepath.Join(cfg.Dir, "x", "b"), filepath.Join(cfg.Dir, "other", "b")),
				os.Symlink("../other/b", filepath.Join(cfg.Dir, "x", "b")))
			if err != nil {
				t.Skip(err)
			}
			r := newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			r.onDisk(to, "x")
			sameFiles(t, filesBelow(t, cfg.Dir), map[string]string{
				"other/b/c": string(data[50_000:])})
			r.back()
			mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
		})
	}
}

// After a crash the user makes the old folder a link to the new one. Nothing is removed.
func TestMoveThenLinkTheFolders(t *testing.T) {
	for _, way := range []string{"rename", "copy"} {
		for shape, files := range shapes {
			t.Run(way+"/"+shape, func(t *testing.T) {
				layout, data := makeLayout(t, "x", 32<<10, files...)
				above := t.TempDir()
				cfg := Config{Layout: layout, Part: true, Dir: filepath.Join(above, "old"),
					StateDir: t.TempDir(), moving: stopAt("switched", moveWays[way])}
				r := newRig(t, cfg, data)
				r.all()
				if err := r.store.Finish(); err != nil {
					t.Fatal(err)
				}
				to := filepath.Join(above, "new")
				dieMoving(t, r, to)
				cfg.moving = nil
				err := errors.Join(os.RemoveAll(cfg.Dir), os.Symlink("new", cfg.Dir))
				if err != nil {
					t.Skip(err)
				}
				before := filesBelow(t, to)
				newRig(t, cfg, data).back()
				sameFiles(t, filesBelow(t, to), before)
			})
		}
	}
}

// What is written at the new place as soon as that is allowed does not keep the original.
func TestMoveWrittenAtOnce(t *testing.T) {
	for _, way := range []string{"link", "copy", "copy of empty files"} {
		t.Run(way, func(t *testing.T) {
			force, empty := moveWays[way], false
			if force == nil {
				force, empty = forceCopy, true
			}
			layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
			var r *rig
			cfg.moving = func(step string) error {
				if step == "removing" {
					if got := r.piece(1); !got.OK {
						t.Error(got)
					}
				}
				return force(step)
			}
			r = newRig(t, cfg, data)
			if _, err := r.store.Check(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if !empty {
				if got := r.piece(0); !got.OK {
					t.Fatal(got)
				}
			}
			setTimes(t, cfg.Dir)
			to := t.TempDir()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			sameFiles(t, filesBelow(t, cfg.Dir), nil)
			r.back()
		})
	}
}

// Files of others in the folder of the content stay there, and the content is found from the
// old folder all the same.
func TestMoveLeavesOthersAndIsFound(t *testing.T) {
	for way, force := range moveWays {
		t.Run(way, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
				moving: force}
			r := newRig(t, cfg, data)
			r.all()
			err := errors.Join(r.store.Finish(),
				os.WriteFile(filepath.Join(cfg.Dir, "x", "of others"), []byte("stays"), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			sameFiles(t, filesBelow(t, cfg.Dir), map[string]string{"x/of others": "stays"})
			r.onDisk(to, "x")
			r.back()
			for range 2 {
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
			}
		})
	}
}

// A move that had hardly begun is undone even if something else has got the name there since.
func TestMoveNameTakenAfterCrash(t *testing.T) {
	for shape, files := range shapes {
		for _, step := range []string{"begun", "link"} {
			t.Run(shape+"/"+step, func(t *testing.T) {
				layout, data := makeLayout(t, "x", 32<<10, files...)
				cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
				to, begun := t.TempDir(), 0
				cfg.moving = func(now string) error {
					if now == "begun" {
						begun++
					}
					if now == step && begun == 2 {
						panic(errKilled)
					}
					return forceCopy(now)
				}
				r := newRig(t, cfg, data)
				r.all()
				if err := r.store.Finish(); err != nil {
					t.Fatal(err)
				}
				dieMoving(t, r, to)
				cfg.moving = nil
				before := filesBelow(t, cfg.Dir)
				other := filepath.Join(to, "x")
				if err := errors.Join(removeStaged(to),
					makeOther(other, layout.Multi)); err != nil {
					t.Fatal(err)
				}
				there := filesBelow(t, to)
				mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
				sameFiles(t, filesBelow(t, cfg.Dir), before)
				sameFiles(t, filesBelow(t, to), there)
			})
		}
	}
}

// A file that another torrent has as well stays, also if the process dies and the next one
// does not know the other torrent yet.
func TestMoveKeepsSharedAfterCrash(t *testing.T) {
	for way, force := range moveWays {
		t.Run(way, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 50_000, false},
				tfile{"b/c", 70_000, false})
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
			shared := filepath.Join(cfg.Dir, "x", "b", "c")
			cfg.Beside = func(string) func(string) bool {
				return func(path string) bool { return path == shared }
			}
			cfg.moving = stopAt("switched", force)
			r := newRig(t, cfg, data)
			r.all()
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			dieMoving(t, r, to)
			cfg.moving, cfg.Beside = nil, nil
			r = newRig(t, cfg, data)
			if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
				t.Errorf("found %s: %v", members(have), err)
			}
			r.onDisk(to, "x")
			r.back()
			sameFiles(t, filesBelow(t, cfg.Dir), map[string]string{"x/b/c": string(data[50_000:])})
		})
	}
}

// removeStaged removes what was copied.
func removeStaged(dir string) error {
	staged, err := filepath.Glob(filepath.Join(dir, "*"+stagingSuffix))
	for _, name := range staged {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// makeOther makes a file, or a folder with one.
func makeOther(name string, folder bool) error {
	if !folder {
		return os.WriteFile(name, []byte("of others"), 0o600)
	}
	return errors.Join(os.Mkdir(name, 0o700),
		os.WriteFile(filepath.Join(name, "of others"), []byte("of others"), 0o600))
}

// Two nodes move the same torrent to one folder: one of them gets there, and neither loses
// anything.
func TestMoveTwoToOnePlace(t *testing.T) {
	for shape, files := range shapes {
		t.Run(shape, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, files...)
			to := t.TempDir()
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
				moving: forceCopy}
			other := newRig(t, cfg, data)
			other.all()
			cfg.Dir, cfg.StateDir = t.TempDir(), t.TempDir()
			once := false
			cfg.moving = func(step string) error {
				if step == "copied" && !once {
					once = true
					if err := other.store.Move(t.Context(), to, nil); !errors.Is(err, ErrInUse) {
						t.Errorf("the second move: %v", err)
					}
				}
				return forceCopy(step)
			}
			r := newRig(t, cfg, data)
			r.all()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			for p := range layout.Pieces() {
				r.mustBeSound(p)
				other.mustBeSound(p)
			}
			r.back()
			other.back()
		})
	}
}

// A Store whose Check found that something else lies there removes nothing of it.
func TestRemoveForeign(t *testing.T) {
	for shape, files := range shapes {
		t.Run(shape, func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, files...)
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
			putContent(t, cfg.Dir, "x", layout, content(99, len(data)))
			before := filesBelow(t, cfg.Dir)
			r := newRig(t, cfg, data)
			_, err := r.store.Check(t.Context(), nil)
			t.Log(err)
			r.back()
			if err := r.store.Remove(nil); err != nil {
				t.Error(err)
			}
			sameFiles(t, filesBelow(t, cfg.Dir), before)
		})
		t.Run(shape+"/unchecked", func(t *testing.T) {
			layout, data := makeLayout(t, "x", 32<<10, files...)
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
			putContent(t, cfg.Dir, "x", layout, content(99, len(data)))
			before := filesBelow(t, cfg.Dir)
			r := newRig(t, cfg, data)
			r.back()
			if err := r.store.Remove(nil); err != nil {
				t.Error(err)
			}
			sameFiles(t, filesBelow(t, cfg.Dir), before)
		})
	}
}

// setTimes makes all files look as if they were last changed long ago.
func setTimes(t *testing.T, dir string) {
	t.Helper()
	for name := range filesBelow(t, dir) {
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
}
