package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// choose turns a picture of a selection, a letter for each file, into one: "x"
// is wanted, "." is not.
func choose(picture string) []bool {
	wanted := make([]bool, len(picture))
	for i := range picture {
		wanted[i] = picture[i] == 'x'
	}
	return wanted
}

func members(s *bits.Set) string {
	return strings.Trim(fmt.Sprint(slices.Collect(s.Members())), "[]")
}

func TestWantedPieces(t *testing.T) {
	files := []tfile{{"a", 10, false}, {"b", 0, false}, {"c", 20<<10 - 10, false},
		{"d", 44 << 10, false},
		{"e", 16 << 10, false}, {".pad/1", 1 << 10, true}, {"f", 5, false}}
	layout, _ := makeLayout(t, "x", 16<<10, files...)
	for _, tt := range []struct{ wanted, pieces string }{
		{"x......", "0"},
		{".x.....", ""},
		{"..x....", "0 1"},
		{"...x...", "1 2 3"},
		{"x..x...", "0 1 2 3"},
		{"....x..", "4"},
		{".....x.", ""},
		{"......x", "5"},
		{"xxxxx.x", "0 1 2 3 4 5"},
		{"xxxxxx.", "0 1 2 3 4"},
		{".......", ""},
		{"x", "0"},
		{"", ""},
	} {
		if got := members(WantedPieces(layout, choose(tt.wanted))); got != tt.pieces {
			t.Errorf("%q: pieces %s, want %s", tt.wanted, got, tt.pieces)
		}
	}
	if got := WantedPieces(layout, nil); !got.All() {
		t.Error("no selection is not all:", got.Count())
	}
	if got := fmt.Sprint(newPartTable(layout).slots); got != "[0 1]" {
		t.Error("pieces of several files:", got)
	}
}

// A choice is a torrent of which some files are chosen.
type choice struct {
	name   string
	layout *metainfo.Layout
	data   []byte
	wanted string
}

// choices returns selections over layouts of every kind.
func choices(t *testing.T) []choice {
	var all []choice
	add := func(name string, layout *metainfo.Layout, data []byte, wanted ...string) {
		for _, w := range wanted {
			if len(w) != len(layout.Files) {
				t.Fatalf("%s: %q for %d files", name, w, len(layout.Files))
			}
			all = append(all, choice{name, layout, data, w})
		}
	}
	v1 := func(name string, wanted ...string) {
		layout, data := makeLayout(t, "x", 64<<10, shapes[name]...)
		add(name, layout, data, wanted...)
	}
	v1("single", ".", "x")
	v1("folder", "x....", "....x", "..x..", "...x.", ".x...", "x...x", ".....", "xxxxx", "xx.xx")
	v1("padding", "x....", "..x..", "....x", "x.x..", "xxxx.", "x.x.x", "x...x")
	v1("tiny", "x....", "....x", "..x..", "...x.", ".x.x.", "xxx..")
	var many []tfile // in each piece
	for i := range 40 {
		many = append(many, tfile{fmt.Sprintf("d%d/%d", i%3, i), i * 321 % 7000, false})
	}
	layout, data := makeLayout(t, "x", 32<<10, many...)
	add("many", layout, data, strings.Repeat("x.", 20), strings.Repeat(".", 39)+"x",
		"x"+strings.Repeat(".", 39),
		strings.Repeat(".", 20)+"xx"+strings.Repeat(".", 18),
		strings.Repeat("x", 17)+"."+strings.Repeat("x", 22))
	for _, kind := range []metainfo.Kind{metainfo.V2, metainfo.Hybrid} {
		layout, data := builtLayout(t, kind, many[:6])
		n := len(layout.Files)
		add(kind.String(), layout, data, strings.Repeat(".", n-1)+"x", "x"+strings.Repeat(".", n-1),
			".x"+strings.Repeat(".", n-3)+"x")
	}
	return all
}

// builtLayout returns a torrent of another kind than v1, and its content.
func builtLayout(t *testing.T, kind metainfo.Kind, files []tfile) (*metainfo.Layout, []byte) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "x")
	for i, f := range files {
		path := filepath.Join(root, f.path)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, content(uint64(i)+7, 3*f.length), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: root, Kind: kind,
		PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	layout := torrent.Info().Layout()
	data := make([]byte, layout.Length)
	for i := range layout.Files {
		if f := &layout.Files[i]; !f.Pad {
			part, err := os.ReadFile(filepath.Join(append([]string{root}, f.Path...)...))
			if err != nil {
				t.Fatal(err)
			}
			copy(data[f.Offset:], part)
		}
	}
	return layout, data
}

// shared reports whether a selection needs a partfile.
func (c *choice) shared() bool {
	pieces := WantedPieces(c.layout, choose(c.wanted))
	for i := range c.layout.Files {
		if c.wanted[i] == 'x' || c.layout.Files[i].Pad {
			continue
		}
		for p, end := c.layout.FilePieces(i); p < end; p++ {
			if pieces.Has(p) {
				return true
			}
		}
	}
	return false
}

// wantedPieces downloads the pieces in some order that are wanted and not in
// have.
func (r *rig) wantedPieces(wanted []bool, have *bits.Set) {
	r.t.Helper()
	for p := range WantedPieces(r.layout, wanted).Members() {
		if have.Has(p) {
			continue
		}
		if got := r.piece(p); !got.OK {
			r.t.Fatalf("piece %d: %+v", p, got)
		}
	}
}

// readsBack reports whether all of set can be read, for upload, padding included.
func (r *rig) readsBack(set *bits.Set) {
	r.t.Helper()
	for p := range set.Members() {
		got := make([]byte, r.layout.PieceSizePadded(p))
		want := make([]byte, len(got))
		copy(want, r.data[r.layout.PieceOffset(p):])
		if err := r.store.ReadAt(got, uint32(p), 0); err != nil || !bytes.Equal(got, want) {
			r.t.Errorf("piece %d reads otherwise (%v)", p, err)
		}
	}
}

// filesBelow returns the files below dir, by path.
func filesBelow(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found[path[len(dir)+1:]] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// wantedContent returns what the download folder should hold in the end.
func (c *choice) wantedContent() map[string]string {
	want := make(map[string]string)
	for i := range c.layout.Files {
		if f := &c.layout.Files[i]; c.wanted[i] == 'x' && !f.Pad {
			want[filepath.FromSlash(c.layout.FilePath(i))] = string(
				c.data[f.Offset : f.Offset+f.Length])
		}
	}
	return want
}

func sameFiles(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name, data := range want {
		if other, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if other != data {
			t.Errorf("%s differs", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is there", name)
		}
	}
}

// A selection is downloaded, served, found again at the next start, and then
// the rest is downloaded.
func TestSelection(t *testing.T) {
	for _, c := range choices(t) {
		for _, part := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " ", c.wanted, " ", part), func(t *testing.T) {
				selectionCase(t, c, part)
			})
		}
	}
}

func selectionCase(t *testing.T, c choice, part bool) {
	wanted := choose(c.wanted)
	pieces := WantedPieces(c.layout, wanted)
	cfg := Config{Dir: t.TempDir(), StateDir: filepath.Join(t.TempDir(), "state"), Layout: c.layout,
		Wanted: wanted,
		Part:   part, Hash: metainfo.Hash{1, 2}}
	path := partfilePath(cfg)
	r := newRig(t, cfg, c.data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || !have.None() {
		t.Fatal("at first:", have.Count(), err)
	}
	r.wantedPieces(wanted, have)
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := r.store.Paths(), filepath.Join(cfg.Dir, "x"); len(got) != 1 || got[0] != want {
		t.Error("Paths:", got)
	}
	r.readsBack(pieces)
	r.back()
	sameFiles(t, filesBelow(t, cfg.Dir), c.wantedContent())
	if _, err := os.Lstat(path); (err == nil) != c.shared() {
		t.Error("partfile:", err)
	}
	for range 2 {
		have, hashed, warned := recheck(t, cfg, c.data)
		if !equal(have, pieces) || hashed != 0 || warned != nil {
			t.Errorf("again: %d pieces, want %d; %d bytes hashed; %q", have.Count(), pieces.Count(),
				hashed, warned)
		}
	}
	r = newRig(t, cfg, c.data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.readsBack(pieces)
	if err := r.store.Finish(); err != nil {
		t.Error("Finish once more:", err)
	}
	r.back()

	cfg.Wanted = nil
	have, hashed, warned := recheck(t, cfg, c.data)
	if !equal(have, pieces) || hashed != 0 || warned != nil {
		t.Errorf("all wanted: %d pieces, want %d; %d bytes hashed; %q", have.Count(),
			pieces.Count(), hashed, warned)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the partfile is still there")
	}
	r = newRig(t, cfg, c.data)
	if have, err = r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.readsBack(pieces)
	r.wantedPieces(nil, have)
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.back()
	c.wanted = strings.Repeat("x", len(c.wanted))
	sameFiles(t, filesBelow(t, cfg.Dir), c.wantedContent())
}
