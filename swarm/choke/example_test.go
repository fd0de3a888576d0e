package choke_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/picker"
)

// content is two pieces of two blocks each.
type content struct{}

func (content) Pieces() int        { return 2 }
func (content) Blocks(int) int     { return 2 }
func (content) CanVerify(int) bool { return true }

// idle is a connection on which nothing came or went, to a peer that has nothing we want.
type idle struct{}

func (idle) Got() int64                   { return 0 }
func (idle) GotRate(time.Duration) int64  { return 0 }
func (idle) Sent() int64                  { return 0 }
func (idle) SentRate(time.Duration) int64 { return 0 }
func (idle) Interesting() bool            { return false }
func (idle) Asked() bool                  { return false }

// A seed has one slot and two peers. The first peer gets the slot and asks for a block. The
// second peer gets the slot once the first has left.
func Example() {
	rng := rand.New(rand.NewPCG(1, 1))
	pieces := picker.New(content{}, bits.Full(2), rng)
	pieces.AddPeer(bits.Full(2), true) // we are not the only seed
	c := choke.New(choke.Config{
		SlotsMax: 1, Rand: rng, SentRate: func(time.Duration) int64 { return 0 },
	})
	c.Start(pieces, 2*block.Size, func(int) int { return 2 * block.Size })
	plan := func(what string) {
		fmt.Println(what)
		for _, s := range c.Plan() {
			switch s.Kind {
			case choke.Unchoke:
				fmt.Println("-> unchoke peer", s.Peer)
			case choke.Send:
				fmt.Println("-> send peer", s.Peer, "block", s.Block)
			}
		}
	}

	first := c.Join(0, 1, true, idle{})
	c.SetInterested(0, first, true)
	plan("peer 1 is interested")
	second := c.Join(time.Second, 2, true, idle{})
	c.SetInterested(time.Second, second, true)
	plan("peer 2 is interested")
	c.Request(2*time.Second, first, block.Ref{Piece: 1, Length: block.Size})
	plan("peer 1 asks for a block")
	c.Leave(3*time.Second, first)
	plan("peer 1 has left")
	// Output:
	// peer 1 is interested
	// -> unchoke peer 1
	// peer 2 is interested
	// peer 1 asks for a block
	// -> send peer 1 block 1+0:16384
	// peer 1 has left
	// -> unchoke peer 2
}
