package metainfo

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"swarmnode/metainfo/lanes"
)

// withLanes runs f with hashing in lanes allowed or not, as if they gained so
// much.
func withLanes(allowed bool, gain int, f func()) {
	useBefore, gainBefore := useLanes, laneGain
	useLanes, laneGain = allowed && lanes.Available(), gain
	defer func() { useLanes, laneGain = useBefore, gainBefore }()
	f()
}

// randomSizes returns sizes of files around the bounds of blocks and pieces,
// from none to many pieces.
func randomSizes(r *rand.Rand, pieceLength int) map[string]int {
	sizes := make(map[string]int)
	for i := range 1 + r.IntN(40) {
		unit := []int{1, BlockLength, pieceLength, 16 * pieceLength}[r.IntN(4)]
		size := max(0, unit*r.IntN(3)+r.IntN(5)-2)
		if size > 40*pieceLength {
			size = pieceLength
		}
		sizes[fmt.Sprintf("d%d/f%02d", r.IntN(4), i)] = size
	}
	sizes["last"] = 1 + r.IntN(20*pieceLength)
	return sizes
}

// TestLanesMakeNoDifference makes torrents of many shapes with lanes and without.
func TestLanesMakeNoDifference(t *testing.T) {
	if !lanes.Available() {
		t.Skip("this processor has nothing for that")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		pieceLength := BlockLength << (i % 4)
		root := writeTree(t, "content", randomSizes(r, pieceLength))
		for _, kind := range []Kind{V1, V2, Hybrid} {
			for _, bare := range []bool{false, true} {
				opt := BuildOptions{Path: root, Kind: kind, PieceLength: pieceLength,
					NoTailPadding: bare, Workers: 1 + i%3}
				var with, without *Torrent
				withLanes(true, 1+3*(i%2), func() { with = mustBuild(t, opt) })
				withLanes(false, 1, func() { without = mustBuild(t, opt) })
				if !bytes.Equal(with.Marshal(), without.Marshal()) {
					t.Fatalf("shape %d, %v, pieces of %d: the torrents differ", i, kind,
						pieceLength)
				}
			}
		}
	}
}
