package storage

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// TestSelectIsNotHeld: other files are chosen while Config.Hold holds up checks, whether or
// not something was wanted before. What lies in their places is hashed at once.
func TestSelectIsNotHeld(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 32 << 10, false},
		tfile{"b", 32 << 10, false})
	for _, before := range []string{"..", "x."} {
		dir := t.TempDir()
		r := newRig(t, Config{Dir: dir, Layout: layout, Wanted: choose(before),
			Hash: metainfo.Hash{7}, Hold: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}}, data)
		if _, err := r.store.Check(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if before == "x." {
			r.piece(0)
			r.piece(1)
		} else if err := os.Mkdir(filepath.Join(dir, "x"), 0o777); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(filepath.Join(dir, "x", "b"), data[32<<10:], 0o666)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := r.store.Select(ctx, nil); err != nil {
			t.Fatalf("from %q: %v", before, err)
		}
		for _, p := range []int{2, 3} {
			if !r.store.Has(p) {
				t.Errorf("from %q: piece %d was not found", before, p)
			}
		}
	}
}

// TestSelectDuringClose: a choice of files that is made while the Store is closed leaves no
// claim of room behind, which other Stores would count.
func TestSelectDuringClose(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 32 << 10, false},
		tfile{"b", 32 << 10, false})
	var r *rig
	closes := false
	r = newRig(t, Config{Layout: layout, spaceOf: func(string) (fileSystem, int64, bool) {
		if closes {
			closes = false
			if err := r.store.Close(); err != nil {
				t.Error(err)
			}
		}
		return fileSystem{1}, 1 << 40, true
	}}, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	closes = true
	r.store.Select(t.Context(), choose("x."))
	if closes {
		t.Fatal("no room was claimed")
	}
	if n := len(r.store.workers.rooms.all); n != 0 {
		t.Errorf("%d claims of room are left", n)
	}
}
