package metainfo

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo/lanes"
)

// readContent returns all of the content below dir, padding and gaps as zeros.
func readContent(t testing.TB, l *Layout, dir string) []byte {
	t.Helper()
	data := make([]byte, l.Length)
	for i := range l.Files {
		if f := &l.Files[i]; !f.Pad && f.Length > 0 {
			b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(l.FilePath(i))))
			if err != nil {
				t.Fatal(err)
			}
			copy(data[f.Offset:], b)
		}
	}
	return data
}

// agree compares a BatchVerifier with a Verifier wherever it takes pieces, with
// data as the content, and returns how many pieces it took, and found right.
func agree(t *testing.T, l *Layout, data []byte) (taken, right int) {
	t.Helper()
	var batch BatchVerifier
	var single Verifier
	buf := make([]byte, BatchBytes)
	for first := 0; first < l.Pieces(); first += 1 + first%BatchPieces {
		if !l.Batches(first, l.Pieces(), 1) {
			continue
		}
		err := batch.Verify(l, first, buf, func(p []byte, offset int64) error {
			i := int(offset / int64(l.PieceLength))
			if i < first || i >= first+BatchPieces ||
				offset+int64(len(p)) > l.PieceOffset(i)+int64(l.PieceSize(i)) {
				t.Fatalf("%d bytes at %d were asked for of the pieces from %d on", len(p), offset,
					first)
			}
			copy(p, data[offset:])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range BatchPieces {
			p := first + i
			single.Reset(l, p)
			single.Write(data[l.PieceOffset(p):][:l.PieceSize(p)])
			if batch.OK(i) != single.OK() || batch.Conflict(i) != single.Conflict() {
				t.Fatalf("piece %d of %d, in the batch from %d on: got %v and conflict %v, want "+
					"%v and %v",
					p, l.Pieces(), first, batch.OK(i), batch.Conflict(i), single.OK(),
					single.Conflict())
			}
			taken++
			if single.OK() {
				right++
			}
		}
	}
	return taken, right
}

// spoil damages the content, or a hash of either kind.
func spoil(r *rand.Rand, l *Layout, data []byte) {
	for range r.IntN(4) {
		data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	}
	for range r.IntN(2) * len(l.hashes) / 100 {
		l.hashes[r.IntN(len(l.hashes))] ^= 1 << r.IntN(8)
	}
	for _, tree := range l.trees {
		if tree != nil && tree.rows != nil && r.IntN(3) == 0 {
			tree.rows[0][r.IntN(tree.pieces)] = Hash256{byte(r.IntN(2))} // wrong, or not known
		}
	}
}

// The answers for pieces side by side are those for one after the other, whatever
// the shape of the torrent, and whatever is wrong with the data or the torrent.
func TestBatchVerifierAgrees(t *testing.T) {
	if !lanes.Available() {
		t.Skip("this processor has nothing for that")
	}
	r := rand.New(rand.NewPCG(3, 4))
	taken, right := 0, 0
	for i := range 6 {
		pieceLength := BlockLength << (i % 4)
		root := writeTree(t, "content", randomSizes(r, pieceLength))
		for _, kind := range []Kind{V1, V2, Hybrid} {
			torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind, PieceLength: pieceLength,
				NoTailPadding: i%3 == 0})
			bare, err := ParseInfo(torrent.Info().Raw()) // as by magnet link: no piece layers
			if err != nil {
				t.Fatal(err)
			}
			data := readContent(t, torrent.Info().Layout(), filepath.Dir(root))
			withLanes(true, 1+3*(i%2), func() {
				for _, l := range []*Layout{torrent.Info().Layout(), bare.Layout()} {
					for turn := range 3 {
						if turn > 0 {
							spoil(r, l, data)
						}
						n, ok := agree(t, l, data)
						taken, right = taken+n, right+ok
					}
				}
			})
		}
	}
	if right == 0 || taken == right {
		t.Errorf("%d of %d pieces were right: nothing was tried", right, taken)
	}
}

// oneFile returns a v1 layout of one file with this content.
func oneFile(t testing.TB, pieceLength int, data []byte) *Layout {
	t.Helper()
	hashes := ""
	for at := 0; at < len(data); at += pieceLength {
		sum := sha1.Sum(data[at:min(at+pieceLength, len(data))])
		hashes += string(sum[:])
	}
	info, err := ParseInfo([]byte(enc(dict{"length", len(data), "name", "x", "piece length",
		pieceLength, "pieces", hashes})))
	if err != nil {
		t.Fatal(err)
	}
	return info.Layout()
}

// Pieces of any length that is whole blocks of SHA-1 are checked side by side.
func TestBatchVerifierOddLengths(t *testing.T) {
	if !lanes.Available() {
		t.Skip("this processor has nothing for that")
	}
	for _, n := range []int{BlockLength, BlockLength + 64, laneBytes - 64, laneBytes + 64,
		3*laneBytes + 6400} {
		data := content(uint64(n), 17*n+5)
		l := oneFile(t, n, data)
		withLanes(true, 4, func() {
			if taken, right := agree(t, l, data); taken == 0 || right != taken {
				t.Errorf("pieces of %d: %d of %d are right", n, right, taken)
			}
			data[16*n] ^= 1
			if taken, right := agree(t, l, data); right >= taken {
				t.Errorf("pieces of %d: %d of %d are right, and one is damaged", n, right, taken)
			}
		})
	}
}

func TestBatches(t *testing.T) {
	if !lanes.Available() {
		t.Skip("this processor has nothing for that")
	}
	layout := func(pieceLength, n int) *Layout { return oneFile(t, pieceLength, make([]byte, n)) }
	root := writeTree(t, "content", map[string]int{"a": 20 * BlockLength})
	v2 := mustBuild(t, BuildOptions{Path: root, Kind: V2, PieceLength: BlockLength}).Info()
	bare, err := ParseInfo(v2.Raw())
	if err != nil {
		t.Fatal(err)
	}
	whole := layout(1<<16, 40<<16)
	for _, tt := range []struct {
		name                 string
		layout               *Layout
		first, left, workers int
		gain                 int
		lanes                bool
		want                 bool
	}{
		{"whole pieces", whole, 0, 40, 2, 4, true, true},
		{"the last of them", whole, 24, 16, 2, 4, true, true},
		{"beyond the end", whole, 25, 40, 2, 4, true, false},
		{"far beyond the end", whole, math.MaxInt - 40, 40, 2, 4, true, false},
		{"before the start", whole, -1, 40, 2, 4, true, false},
		{"fewer are left", whole, 0, 15, 1, 4, true, false},
		{"as many as keep all busy", whole, 0, 32, 8, 4, true, true},
		{"too few to keep all busy", whole, 0, 31, 8, 4, true, false},
		{"too few at a small gain", whole, 0, 31, 2, 1, true, false},
		{"no such processor", whole, 0, 40, 2, 4, false, false},
		{"a short last piece", layout(1<<16, 15<<16+1), 0, 16, 1, 4, true, false},
		{"small pieces", layout(1<<13, 40<<13), 0, 40, 2, 4, true, false},
		{"odd pieces", layout(1<<16+63, 40<<16), 0, 39, 2, 4, true, false},
		{"v2", v2.Layout(), 0, 20, 1, 4, true, true},
		{"v2 without gain", v2.Layout(), 0, 20, 1, 1, true, false},
		{"v2, hashes unknown", bare.Layout(), 0, 20, 1, 4, true, false},
	} {
		withLanes(tt.lanes, tt.gain, func() {
			if got := tt.layout.Batches(tt.first, tt.left, tt.workers); got != tt.want {
				t.Errorf("%s: got %v", tt.name, got)
			}
		})
	}
}

// When something cannot be read, none of the pieces counts as right, nor as a
// conflict, whatever was checked before.
func TestBatchVerifierReadFails(t *testing.T) {
	if !lanes.Available() {
		t.Skip("this processor has nothing for that")
	}
	data := content(1, 32<<16)
	l := oneFile(t, 1<<16, data)
	var v BatchVerifier
	buf := make([]byte, BatchBytes)
	failure := errors.New("no")
	for fail := range 2*BatchPieces + 1 { // at last it does not
		for i := range BatchPieces {
			if fail > 0 && v.OK(i) {
				t.Fatalf("piece %d counts as right", i)
			}
		}
		reads := 0
		err := v.Verify(l, 0, buf, func(p []byte, offset int64) error {
			reads++
			if reads > fail {
				return failure
			}
			copy(p, data[offset:])
			return nil
		})
		if want := fail < 2*BatchPieces; (err == failure) != want || err != nil != want ||
			reads != min(fail+1, 2*BatchPieces) {
			t.Fatalf("read %d fails: got %v after %d reads", fail, err, reads)
		}
	}
	for i := range BatchPieces {
		if !v.OK(i) || v.Conflict(i) {
			t.Errorf("piece %d is not right", i)
		}
	}
}

// BenchmarkBatchVerify checks pieces of 1 MiB in memory, on one core; compare
// BenchmarkVerify.
func BenchmarkBatchVerify(b *testing.B) {
	root := writeTree(b, "content", map[string]int{"a": BatchPieces << 20})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(fmt.Sprint(kind), func(b *testing.B) {
			info := mustBuild(b, BuildOptions{Path: root, Kind: kind, PieceLength: 1 << 20}).Info()
			l := info.Layout()
			if !l.Batches(0, BatchPieces, 1) {
				b.Skip("this processor has nothing for that")
			}
			data := readContent(b, l, filepath.Dir(root))
			var v BatchVerifier
			buf := make([]byte, BatchBytes)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				err := v.Verify(l, 0, buf, func(p []byte, offset int64) error {
					copy(p, data[offset:])
					return nil
				})
				if err != nil || !v.OK(0) || !v.OK(BatchPieces-1) {
					b.Fatal("not verified")
				}
			}
		})
	}
}
