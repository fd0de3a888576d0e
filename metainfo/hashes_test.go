package metainfo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

// hashPair is a seed, which has all files below dir, and a peer that knows
// only the info dictionary.
type hashPair struct {
	seed, peer *Layout
	dir        string
}

func newHashPair(t testing.TB, kind Kind, pieceLength int, sizes map[string]int) hashPair {
	root := writeTree(t, "content", sizes)
	torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind, PieceLength: pieceLength})
	info, err := ParseInfo(torrent.Info().Raw())
	if err != nil {
		t.Fatal(err)
	}
	return hashPair{torrent.Info().Layout(), info.Layout(), filepath.Dir(root)}
}

// contentDir returns the folder below which the content lies that root was made
// of: for whoever reads it, a v2 torrent of a folder with one file is that file.
func contentDir(l *Layout, root string) string {
	if !l.Multi {
		return root
	}
	return filepath.Dir(root)
}

func (p hashPair) leaves(t testing.TB) func(int) ([]Hash256, bool) {
	return func(piece int) ([]Hash256, bool) {
		return BlockHashes(readPiece(t, p.seed, p.dir, piece)), true
	}
}

// exchange lets the peer ask for all layers.
func (p hashPair) exchange(t *testing.T) (requests int) {
	t.Helper()
	for f := range p.peer.Files {
		for r := range p.peer.NeedsHashes(f) {
			requests++
			answer, ok := p.seed.AppendHashes(nil, r, p.leaves(t))
			if !ok {
				t.Fatalf("file %d: %+v rejected", f, r)
			}
			for at := 0; at < len(answer); at += 32 * max(1, len(answer)/32/4) {
				wrong := bytes.Clone(answer)
				wrong[at] ^= 1
				if err := p.peer.AddHashes(r, wrong); err == nil {
					t.Fatalf("file %d: %+v: a wrong hash %d was taken", f, r, at/32)
				}
			}
			if err := p.peer.AddHashes(r, answer[:len(answer)-32]); err == nil {
				t.Fatal("too few hashes were taken")
			}
			if err := p.peer.AddHashes(r, answer); err != nil {
				t.Fatalf("file %d: %+v: %v", f, r, err)
			}
		}
	}
	return requests
}

func TestHashExchange(t *testing.T) {
	const kib = 1 << 10
	for _, tt := range []struct {
		pieceLength int
		sizes       map[string]int
		requests    int
	}{
		{16 * kib, map[string]int{"a": 16 * kib, "b": 1}, 0},
		{16 * kib, map[string]int{"a": 16*kib + 1}, 1},
		{16 * kib, map[string]int{"a": 7 * 16 * kib, "b": 5, "c": 33 * kib}, 2},
		{32 * kib, map[string]int{"a": 300_000, "b": 32 * kib, "c": 20 * kib}, 1},
		{64 * kib, map[string]int{"a": 64*kib + 1}, 1},
		{16 * kib, map[string]int{"a": 512 * 16 * kib}, 1},
		{16 * kib, map[string]int{"a": 513 * 16 * kib}, 2},
		{16 * kib, map[string]int{"a": 1300*16*kib - 5}, 3},
	} {
		t.Run(fmt.Sprint(tt.pieceLength, tt.sizes), func(t *testing.T) {
			p := newHashPair(t, V2, tt.pieceLength, tt.sizes)
			if got := p.exchange(t); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			checkLayout(t, p.peer, contentDir(p.peer, filepath.Join(p.dir, "content")))
			if got := p.exchange(t); got != 0 {
				t.Errorf("%d requests once everything is known", got)
			}
			// What was learnt can be passed on, and written.
			next := hashPair{seed: p.peer, peer: newPeer(t, p), dir: p.dir}
			next.exchange(t)
			if a, b := p.seed.appendLayers(nil), next.peer.appendLayers(nil); !bytes.Equal(a, b) {
				t.Error("layers differ after two hops")
			}
		})
	}
}

func newPeer(t *testing.T, p hashPair) *Layout {
	t.Helper()
	l := *p.seed
	l.trees, l.roots = nil, nil
	if err := l.plantTrees(); err != nil {
		t.Fatal(err)
	}
	return &l
}

func TestUnknownLayerVerifiesNothing(t *testing.T) {
	p := newHashPair(t, V2, 16<<10, map[string]int{"a": 100_000, "b": 16 << 10})
	for i := range p.peer.Pieces() {
		single := i == p.peer.Pieces()-1
		if got := p.peer.CanVerify(i); got != single {
			t.Errorf("piece %d: CanVerify %v", i, got)
		}
		if got := p.peer.VerifyPiece(i, readPiece(t, p.seed, p.dir, i)); got != single {
			t.Errorf("piece %d: verified %v", i, got)
		}
	}
}

// TestBlockHashes finds the wrong blocks of a piece by the hashes that a peer
// proves.
func TestBlockHashes(t *testing.T) {
	const kib = 1 << 10
	for _, tt := range []struct{ pieceLength, size, requests int }{
		{16 * kib, 100_000, 0},
		{32 * kib, 20 * kib, 1},
		{64 * kib, 50_000, 1},
		{64 * kib, 200_000, 1},
		{128 * kib, 128*kib + 17, 1},
		{16 << 20, 9 << 20, 2},
		{16 << 20, 17 << 20, 2},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			p := newHashPair(t, Hybrid, tt.pieceLength, map[string]int{"a": tt.size, "b": 3})
			p.exchange(t)
			data := readPiece(t, p.seed, p.dir, 0)
			want := BlockHashes(data)
			var got []Hash256
			n := 0
			for r := range p.peer.NeedsBlockHashes(0) {
				n++
				answer, ok := p.seed.AppendHashes(nil, r, p.leaves(t))
				if !ok {
					t.Fatalf("%+v rejected", r)
				}
				if err := p.peer.CheckHashes(r, answer); err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				for i := range int(r.Length) {
					got = append(got, Hash256(answer[i*32:]))
				}
				answer[5] ^= 1
				if err := p.peer.CheckHashes(r, answer); err == nil {
					t.Fatal("a wrong hash was taken")
				}
			}
			if n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			if n > 0 && !equalPrefix(got, want) {
				t.Error("the proven hashes are not those of the blocks")
			}
		})
	}
}

func equalPrefix(got, want []Hash256) bool {
	if len(got) < len(want) {
		return false
	}
	for i := range want {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

// TestHashRangesOfEveryShape asks for every range that lies in a tree, and
// proves each answer by the root.
func TestHashRangesOfEveryShape(t *testing.T) {
	p := newHashPair(t, V2, 64<<10, map[string]int{"a": 11*(64<<10) + 40_000})
	tree := p.seed.trees[0]
	height := tree.base + tree.height
	for base := range height {
		for length := 1; length <= 1<<(height-base); length *= 2 {
			for index := 0; index < 1<<(height-base); index += length {
				r := HashRange{tree.hash, uint32(base), uint32(index), uint32(length),
					uint32(height - base - 1)}
				answer, ok := p.seed.AppendHashes(nil, r, p.leaves(t))
				if !ok {
					t.Fatalf("%+v rejected", r)
				}
				run, uncles, err := r.split(answer)
				if err != nil {
					t.Fatal(err)
				}
				var sub rootHasher
				for _, h := range run {
					sub.add(h)
				}
				path := climb(sub.root(r.levels(), base), index/length, uncles)
				if path[len(path)-1] != tree.hash {
					t.Fatalf("%+v: does not lead to the root", r)
				}
			}
		}
	}
}

func TestHashRangesOutside(t *testing.T) {
	p := newHashPair(t, V2, 32<<10, map[string]int{"a": 300_000, "b": 100})
	root := p.seed.trees[0].hash // 10 pieces of 2 blocks: levels 0 to 5
	for _, r := range []HashRange{
		{},
		{Root: root},
		{Root: root, Length: 3},
		{Root: root, Length: 2, Index: 1},
		{Root: root, Length: 2, Index: 32},
		{Root: root, Length: 64},
		{Root: root, Length: 1 << 31, Index: 1 << 31},
		{Root: root, Length: 2, Proof: 5},
		{Root: root, Length: 2, Proof: 1<<32 - 1},
		{Root: root, Length: 1, Base: 5},
		{Root: root, Length: 2, Base: 1<<32 - 1},
		{Root: p.seed.trees[1].hash, Length: 2},
		{Root: [32]byte{1}, Length: 2},
	} {
		if answer, ok := p.seed.AppendHashes(nil, r, p.leaves(t)); ok || len(answer) != 0 {
			t.Errorf("%+v was answered", r)
		}
		if err := p.peer.AddHashes(r, nil); err == nil {
			t.Errorf("%+v was taken", r)
		}
		if err := p.peer.CheckHashes(r, nil); err == nil {
			t.Errorf("%+v was checked", r)
		}
	}
	good := HashRange{Root: root, Base: 0, Index: 0, Length: 2, Proof: 0}
	for name, leaves := range map[string]func(int) ([]Hash256, bool){
		"absent":   func(int) ([]Hash256, bool) { return nil, false },
		"empty":    func(int) ([]Hash256, bool) { return nil, true },
		"too many": func(int) ([]Hash256, bool) { return make([]Hash256, 9), true },
		"wrong":    func(int) ([]Hash256, bool) { return make([]Hash256, 2), true },
	} {
		if _, ok := p.seed.AppendHashes(nil, good, leaves); ok {
			t.Errorf("%s leaves were served", name)
		}
	}
	if _, ok := p.seed.AppendHashes(nil, good, p.leaves(t)); !ok {
		t.Error("a good request was rejected")
	}
}

func TestConflictOfHybrid(t *testing.T) {
	p := newHashPair(t, Hybrid, 16<<10, map[string]int{"a": 100_000, "b": 3})
	l := *p.seed
	l.hashes = bytes.Clone(l.hashes)
	l.hashes[3] ^= 1
	v := l.Verifier(0)
	v.Write(readPiece(t, p.seed, p.dir, 0))
	if v.OK() || !v.Conflict() {
		t.Errorf("OK %v, Conflict %v", v.OK(), v.Conflict())
	}
	v.Reset(&l, 1)
	v.Write(readPiece(t, p.seed, p.dir, 1))
	if !v.OK() || v.Conflict() {
		t.Errorf("OK %v, Conflict %v", v.OK(), v.Conflict())
	}
}

// FuzzHashRange sends any range with any hashes: nothing that is not the true
// answer may be taken.
func FuzzHashRange(f *testing.F) {
	p := newHashPair(f, V2, 32<<10, map[string]int{"a": 300_000, "b": 20_000})
	var blocks [][]Hash256
	for i := range p.seed.Pieces() {
		blocks = append(blocks, BlockHashes(readPiece(f, p.seed, p.dir, i)))
	}
	seedLeaves := func(piece int) ([]Hash256, bool) { return blocks[piece], true }
	for i := range p.seed.Files {
		for r := range p.peer.NeedsHashes(i) {
			answer, _ := p.seed.AppendHashes(nil, r, seedLeaves)
			f.Add(uint8(i), r.Base, r.Index, r.Length, r.Proof, answer)
		}
		first, _ := p.seed.FilePieces(i)
		for r := range p.seed.NeedsBlockHashes(first) {
			answer, _ := p.seed.AppendHashes(nil, r, seedLeaves)
			f.Add(uint8(i), r.Base, r.Index, r.Length, r.Proof, answer)
		}
	}
	f.Fuzz(func(t *testing.T, file uint8, base, index, length, proof uint32, hashes []byte) {
		r := HashRange{p.seed.Files[file%2].Root, base, index, length, proof}
		answer, ok := p.seed.AppendHashes(nil, r, seedLeaves)
		if ok && len(answer) != 32*(int(length)+r.uncles()) {
			t.Errorf("%+v: answer of %d bytes", r, len(answer))
		}
		l := *p.peer
		l.trees, l.roots = nil, nil
		if err := l.plantTrees(); err != nil {
			t.Fatal(err)
		}
		if l.AddHashes(r, hashes) == nil && (!ok || !bytes.Equal(answer, hashes)) {
			t.Errorf("%+v: took %x, the answer is %x", r, hashes, answer)
		}
		if p.seed.CheckHashes(r, hashes) == nil && (!ok || !bytes.Equal(answer, hashes)) {
			t.Errorf("%+v: proved %x, the answer is %x", r, hashes, answer)
		}
	})
}
