package bits_test

import (
	"fmt"
	"slices"

	"swarmnode/swarm/bits"
)

// The bitfield of a peer in a torrent of ten pieces.
func ExampleFromWire() {
	have, err := bits.FromWire([]byte{0b1010_0000, 0b0100_0000}, 10)
	fmt.Println(slices.Collect(have.Members()), err)

	_, err = bits.FromWire([]byte{0xff}, 10)
	fmt.Println(err)

	have, err = bits.FromWire([]byte{0xff, 0xff}, 10)
	fmt.Println(have.Count(), err)
	// Output:
	// [0 2 9] <nil>
	// bitfield has the wrong length
	// 10 bitfield has spare bits set
}

// A Set of the pieces that are on disk, and a walk over those that are missing.
func ExampleSet() {
	have := bits.New(8)
	for _, piece := range []int{0, 1, 4, 7} {
		have.Add(piece)
	}
	for p := have.NextMissing(0); p >= 0; p = have.NextMissing(p + 1) {
		fmt.Print(p, " ")
	}
	fmt.Println(have.Count(), "of", have.Len())
	fmt.Printf("%08b\n", have.AppendWire(nil))
	// Output:
	// 2 3 5 6 4 of 8
	// [11001001]
}

// A peer is interesting if it has a piece that we lack.
func ExampleSet_AnyNotIn() {
	ours, theirs := bits.New(4), bits.New(4)
	ours.Add(1)
	theirs.Add(1)
	fmt.Println(theirs.AnyNotIn(ours))
	theirs.Add(3)
	fmt.Println(theirs.AnyNotIn(ours))
	// Output:
	// false
	// true
}
