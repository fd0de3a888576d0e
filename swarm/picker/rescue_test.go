package picker

import (
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// The last blocks of the first pieces with a deadline are asked of a second peer, if the
// caller says that the first one is too slow; those of later pieces are not.
func TestRescue(t *testing.T) {
	p := scene{avail: "11111", state: "....#"}.picker(1)
	p.SetDeadlines(dues("0:1 1:2 2:3"))
	if got := pick(p, Query{Peer: 1, Have: all(p), Max: 12}); got != "0.0-3 1.0-3 2.0-3" {
		t.Fatalf("picked %q", got)
	}
	p.Received(Block{0, 0}, 1)
	var asked []Block
	var due time.Duration
	q := Query{Peer: 2, Have: all(p), Max: 20,
		Rescue: func(peer uint32, b Block, at time.Duration) bool {
			asked, due = append(asked, b), at
			return peer == 1 && b.Index > 1
		}}
	if got := pick(p, q); got != "0.2-3 1.2-3 3.0-3" {
		t.Errorf("picked %q, want what may be rescued, and then the rest", got)
	}
	if got := text(asked); got != "0.1-3 1.0-3" || due != 2*time.Second {
		t.Errorf("asked whether %q may be rescued, the last one by %v", got, due)
	}
	if got := pick(p, q); got != "" {
		t.Errorf("picked %q, which two peers were asked for already", got)
	}
	if r := p.Received(Block{0, 2}, 2); !r.Fresh || r.Other != 1 {
		t.Errorf("a block that was rescued: %+v", r)
	}
	if r := p.Received(Block{0, 2}, 1); r.Fresh {
		t.Error("a block that comes twice is fresh")
	}
	p.Check()
}

// What is never rescued: a piece of which blocks are free, one that lacks many blocks, one
// that must come from one peer, a block of the same peer, and more than a few at a time.
func TestRescueHasLimits(t *testing.T) {
	yes := func(uint32, Block, time.Duration) bool { return true }
	for _, c := range []struct {
		name        string
		blocks      int
		first       Query
		second      Query
		want, extra string
	}{
		{"free blocks", 4, Query{Max: 2}, Query{Peer: 2, Max: 2}, "0.2-3", "0.0-1"},
		{"many blocks", rescueBlocks + 1, Query{Max: 99}, Query{Peer: 2, Max: 99}, "", ""},
		{"few at a time", rescueBlocks, Query{Max: 99}, Query{Peer: 2, Max: 99}, "0.0-3", "0.4-7"},
		{"no more than asked for", 4, Query{Max: 99}, Query{Peer: 2, Max: 1}, "0.0", "0.1"},
		{"alone", 4, Query{Max: 99, Alone: true}, Query{Peer: 2, Max: 99}, "", ""},
		{"the same peer", 4, Query{Max: 99}, Query{Peer: 1, Max: 99}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(pieces{n: 1, blocks: c.blocks}, nil, nil)
			p.SetDeadlines(dues("0:0"))
			c.first.Peer, c.first.Have = 1, bits.Full(1)
			pick(p, c.first)
			c.second.Have, c.second.Rescue = bits.Full(1), yes
			for _, want := range []string{c.want, c.extra} {
				if got := pick(p, c.second); got != want {
					t.Errorf("picked %q, want %q", got, want)
				}
			}
		})
	}
}

func TestFirst(t *testing.T) {
	p := scene{state: "..."}.picker(1)
	if _, ok := p.First(time.Hour); ok {
		t.Error("there is a first piece without any deadline")
	}
	p.SetDeadlines(dues("2:3 1:5"))
	if _, ok := p.First(2 * time.Second); ok {
		t.Error("the first piece is due too early")
	}
	if piece, ok := p.First(3 * time.Second); piece != 2 || !ok {
		t.Errorf("the first piece is %d, %v", piece, ok)
	}
}
