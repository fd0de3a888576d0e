//go:build unix

package storage

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// Content that was moved away, and whose way back fails at any step, is found from the
// folder where it lay at first.
func TestMoveBackFails(t *testing.T) {
	for _, step := range []string{"early", "begun", "rename", "copied", "held", "synced"} {
		t.Run(step, func(t *testing.T) {
			failing := false
			layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
			cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
				moving: func(at string) error {
					switch {
					case failing && at == step:
						return syscall.EIO
					case step != "rename":
						return forceCopy(at)
					}
					return nil
				}}
			r := newRig(t, cfg, data)
			r.all()
			have := r.store.Have()
			away := t.TempDir()
			if err := r.store.Move(t.Context(), away, nil); err != nil {
				t.Fatal(err)
			}
			failing = true
			ctx, cancel := context.WithCancel(t.Context())
			want := error(syscall.EIO)
			if step == "early" { // before anything has begun
				cancel()
				want = context.Canceled
			}
			if err := r.store.Move(ctx, cfg.Dir, nil); !errors.Is(err, want) {
				t.Fatal("moved back: ", err)
			}
			cancel()
			failing = false
			r.back()
			r = mustFind(t, cfg, data, have) // from the first folder
			if r.store.Dir() != away {
				t.Errorf("it lies in %s, want %s", r.store.Dir(), away)
			}
			if err := r.store.Move(t.Context(), cfg.Dir, nil); err != nil {
				t.Error(err)
			}
			r.back()
			mustFind(t, cfg, data, have).back()
			cfg.Dir = away
			mustFind(t, cfg, data, have).back()
		})
	}
}

// A crash in the middle of undoing a move back, when one of its two notes is gone, changes
// nothing: the move is undone once more.
func TestMoveBackIsUndoneTwice(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir(),
		moving: forceCopy}
	notes, away := cfg.notes(), t.TempDir()
	var moving *placeNote // about the folder that content is moved back from
	cfg.moving = func(step string) error {
		if note, err := notes.read(away); err == nil && note.moves() && step == "copied" {
			moving = note
			return syscall.EIO
		}
		return forceCopy(step)
	}
	r := newRig(t, cfg, data)
	notes = r.store.cfg.notes()
	r.all()
	have := r.store.Have()
	if err := r.store.Move(t.Context(), away, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Move(t.Context(), cfg.Dir, nil); !errors.Is(err, syscall.EIO) {
		t.Fatal("moved back: ", err)
	}
	r.back()
	if err := notes.write(away, moving); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r = mustFind(t, cfg, data, have) // from the first folder
		if r.store.Dir() != away {
			t.Errorf("it lies in %s, want %s", r.store.Dir(), away)
		}
		r.back()
	}
}
