package metainfo

import (
	"fmt"
	"testing"
)

// TestGolden holds the hashes of a folder made by writeTree; that libtorrent
// computes the same is checked by TestSameHashAsLibtorrent.
func TestGolden(t *testing.T) {
	root := writeTree(t, "mixed", mixedTree)
	for _, tt := range []struct {
		kind Kind
		bare bool
		want string
	}{
		{V1, false, "d937551b98df3ce3cc37b81d43f2be1231abe4b7 " +
			"0000000000000000000000000000000000000000000000000000000000000000"},
		{V2, false, "0000000000000000000000000000000000000000 " +
			"7c110e309e25961b316ade37ac642973cbbb16412dbd596efb287818155aee11"},
		{Hybrid, false, "1ef7b8599898bc08d2a5a2fb152880c8fa16646f " +
			"07c0f4ea4290f8e041eddaa1de5c5dc7d1fe8ec5662b82d7d8283ac6a20b94c2"},
		{Hybrid, true, "a9e640384834b555a3e7fe8ae476392bbac8d1a9 " +
			"bfc79617a0b5273e4b57ac29ab24aadf62a70d186e8e52815ea36447590b35e4"},
	} {
		info := mustBuild(t, BuildOptions{Path: root, Kind: tt.kind, PieceLength: 32 << 10,
			NoTailPadding: tt.bare}).Info()
		v1, _ := info.HashV1()
		v2, _ := info.HashV2()
		if got := fmt.Sprint(v1, " ", v2); got != tt.want {
			t.Errorf("%v %v: got %s, want %s", tt.kind, tt.bare, got, tt.want)
		}
	}
}

// TestRootHasherAgainstDefinition compares with the tree as BEP 52 words it:
// leaves padded with zeros to a power of two, joined pairwise.
func TestRootHasherAgainstDefinition(t *testing.T) {
	for n := 1; n <= 33; n++ {
		for height := levels(n); height <= levels(n)+2; height++ {
			row := make([]Hash256, 1<<height)
			var r rootHasher
			for i := range n {
				row[i] = BlockHash([]byte{byte(i)})
				r.add(row[i])
			}
			for len(row) > 1 {
				for i := range len(row) / 2 {
					row[i] = join(&row[2*i], &row[2*i+1])
				}
				row = row[:len(row)/2]
			}
			if got := r.root(height, 0); got != row[0] {
				t.Errorf("%d leaves of %d: got %v, want %v", n, 1<<height, got, row[0])
			}
		}
	}
}

// TestLeafHasherInParts writes data in parts of every size.
func TestLeafHasherInParts(t *testing.T) {
	data := content(3, 100_001)
	var whole leafHasher
	whole.write(data)
	want := whole.root(8)
	for _, n := range []int{1, 13, 1000, BlockLength - 1, BlockLength, BlockLength + 1,
		3 * BlockLength} {
		var parts leafHasher
		for rest := data; len(rest) > 0; {
			k := min(n, len(rest))
			parts.write(rest[:k])
			rest = rest[k:]
		}
		if got := parts.root(8); got != want {
			t.Errorf("parts of %d: got %v, want %v", n, got, want)
		}
	}
}

// TestVerifierDoesNotAllocate covers one Verifier used for many pieces.
func TestVerifierDoesNotAllocate(t *testing.T) {
	p := newHashPair(t, Hybrid, 32<<10, map[string]int{"a": 100_000, "b": 5})
	var pieces [][]byte
	for i := range p.seed.Pieces() {
		pieces = append(pieces, readPiece(t, p.seed, p.dir, i))
	}
	v := p.seed.Verifier(3)
	v.Write(pieces[3])
	v.OK()
	if n := testing.AllocsPerRun(10, func() {
		for i, data := range pieces {
			v.Reset(p.seed, i)
			v.Write(data[:len(data)/2])
			v.Write(data[len(data)/2:])
			if !v.OK() {
				t.Errorf("piece %d", i)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestVerifierOverrun(t *testing.T) {
	p := newHashPair(t, V1, 16<<10, map[string]int{"a": 20_000})
	v := p.seed.Verifier(1)
	data := readPiece(t, p.seed, p.dir, 1)
	if _, err := v.Write(append(data, 0)); err == nil || v.OK() {
		t.Error("more data than the piece holds was taken")
	}
	v.Reset(p.seed, 1)
	v.Write(data[:100])
	if v.OK() {
		t.Error("a part of a piece is OK")
	}
}
