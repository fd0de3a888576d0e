package storage

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// batchPiece is the length of pieces here: more than is read of one at a time.
const batchPiece = 64 << 10

// batchTorrent makes a torrent of files in a new folder, some with pages of zeros
// in them, and returns its layout and that folder. Most of its pieces are in
// batches, where the processor has lanes.
func batchTorrent(t *testing.T, kind metainfo.Kind, bare bool,
	sizes ...int) (*metainfo.Layout, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, n := range sizes {
		data := content(uint64(i), n)
		if i%2 == 0 && n > 4*batchPiece {
			clear(data[n/2 : n/2+2*batchPiece])
		}
		if err := os.WriteFile(filepath.Join(dir, "x", fmt.Sprintf("f%02d", i)), data,
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: filepath.Join(dir, "x"),
		Kind:        kind,
		PieceLength: batchPiece, NoTailPadding: bare})
	if err != nil {
		t.Fatal(err)
	}
	return torrent.Info().Layout(), dir
}

// soundPieces finds out in the plainest way which pieces are there: each is put
// together from its files and hashed.
func soundPieces(t *testing.T, l *metainfo.Layout, dir string) *bits.Set {
	t.Helper()
	files := make([][]byte, len(l.Files))
	for i := range l.Files {
		if l.Files[i].Pad {
			files[i] = make([]byte, l.Files[i].Length)
			continue
		}
		var err error
		files[i], err = os.ReadFile(filepath.Join(dir, l.FilePath(i)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	sound := bits.New(l.Pieces())
	for p := range l.Pieces() {
		var data []byte
		for s := range l.Spans(l.PieceOffset(p), l.PieceSize(p)) {
			if s.Offset+int64(s.Length) <= int64(len(files[s.File])) {
				data = append(data, files[s.File][s.Offset:][:s.Length]...)
			}
		}
		if l.VerifyPiece(p, data) {
			sound.Add(p)
		}
	}
	return sound
}

// harm does something to one of the files.
func harm(t *testing.T, r *rand.Rand, l *metainfo.Layout, dir string) {
	t.Helper()
	i := r.IntN(len(l.Files))
	if l.Files[i].Pad || l.Files[i].Length == 0 {
		return
	}
	path := filepath.Join(dir, l.FilePath(i))
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return // it is gone by now
	}
	at := r.IntN(len(data))
	switch r.IntN(5) {
	case 0, 1: // a wrong bit
		data[at] ^= 1 << r.IntN(8)
		err = os.WriteFile(path, data, 0o600)
	case 2: // cut short
		err = os.Truncate(path, int64(at))
	case 3: // the end becomes a hole
		if err = os.Truncate(path, int64(at)); err == nil {
			err = os.Truncate(path, int64(len(data)))
		}
	case 4:
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Check finds what is there and right, and nothing else, in torrents of many
// shapes and whatever was done to their files; also when pieces are hashed side
// by side, which most of them are.
func TestCheckInBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 15))
	w := NewWorkers(2)
	defer w.Close()
	for turn := range 6 {
		sizes := []int{40*batchPiece + r.IntN(batchPiece), r.IntN(100), r.IntN(40 * batchPiece),
			0, 17 * batchPiece}
		for range r.IntN(60) {
			sizes = append(sizes, r.IntN(2*batchPiece))
		}
		r.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
		kind := metainfo.Kind(turn % 3)
		layout, dir := batchTorrent(t, kind, turn%2 == 0, sizes...)
		for damage := range 4 {
			for range damage * 2 {
				harm(t, r, layout, dir)
			}
			s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			var done, total int64
			have, err := s.Check(t.Context(), func(d, n int64) { done, total = d, n })
			s.Close()
			if err != nil {
				t.Fatal(err)
			}
			if want := soundPieces(t, layout, dir); !equal(have, want) {
				t.Fatalf("turn %d, %v, damaged %d times: got %d of %d pieces, want %d", turn, kind,
					damage, have.Count(), layout.Pieces(), want.Count())
			}
			if done != total {
				t.Errorf("turn %d, %v: progress ended at %d of %d", turn, kind, done, total)
			}
		}
	}
}

// What cannot be read is missing, and nothing else is, though it would have been
// hashed with others side by side; a read that fails once costs nothing.
func TestCheckInBatchesReadFails(t *testing.T) {
	layout, data := makeLayout(t, "x", batchPiece, tfile{"a", 20 * batchPiece, false},
		tfile{"b", 3*batchPiece + 7, false}, tfile{"c", 60 * batchPiece, false})
	d := newMemDisk(1)
	r := memRig(t, d, nil, layout, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.all()
	for _, tt := range []struct {
		name  string
		times int // reads of b that fail
		want  int // pieces missing
	}{
		{"never", 0, 0},
		{"once", 1, 0},
		{"always", 1 << 30, 4},
	} {
		left := tt.times
		d.failIf(func(op, name string) bool {
			if op != "read" || !strings.HasSuffix(name, "b") || left == 0 {
				return false
			}
			left--
			return true
		})
		r.store.known.mu.Lock()
		r.store.known.have.Clear() // so that all is hashed again
		r.store.known.mu.Unlock()
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || layout.Pieces()-have.Count() != tt.want {
			t.Errorf("%s: got %d of %d pieces, %v", tt.name, have.Count(), layout.Pieces(), err)
		}
		for p := range tt.want {
			if have.Has(20 + p) {
				t.Errorf("%s: piece %d cannot have been read", tt.name, 20+p)
			}
		}
	}
}

// A hybrid whose two hashes say different things is found out also when that is
// one piece of a batch.
func TestCheckInBatchesConflict(t *testing.T) {
	layout, dir := batchTorrent(t, metainfo.Hybrid, true, 50*batchPiece)
	path := filepath.Join(dir, layout.FilePath(0))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []bool{false, true} {
		t.Run(fmt.Sprint("damaged ", damaged), func(t *testing.T) {
			if damaged { // of this piece neither hash agrees
				data[30*batchPiece+5] ^= 1
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := NewWorkers(2)
			defer w.Close()
			wrong := contradicting(t, path, 30)
			s, err := Open(Config{Dir: dir, Layout: wrong, Workers: w, ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Check(t.Context(), nil); errors.Is(err, ErrConflict) == damaged {
				t.Errorf("got %v", err)
			}
		})
	}
}

// contradicting makes a hybrid of the folder that the file at path is the only one
// of, with another SHA-1 for one piece. It is the same torrent whether that piece
// is damaged or not.
func contradicting(t *testing.T, path string, piece int) *metainfo.Layout {
	t.Helper()
	data := bytes.Clone(mustRead(t, path))
	whole := filepath.Join(t.TempDir(), "x")
	if err := os.Mkdir(whole, 0o700); err != nil {
		t.Fatal(err)
	}
	copy(data[piece*batchPiece:], content(0, 50*batchPiece)[piece*batchPiece:][:batchPiece])
	if err := os.WriteFile(filepath.Join(whole, filepath.Base(path)), data, 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: whole,
		Kind: metainfo.Hybrid, PieceLength: batchPiece})
	if err != nil {
		t.Fatal(err)
	}
	raw, sum := torrent.Marshal(), sha1.Sum(data[piece*batchPiece:][:batchPiece])
	at := bytes.Index(raw, sum[:])
	if at < 0 {
		t.Fatal("the hash of the piece is not in the torrent")
	}
	raw[at] ^= 1
	torrent, err = metainfo.ParseTorrent(raw)
	if err != nil {
		t.Fatal(err)
	}
	return torrent.Info().Layout()
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A check that is broken off ends before the batch does.
func TestCheckInBatchesCancelled(t *testing.T) {
	layout, dir := batchTorrent(t, metainfo.V1, true, 64*batchPiece)
	w := NewWorkers(1)
	defer w.Close()
	s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var last int64
	_, err = s.Check(ctx, func(done, _ int64) {
		last = done
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || last > 17*batchPiece {
		t.Errorf("got %v after %d bytes", err, last)
	}
}
