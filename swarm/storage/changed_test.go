package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// Complete content that is changed while it is served: what is right is still
// read, what is not is an error and no longer there, and the next start hashes
// what was changed. What was fetched can be fetched again.
func TestChangedWhileServed(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 40 << 10, false},
		tfile{"b", 64 << 10, false})
	for _, tt := range []struct {
		name   string
		change func(path string) error
		lost   []int // pieces that cannot be read any more
	}{
		{"not at all", func(string) error { return nil }, nil},
		{"touched", func(p string) error {
			return os.Chtimes(p, time.Time{}, time.Now().Add(time.Hour))
		}, nil},
		{"overwritten", func(p string) error { return overwrite(p, 30<<10) }, []int{4}},
		{"overwritten in two pieces", func(p string) error {
			return errors.Join(overwrite(p, 0), overwrite(p, 30<<10))
		}, []int{2, 4}},
		{"overwritten with what was there", func(p string) error {
			f, err := os.OpenFile(p, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(data[40<<10:][:100], 0)
			return errors.Join(err, f.Close())
		}, nil},
		{"shortened", func(p string) error { return os.Truncate(p, 20<<10) }, []int{3, 4, 5, 6}},
	} {
		for _, readOnly := range []bool{false, true} {
			cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout}
			r := newRig(t, cfg, data)
			r.all()
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			if readOnly {
				r.back()
				cfg.ReadOnly = true
				r = newRig(t, cfg, data)
				if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
					t.Fatal(have, err)
				}
			}
			r.readsAll(t, tt.name+" before", nil)
			if err := tt.change(filepath.Join(cfg.Dir, "x", "b")); err != nil {
				t.Fatal(err)
			}
			r.readsAll(t, tt.name, tt.lost)
			if !readOnly && len(tt.lost) > 0 {
				r.mends(t, tt.name, tt.lost)
			}
			r.back()
			want := bits.Full(layout.Pieces())
			if readOnly {
				for _, p := range tt.lost {
					want.Remove(p)
				}
			}
			if have, _, warned := recheck(t, cfg, data); !equal(have, want) || warned != nil {
				t.Errorf("%s: the next start finds %s, want %s; warnings %q", tt.name,
					members(have), members(want), warned)
			}
		}
	}
}

// readsAll reads every piece twice, since several reads of one may have been
// asked for before it was known to be lost, and wants all but those of lost to be
// right.
func (r *rig) readsAll(t *testing.T, name string, lost []int) {
	t.Helper()
	gone := bits.New(r.layout.Pieces())
	for _, p := range lost {
		gone.Add(p)
	}
	for i := range 2 * r.layout.Pieces() {
		p := i / 2
		got := make([]byte, r.layout.PieceSize(p))
		err := r.store.ReadAt(got, uint32(p), 0)
		switch {
		case gone.Has(p) && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrShort):
			t.Errorf("%s: piece %d, which is not there, was read: %v", name, p, err)
		case !gone.Has(p) && (err != nil || !r.layout.VerifyPiece(p, got)):
			t.Errorf("%s: piece %d: %v, or other data", name, p, err)
		}
	}
}

// mends fetches what was lost once more, and finishes again.
func (r *rig) mends(t *testing.T, name string, lost []int) {
	t.Helper()
	for _, p := range lost { // as the core does after a read that failed
		r.store.Verify(uint32(p))
		if got := <-r.results; got.OK {
			t.Errorf("%s: piece %d is right", name, p)
		}
		if got := r.piece(p); !got.OK {
			t.Errorf("%s: piece %d again: %+v", name, p, got)
		}
	}
	err := r.store.Finish()
	if errors.Is(err, ErrChanged) { // so all of that file is hashed
		for p := range r.layout.Pieces() {
			r.store.Verify(uint32(p))
			if got := <-r.results; !got.OK {
				t.Errorf("%s: piece %d afterwards: %+v", name, p, got)
			}
		}
		err = r.store.Finish()
	}
	if err != nil {
		t.Errorf("%s: Finish: %v", name, err)
	}
	r.readsAll(t, name+", mended", nil)
	r.onDisk(r.store.names.disk.path(""), "x")
}

// The download folder is removed while it is written to: nothing counts as safe
// any more, and the end says why.
func TestFolderRemoved(t *testing.T) {
	for name, files := range map[string][]tfile{"one": {{"", 200_000, false}},
		"many": {{"a", 90_000, false}, {"b/c", 110_000, false}}} {
		layout, data := makeLayout(t, "x", 32<<10, files...)
		cfg := Config{Dir: filepath.Join(t.TempDir(), "down"), StateDir: t.TempDir(),
			Layout: layout, Part: true}
		r := newRig(t, cfg, data)
		if got := r.piece(0); !got.OK {
			t.Fatal(got)
		}
		if err := os.RemoveAll(cfg.Dir); err != nil {
			t.Fatal(err)
		}
		for p := 1; p < layout.Pieces(); p++ {
			if got := r.piece(p); !got.OK && !errors.Is(got.Err, fs.ErrNotExist) {
				t.Errorf("%s: piece %d: %+v", name, p, got)
			}
			for len(r.results) > 0 {
				<-r.results // of the Verify after a failed write
			}
		}
		own := (*Error)(nil)
		if err := r.store.Finish(); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &own) {
			t.Errorf("%s: Finish: %v", name, err)
		}
		r.back()
		if have, _, _ := recheck(t, cfg, data); !have.None() {
			t.Errorf("%s: the next start finds %s", name, members(have))
		}
	}
}
