package picker_test

import (
	"fmt"
	"math/rand/v2"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/picker"
)

// small is a torrent of three pieces of two blocks each.
type small struct{}

func (small) Pieces() int        { return 3 }
func (small) Blocks(int) int     { return 2 }
func (small) CanVerify(int) bool { return true }

// A peer is asked for blocks, sends them, and the piece turns out to be right.
func Example() {
	p := picker.New(small{}, nil, rand.New(rand.NewPCG(1, 2)))
	p.SetSequential(true)

	const seed, leech = 1, 2
	all, some := bits.Full(3), bits.New(3)
	some.Add(1)
	p.AddPeer(all, true)
	p.AddPeer(some, false)

	fmt.Println("of the seed: ", p.Pick(&picker.Query{Peer: seed, Have: all, Max: 1}, nil))
	fmt.Println("of the leech:", p.Pick(&picker.Query{Peer: leech, Have: some, Max: 4}, nil))

	fmt.Println(p.Received(picker.Block{Piece: 1, Index: 0}, leech).Complete)
	fmt.Println(p.Received(picker.Block{Piece: 1, Index: 1}, leech).Complete)
	p.Verified(1)
	fmt.Println(p.Have().Count(), "of", p.Pieces(), "pieces")
	// Output:
	// of the seed:  [{0 0}]
	// of the leech: [{1 0} {1 1}]
	// false
	// true
	// 1 of 3 pieces
}
