package storage

import (
	"errors"
	"syscall"
	"testing"
)

// Content that was moved away, and whose way back fails at any step, is found from the
// folder where it lay at first.
func TestMoveBackFails(t *testing.T) {
	for _, step := range []string{"begun", "rename", "copied", "held", "synced"} {
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
			if err := r.store.Move(t.Context(), cfg.Dir, nil); !errors.Is(err, syscall.EIO) {
				t.Fatal("moved back: ", err)
			}
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
