package metainfo

import (
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A plainLayout maps every byte of content to its file, in the simplest way.
type plainLayout struct {
	file []int   // by byte of content; -1 for a gap
	at   []int64 // offset in the file
}

func plainOf(l *Layout) plainLayout {
	p := plainLayout{make([]int, l.Length), make([]int64, l.Length)}
	for i := range p.file {
		p.file[i] = -1
	}
	for i, f := range l.Files {
		for n := range f.Length {
			p.file[f.Offset+n], p.at[f.Offset+n] = i, n
		}
	}
	return p
}

// randomLayout builds a torrent of a few files, many of them empty or of a whole number
// of pieces.
func randomLayout(t *testing.T, rng *rand.Rand) *Layout {
	t.Helper()
	sizes := make(map[string]int)
	for i := range 1 + rng.IntN(7) {
		size := [...]int{0, 1, 16383, 16384, 16385, 32768, rng.IntN(60000)}[rng.IntN(7)]
		sizes[fmt.Sprintf("%c/%d", 'a'+rune(i%3), i)] = size
	}
	sizes["z"] = 1 + rng.IntN(40000)
	return mustBuild(t, BuildOptions{
		Path: writeTree(t, "x", sizes), Kind: Kind(rng.IntN(3)),
		PieceLength: BlockLength << rng.IntN(2), NoTailPadding: rng.IntN(2) == 0, Workers: 1,
	}).Info().Layout()
}

// Spans, FileAt, FilePieces and the sizes of pieces agree with a map of every byte.
func TestLayoutAgainstEveryByte(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		l := randomLayout(t, rng)
		if err := invariants(l); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		plain := plainOf(l)
		for range 100 {
			off := rng.Int64N(l.Length)
			n := rng.IntN(int(min(l.Length-off, 50000)) + 1)
			at := off
			for s := range l.Spans(off, n) {
				for at < off+int64(n) && plain.file[at] < 0 {
					at++
				}
				last := at + int64(s.Length) - 1
				if s.Length <= 0 || last >= off+int64(n) || plain.file[at] != s.File ||
					plain.at[at] != s.Offset || plain.file[last] != s.File {
					t.Fatalf("seed %d: %d+%d: span %+v at %d", seed, off, n, s, at)
				}
				at = last + 1
			}
			for ; at < off+int64(n); at++ {
				if plain.file[at] >= 0 {
					t.Fatalf("seed %d: %d+%d: byte %d is in no span", seed, off, n, at)
				}
			}
			if got := l.FileAt(off); plain.file[off] >= 0 && got != plain.file[off] {
				t.Fatalf("seed %d: byte %d is in file %d, want %d", seed, off, got, plain.file[off])
			}
		}
		comparePieces(t, seed, l, plain)
	}
}

// comparePieces compares what l says of its pieces and files with a map of every byte.
func comparePieces(t *testing.T, seed uint64, l *Layout, plain plainLayout) {
	t.Helper()
	pieces := make([]map[int]bool, len(l.Files)) // by file
	for i := range pieces {
		pieces[i] = make(map[int]bool)
	}
	data, content := make([]int, l.Pieces()), make([]int32, l.Pieces())
	for at, file := range plain.file {
		if file < 0 {
			continue
		}
		p := at / l.PieceLength
		pieces[file][p] = true
		if !l.Files[file].Pad {
			content[p]++
			data[p] = at%l.PieceLength + 1 // up to its last byte before padding
		}
	}
	for i := range l.Files {
		var got []int
		first, end := l.FilePieces(i)
		for p := first; p < end; p++ {
			got = append(got, p)
		}
		if len(got) != len(pieces[i]) || slices.ContainsFunc(got, func(p int) bool {
			return !pieces[i][p]
		}) {
			t.Errorf("seed %d: file %d is in the pieces %v, want %v", seed, i, got, pieces[i])
		}
	}
	for p := range l.Pieces() {
		if l.PieceSize(p) != data[p] || l.ContentSize(p) != int(content[p]) {
			t.Errorf("seed %d: piece %d has %d bytes, %d of files; want %d, %d", seed, p,
				l.PieceSize(p), l.ContentSize(p), data[p], content[p])
		}
	}
	if got := l.Parts(nil); !slices.Equal(got, content) {
		t.Errorf("seed %d: parts %v, want %v", seed, got, content)
	}
	some := make([]bool, len(l.Files))
	left := make([]int32, l.Pieces())
	for i := range some {
		some[i] = i%2 == 0
	}
	for at, file := range plain.file {
		if file >= 0 && some[file] && !l.Files[file].Pad {
			left[at/l.PieceLength]++
		}
	}
	if got := l.Parts(some); !slices.Equal(got, left) {
		t.Errorf("seed %d: parts of every other file %v, want %v", seed, got, left)
	}
}

// A Verifier takes a piece in any portions, and finds every changed bit, even if it was
// used for another piece before, whole or in part.
func TestVerifierInAnyPortions(t *testing.T) {
	for _, kind := range []Kind{V1, V2, Hybrid} {
		root := writeTree(t, "x", map[string]int{"a": 70000, "b": 20000})
		l := mustBuild(t, BuildOptions{Path: root, Kind: kind, PieceLength: 64 << 10}).
			Info().Layout()
		rng := rand.New(rand.NewPCG(uint64(kind), 9))
		var v Verifier
		for range 60 {
			p := rng.IntN(l.Pieces())
			data := readPiece(t, l, root+"/..", p)
			want := true
			switch rng.IntN(4) {
			case 0:
				data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
				want = false
			case 1:
				data = data[:rng.IntN(len(data))]
				want = false
			}
			v.Reset(l, p)
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 1+rng.IntN(30000))
				if m, err := v.Write(rest[:n]); m != n || err != nil {
					t.Fatalf("%v: piece %d: wrote %d of %d, %v", kind, p, m, n, err)
				}
				rest = rest[n:]
			}
			if got := v.OK(); got != want {
				t.Errorf("%v: piece %d with %d bytes: %v, want %v", kind, p, len(data), got, want)
			}
			if v.Conflict() {
				t.Errorf("%v: piece %d: both hashes are of one content", kind, p)
			}
			if rng.IntN(2) == 0 { // abandoned halfway
				v.Reset(l, rng.IntN(l.Pieces()))
				v.Write(data[:len(data)/2])
			}
		}
	}
}

// VerifyPiece accepts exactly the whole piece.
func TestVerifyPieceTakesWholePieces(t *testing.T) {
	root := writeTree(t, "x", map[string]int{"a": 40000})
	l := mustBuild(t, BuildOptions{Path: root, PieceLength: 16 << 10}).Info().Layout()
	for p := range l.Pieces() {
		data := readPiece(t, l, root+"/..", p)
		if !l.VerifyPiece(p, data) {
			t.Errorf("piece %d is refused", p)
		}
		for name, other := range map[string][]byte{
			"nothing": nil, "one byte less": data[:len(data)-1], "one byte more": append(data, 0),
			"all zeros": make([]byte, len(data)),
		} {
			if l.VerifyPiece(p, other) {
				t.Errorf("piece %d: %s is taken", p, name)
			}
		}
		if sum := sha1.Sum(data); string(l.hashes[p*20:(p+1)*20]) != string(sum[:]) {
			t.Errorf("piece %d has another hash in the torrent", p)
		}
	}
}
