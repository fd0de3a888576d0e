package storage

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// latePieces is the number of pieces of lateTorrent, of 32 KiB each.
const latePieces = 8

// lateTorrent makes a v2 torrent of one file, and returns its content, its layout
// as of a .torrent file, and a function that makes it as of a magnet link, which
// knows no piece layer.
func lateTorrent(t *testing.T) (data []byte, whole *metainfo.Layout, bare func() *metainfo.Layout) {
	t.Helper()
	data = content(1, latePieces*32<<10-100)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path, Kind: metainfo.V2,
		PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return data, torrent.Info().Layout(), func() *metainfo.Layout {
		info, err := metainfo.ParseInfo(torrent.Info().Raw())
		if err != nil {
			t.Fatal(err)
		}
		return info.Layout()
	}
}

// teach tells l the piece layers that whole knows.
func teach(t *testing.T, l, whole *metainfo.Layout) {
	t.Helper()
	for r := range l.NeedsHashes(0) {
		answer, ok := whole.AppendHashes(nil, r, nil)
		if !ok {
			t.Fatal("no hashes")
		}
		if err := l.AddHashes(r, answer); err != nil {
			t.Fatal(err)
		}
	}
}

// late opens a Store, checks, and returns the deferred pieces. No piece may count as had.
func (r *rig) late() *bits.Set {
	r.t.Helper()
	have, err := r.store.Check(r.t.Context(), func(done, _ int64) {
		if done > 0 {
			r.t.Error("pieces were hashed that no hash is known of")
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if !have.None() {
		r.t.Errorf("%d pieces are had, with no hash of any", have.Count())
	}
	if late := r.store.Late(); late != nil {
		return late
	}
	return bits.New(latePieces)
}

// TestLateRecord: what a record knows is neither lost nor hashed while the piece
// layers are not known, however often the node is started meanwhile.
func TestLateRecord(t *testing.T) {
	data, whole, bare := lateTorrent(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: whole, Part: true}
	r := newRig(t, cfg, data)
	want := bits.New(latePieces)
	for _, p := range []int{0, 3, latePieces - 1} {
		r.piece(p)
		want.Add(p)
	}
	r.back()
	for range 3 {
		cfg.Layout = bare()
		r = newRig(t, cfg, data)
		if late := r.late(); !equal(late, want) {
			t.Fatalf("%d pieces are put off, want %d", late.Count(), want.Count())
		}
		r.back()
	}
	cfg.Layout = bare()
	r = newRig(t, cfg, data)
	r.late()
	teach(t, cfg.Layout, whole)
	for p := range want.Members() {
		r.store.Verify(uint32(p))
		if got := <-r.results; !got.OK {
			t.Errorf("piece %d: %+v", p, got)
		}
	}
	if !equal(r.store.Have(), want) || r.store.Late() != nil ||
		!equal(r.store.known.unproven, want) {
		t.Error("the pieces are not had as the record says, to be hashed before they are read")
	}
	r.piece(1)
	want.Add(1)
	r.back()
	cfg.Layout = whole
	if have, hashed, _ := recheck(t, cfg, data); !equal(have, want) || hashed != 0 {
		t.Errorf("later %d pieces, want %d; %d bytes hashed", have.Count(), want.Count(), hashed)
	}
}

// TestLateWithoutRecord: each piece with data is hashed once its hash is known;
// a crash before that loses nothing.
func TestLateWithoutRecord(t *testing.T) {
	data, whole, bare := lateTorrent(t)
	for _, name := range []string{"file", "file" + PartSuffix} {
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Part: true}
		wrong := append([]byte(nil), data...)
		wrong[2*32<<10]++
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), wrong, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			cfg.Layout = bare()
			r := newRig(t, cfg, data)
			if late := r.late(); !late.All() {
				t.Fatalf("%d pieces are put off, want all", late.Count())
			}
			r.back()
		}
		cfg.Layout = bare()
		r := newRig(t, cfg, data)
		r.late()
		teach(t, cfg.Layout, whole)
		for p := range latePieces {
			r.store.Verify(uint32(p))
			if got := <-r.results; got.OK != (p != 2) || got.Err != nil {
				t.Errorf("piece %d: %+v", p, got)
			}
		}
		if got := r.piece(2); !got.OK {
			t.Errorf("the wrong piece cannot be replaced: %+v", got)
		}
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		r.onDisk(cfg.Dir, "file")
		r.back()
	}
}

// TestLateForeign: data under the content's own name is somebody else's if no piece of it
// is right. The outcome of the last piece says so.
func TestLateForeign(t *testing.T) {
	data, whole, bare := lateTorrent(t)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: bare(), Part: true}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "file"), content(2, len(data)),
		0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, cfg, data)
	r.late()
	teach(t, cfg.Layout, whole)
	for p := range latePieces {
		r.store.Verify(uint32(p))
		if got := <-r.results; got.OK || IsInTheWay(got.Err) != (p == latePieces-1) {
			t.Errorf("piece %d: %+v", p, got)
		}
	}
	r.back()
}

// What is there is judged as soon as the hashes are known: other data of the name of
// unfinished content is left alone and the content fetched under another, zeros are no
// other data, and complete content is only read.
func TestLateJudgesWhatIsThere(t *testing.T) {
	data, whole, bare := lateTorrent(t)
	for _, tt := range []struct {
		name, top string
		there     []byte
		own       bool // the content goes under another name
		right     int
	}{
		{"other data, unfinished", "file" + PartSuffix, content(5, len(data)), true, 0},
		{"zeros, unfinished", "file" + PartSuffix, make([]byte, len(data)), false, 0},
		{"zeros", "file", make([]byte, len(data)), false, 0},
		{"complete", "file", data, false, latePieces},
	} {
		var warned []string
		cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: bare(), Part: true,
			Hash: metainfo.Hash{3},
			Warn: func(err error) { warned = append(warned, err.Error()) }}
		path := filepath.Join(cfg.Dir, tt.top)
		if err := os.WriteFile(path, tt.there, 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, cfg, data)
		late := r.late()
		other := newRig(t, cfg, data) // nobody has locked it
		other.back()
		teach(t, cfg.Layout, whole)
		right := 0
		for p := range late.Members() {
			r.store.Verify(uint32(p))
			got := <-r.results
			if got.Err != nil {
				t.Errorf("%s: piece %d: %+v", tt.name, p, got)
			}
			if got.OK {
				right++
			}
		}
		if right != tt.right || (len(warned) > 0) != tt.own {
			t.Errorf("%s: %d pieces are right; warned of %q", tt.name, right, warned)
		}
		if right == 0 {
			r.all()
		}
		if err := r.store.Finish(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		r.back()
		if got, err := os.ReadFile(filepath.Join(cfg.Dir, "file")); err != nil ||
			!slices.Equal(got, data) {
			t.Errorf("%s: the content differs: %v", tt.name, err)
		}
		if got, err := os.ReadFile(path); tt.own && (err != nil || !slices.Equal(got, tt.there)) {
			t.Errorf("%s: what was there was changed: %v", tt.name, err)
		}
	}
}
