package storage

import (
	"errors"
	"sync"
	"syscall"
	"testing"
)

// A piece of complete content that has to be replaced while the content moves is written:
// the lock of the move is no other Store's. Afterwards the content is locked as ever.
func TestWriteWhileCompleteContentMoves(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 40 << 10, false},
		tfile{"b", 64 << 10, false})
	for _, when := range []string{"begun", "copied"} { // before a rename, while it is copied
		t.Run(when, func(t *testing.T) {
			var r *rig
			var once sync.Once
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
			cfg.moving = func(at string) error {
				if at == when {
					once.Do(func() {
						if got := r.piece(4); !got.OK || got.Err != nil {
							t.Errorf("a piece while the content moves: %+v", got)
						}
					})
				}
				if at == "rename" && when == "copied" {
					return syscall.EXDEV
				}
				return nil
			}
			r = newRig(t, cfg, data)
			r.all()
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			if err := r.store.Move(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			if lock, err := r.store.disk.lock("x", lockWrite); !errors.Is(err, ErrInUse) {
				closeLock(lock)
				t.Errorf("the content is not locked at its new place: %v", err)
			}
			if err := r.store.Finish(); err != nil {
				t.Error(err)
			}
			r.onDisk(to, "x")
		})
	}
}
