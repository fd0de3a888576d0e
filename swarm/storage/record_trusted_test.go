package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/swarm/bits"
)

// Content that was taken for whole and recorded is not hashed by the next run. Files that were
// missing or too short do not count, nor does one that has changed since.
func TestRecordOfTrustedContent(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Dir: t.TempDir(), StateDir: t.TempDir()}
	r := newRig(t, cfg, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	path := func(i int) string { return r.store.FilePath(i) }
	paths := []string{path(0), path(1)}
	r.back()
	trust := func() {
		t.Helper()
		if err := os.RemoveAll(cfg.StateDir); err != nil {
			t.Fatal(err)
		}
		served := cfg
		served.StateDir, served.ReadOnly = "", true
		r := newRig(t, served, data)
		if err := errors.Join(r.store.Trust(t.Context()),
			r.store.RecordIn(cfg.StateDir)); err != nil {
			t.Fatal(err)
		}
		r.back()
	}
	lacking := func(i int) *bits.Set {
		want := bits.Full(layout.Pieces())
		first, end := layout.FilePieces(i)
		for p := first; p < end; p++ {
			want.Remove(p)
		}
		return want
	}
	cfg.ReadOnly = true
	check := func(what string, want *bits.Set, wantHashed bool) {
		t.Helper()
		have, hashed, warned := recheck(t, cfg, data)
		if !equal(have, want) || hashed > 0 != wantHashed || warned != nil {
			t.Errorf("%s: %s, want %s; %d bytes hashed; warnings %q", what, members(have),
				members(want), hashed, warned)
		}
	}
	trust()
	check("whole", bits.Full(layout.Pieces()), false)
	if err := os.WriteFile(paths[0], make([]byte, layout.Files[0].Length), 0o600); err != nil {
		t.Fatal(err)
	}
	check("changed", lacking(0), true)
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	trust()
	check("missing", lacking(0), false)
	if err := os.WriteFile(paths[0], []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	trust()
	check("short", lacking(0), false)
	served := cfg
	served.StateDir = ""
	r = newRig(t, served, data)
	defer r.back()
	if err := r.store.RecordIn(filepath.Join(paths[1], "below a file")); err == nil ||
		errors.Is(err, fs.ErrNotExist) {
		t.Error("a record that cannot be written:", err)
	}
}
