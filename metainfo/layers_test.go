package metainfo

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// Roots are sorted whatever they have in common, and each is found; files of one
// root stay in their order.
func TestRootsAreSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, same := range []int{0, 1, 3, 4, 5, 31, 32} { // bytes in common
		for _, count := range []int{0, 1, 2, 300, 3000} {
			l := &Layout{kind: V2, PieceLength: BlockLength, Files: make([]File, count)}
			for i := range l.Files {
				l.Files[i].Length = 1
				for b := same; b < len(l.Files[i].Root); b++ {
					l.Files[i].Root[b] = byte(r.IntN(256))
				}
			}
			if err := l.plantTrees(); err != nil {
				t.Fatal(err)
			}
			want := make([]int32, count)
			for i := range want {
				want[i] = int32(i)
			}
			slices.SortStableFunc(want, func(a, b int32) int {
				return bytes.Compare(l.Files[a].Root[:], l.Files[b].Root[:])
			})
			if !slices.Equal(l.roots, want) {
				t.Errorf("%d roots with %d bytes in common are not sorted", count, same)
			}
			for i := range l.Files {
				f := l.findRoot(l.Files[i].Root[:])
				if f == noFile || l.Files[f].Root != l.Files[i].Root || l.trees[f] != l.trees[i] ||
					f > i {
					t.Fatalf("%d roots with %d bytes in common: that of file %d is found at %d",
						count, same, i, f)
				}
			}
		}
	}
}
