package picker

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// letters draw the states: skipped, without a hash, wanted, in flight, unverified, had.
const letters = "-?.~!#"

// in returns a picker of one piece of four blocks in a state. A held piece has no
// hash; learn gives it one.
func in(t *testing.T, state State) (p *Picker, learn func()) {
	t.Helper()
	bare, have := bits.New(1), bits.New(1)
	switch state {
	case Held:
		bare.Add(0)
	case Have:
		have.Add(0)
	}
	p = New(pieces{1, blocksPerPiece, bare}, have, rand.New(rand.NewPCG(1, 1)))
	ask := func() { p.Pick(&Query{Peer: 1, Have: bits.Full(1), Max: blocksPerPiece}, nil) }
	switch state {
	case Skipped:
		p.SetPriority(0, Skip)
	case InFlight:
		ask()
	case Unverified:
		ask()
		for i := range uint32(blocksPerPiece) {
			p.Received(Block{0, i}, 1)
		}
	}
	if got := p.State(0); got != state {
		t.Fatalf("the piece is in state %c, want %c", letters[got], letters[state])
	}
	return p, func() { bare.Remove(0) }
}

// TestTransitions draws what each event makes of a piece in each state: the rows are
// the states of letters in their order. An event that does not fit a state changes
// nothing.
func TestTransitions(t *testing.T) {
	full := &Query{Peer: 1, Have: bits.Full(1), Max: blocksPerPiece}
	wrong := func(index ...uint32) func(func(uint32) bool) { return slices.Values(index) }
	for _, c := range []struct {
		event string
		do    func(p *Picker, learn func())
		want  string // by the state before
	}{
		{"asked for", func(p *Picker, _ func()) { p.Pick(full, nil) }, "-?~~!#"},
		{"skipped", func(p *Picker, _ func()) { p.SetPriority(0, Skip) }, "---~!#"},
		{"wanted", func(p *Picker, _ func()) { p.SetPriority(0, Highest) }, ".?.~!#"},
		{"held", func(p *Picker, _ func()) { p.Hold(0) }, "-??~!#"},
		{"freed without a hash", func(p *Picker, _ func()) { p.Free(0) }, "-?.~!#"},
		{"freed", func(p *Picker, learn func()) { learn(); p.Free(0) }, "-..~!#"},
		{"held and freed", func(p *Picker, learn func()) { p.Hold(0); learn(); p.Free(0) },
			"-..~!#"},
		{"supposed", func(p *Picker, learn func()) { learn(); p.Suppose(0) }, "!!!~!#"},
		{"supposed without a hash", func(p *Picker, _ func()) { p.Suppose(0) }, "!?!~!#"},
		{"lost", func(p *Picker, _ func()) { p.Lost(0) }, "-?...."},
		{"checked again", func(p *Picker, _ func()) { p.Recheck(0) }, "-?.~!!"},
		{"verified", func(p *Picker, _ func()) { p.Verified(0) }, "-?.~##"},
		{"refuted", func(p *Picker, _ func()) { p.Refuted(0) }, "-?.~.#"},
		{"a wrong block", func(p *Picker, _ func()) { p.Reopen(0, wrong(2)) }, "-?.~~#"},
		{"all blocks wrong", func(p *Picker, _ func()) { p.Reopen(0, wrong(0, 1, 2, 3)) },
			"-?.~.#"},
		{"no wrong block", func(p *Picker, _ func()) { p.Reopen(0, wrong()) }, "-?.~!#"},
		{"wrong blocks that there are not", func(p *Picker, _ func()) {
			p.Reopen(0, wrong(4, 1<<31))
		}, "-?.~!#"},
		{"one block released", func(p *Picker, _ func()) { p.Release(Block{0, 1}, 1) }, "-?.~!#"},
		{"all blocks released", func(p *Picker, _ func()) {
			for i := range uint32(blocksPerPiece) {
				p.Release(Block{0, i}, 1)
			}
		}, "-?..!#"},
		{"released by another", func(p *Picker, _ func()) {
			for i := range uint32(blocksPerPiece) {
				p.Release(Block{0, i}, 2)
			}
		}, "-?.~!#"},
		{"one block received", func(p *Picker, _ func()) { p.Received(Block{0, 0}, 1) }, "-?.~!#"},
		{"all blocks received", func(p *Picker, _ func()) {
			for i := range uint32(blocksPerPiece) {
				p.Received(Block{0, i}, 1)
			}
		}, "-?.!!#"},
		{"blocks that there are not", func(p *Picker, _ func()) {
			p.Received(Block{0, 4}, 1)
			p.Received(Block{1, 0}, 1)
			p.Release(Block{0, 4}, 1)
			p.Release(Block{1, 0}, 1)
		}, "-?.~!#"},
		{"its owner left", func(p *Picker, _ func()) { p.Leave(1) }, "-?.~!#"},
	} {
		var got strings.Builder
		for state := range stateCount {
			p, learn := in(t, state)
			c.do(p, learn)
			p.Check()
			got.WriteByte(letters[p.State(0)])
			if p.Count(p.State(0)) != 1 || p.Have().Has(0) != (p.State(0) == Have) {
				t.Errorf("%s: the counts or the set of had pieces are wrong", c.event)
			}
		}
		if got.String() != c.want {
			t.Errorf("%s:\n from %s\n got  %s\n want %s", c.event, letters, got.String(), c.want)
		}
	}
}

// TestReports: what the events report about whether they fitted.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		event string
		do    func(p *Picker) bool
		want  string // "y" or "n" by the state before
	}{
		{"free", func(p *Picker) bool { return p.Free(0) }, "nnnnnn"},
		{"suppose", func(p *Picker) bool { return p.Suppose(0) }, "ynynnn"},
		{"recheck", func(p *Picker) bool { return p.Recheck(0) }, "nnnnny"},
		{"verified", func(p *Picker) bool { return p.Verified(0) }, "nnnnyn"},
		{"refuted", func(p *Picker) bool { return p.Refuted(0) }, "nnnnyn"},
		{"reopen", func(p *Picker) bool { return p.Reopen(0, slices.Values([]uint32{1})) },
			"nnnnyn"},
		{"received", func(p *Picker) bool { return p.Received(Block{0, 3}, 1).Fresh }, "nnnynn"},
		{"done", func(p *Picker) bool { return p.Done() }, "ynnnny"},
		{"needed", func(p *Picker) bool { return p.Needed().Has(0) }, "nyyyyn"},
	} {
		got := ""
		for state := range stateCount {
			p, _ := in(t, state)
			if c.do(p) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != c.want {
			t.Errorf("%s:\n from %s\n got  %s\n want %s", c.event, letters, got, c.want)
		}
	}
}

// TestHashLearntMakesWanted: a piece that was skipped while it had no hash is wanted
// only after both.
func TestHashLearntMakesWanted(t *testing.T) {
	p, learn := in(t, Held)
	p.SetPriority(0, Skip)
	learn()
	if !p.Free(0) || p.State(0) != Skipped {
		t.Errorf("a skipped piece is %c after its hash is known", letters[p.State(0)])
	}
	p.SetPriority(0, Normal)
	if p.State(0) != Wanted || p.Free(0) {
		t.Errorf("it is %c, and freed twice", letters[p.State(0)])
	}
}

// TestSenders: each peer that sent a block is named once, and each block its sender.
func TestSenders(t *testing.T) {
	p := scene{avail: "11"}.picker(1)
	for peer := uint32(1); peer <= 2; peer++ {
		for _, b := range p.Pick(&Query{Peer: peer, Have: set("x."), Max: 2}, nil) {
			p.Received(b, peer)
		}
	}
	if got := p.Senders(0, []uint32{9}); !slices.Equal(got, []uint32{9, 1, 2}) {
		t.Errorf("senders %v, want 1 and 2 behind what was there", got)
	}
	if got := p.Senders(1, nil); len(got) != 0 {
		t.Errorf("senders of a piece that nobody sent: %v", got)
	}
	var each []uint32
	for i := range uint32(blocksPerPiece) {
		each = append(each, p.Sender(Block{0, i}))
	}
	if !slices.Equal(each, []uint32{1, 1, 2, 2}) {
		t.Errorf("senders of the blocks %v", each)
	}
	if p.Sender(Block{1, 0}) != 0 || p.Sender(Block{0, 9}) != 0 || p.Sender(Block{7, 0}) != 0 {
		t.Error("blocks that did not come have a sender")
	}
	p.Pick(&Query{Peer: 3, Have: set(".x"), Max: 2}, nil)
	p.Received(Block{1, 0}, 3)
	if got := p.BegunBy(3, nil); !slices.Equal(got, []uint32{1}) {
		t.Errorf("peer 3 has begun %v, want piece 1", got)
	}
	if got := p.BegunBy(1, nil); len(got) != 0 {
		t.Errorf("peer 1 has begun %v, though its piece is complete", got)
	}
}

// dues yields pieces and their deadlines in seconds, as in "3:1 5:2".
func dues(list string) iter.Seq2[uint32, time.Duration] {
	return func(yield func(uint32, time.Duration) bool) {
		for _, f := range strings.Fields(list) {
			var piece uint32
			var seconds int
			fmt.Sscanf(f, "%d:%d", &piece, &seconds)
			if !yield(piece, time.Duration(seconds)*time.Second) {
				return
			}
		}
	}
}

// TestDeadlinesAreBounded: the earliest are kept, in their order, and a new list replaces
// the old one.
func TestDeadlinesAreBounded(t *testing.T) {
	n := deadlinesMax + 10
	p := New(pieces{n: n, blocks: 1}, nil, rand.New(rand.NewPCG(1, 1)))
	p.SetDeadlines(func(yield func(uint32, time.Duration) bool) {
		for i := range n {
			yield(uint32(i), time.Duration(n-i)*time.Second)
		}
	})
	if !p.Urgent(time.Second) || p.Urgent(time.Second-1) {
		t.Error("the earliest deadline is not after a second")
	}
	if p.Due(9, time.Hour) || !p.Due(10, time.Hour) {
		t.Error("the latest deadlines stayed, or earlier ones are gone")
	}
	if !p.Due(uint32(n-1), time.Second) || p.Due(uint32(n-2), time.Second) {
		t.Error("the earliest deadline is not due, or the next one is")
	}
	p.SetDeadlines(dues("5:9 7:2"))
	if p.Urgent(time.Second) || p.Due(uint32(n-1), time.Hour) || !p.Due(5, time.Hour) {
		t.Error("deadlines of the old list stayed, or those of the new one are not set")
	}
	p.SetDeadlines(dues(fmt.Sprintf("%d:3 %d:1 %d:2", n-4, n-2, n-3)))
	q := Query{Peer: 1, Have: bits.Full(n), Max: 3}
	if got := text(p.Pick(&q, nil)); got != fmt.Sprintf("%d.0 %d.0 %d.0", n-2, n-3, n-4) {
		t.Errorf("picked %s, want the pieces of the earliest deadlines in their order", got)
	}
}

// TestAvailabilityCounts: seeds count apart, and what they have is unseen.
func TestAvailabilityCounts(t *testing.T) {
	p := scene{avail: "0120"}.picker(1)
	check := func(what, avail string, seeds, unseen int) {
		t.Helper()
		got := ""
		for i := range uint32(4) {
			got += fmt.Sprint(p.Availability(i))
		}
		if got != avail || p.Seeds() != seeds || p.Unseen() != unseen {
			t.Errorf("%s: availability %s, %d seeds, %d unseen; want %s, %d, %d", what, got,
				p.Seeds(), p.Unseen(), avail, seeds, unseen)
		}
		p.Check()
	}
	check("at first", "0120", 0, 2)
	p.AddPeer(set("xx.."), false)
	check("a peer with two pieces", "1220", 0, 1)
	p.AddPeer(bits.Full(4), true)
	check("a seed", "1220", 1, 1)
	p.RemovePeer(set("xx.."), false)
	check("the peer is gone", "0120", 1, 2)
	p.RemovePeer(bits.Full(4), true)
	check("the seed is gone", "0120", 0, 2)
}

// TestEverythingIsFetchedOnce: many peers that come and go, fail and answer late
// complete a torrent, and no block is stored twice but those of a piece that came with
// a wrong hash: it has to come from one peer, so it begins again when that one leaves.
func TestEverythingIsFetchedOnce(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		const n = 40
		p := New(pieces{n: n}, nil, rand.New(rand.NewPCG(seed, 1)))
		asked := map[uint32][]Block{}
		stored, failed := map[Block]int{}, map[uint32]bool{}
		for step := 0; !p.Done(); step++ {
			if step > 200_000 {
				t.Fatalf("seed %d: not complete: %d of %d pieces", seed, p.Have().Count(), n)
			}
			peer := uint32(1 + rng.IntN(5))
			switch rng.IntN(4) {
			case 0:
				q := Query{Peer: peer, Have: bits.Full(n), Max: 1 + rng.IntN(4)}
				asked[peer] = append(asked[peer], p.Pick(&q, nil)...)
			case 1, 2:
				if len(asked[peer]) == 0 {
					continue
				}
				b := asked[peer][0]
				asked[peer] = asked[peer][1:]
				if rng.IntN(5) == 0 {
					p.Release(b, peer)
					continue
				}
				receipt := p.Received(b, peer)
				if receipt.Fresh {
					stored[b]++
				}
				if receipt.Complete && rng.IntN(10) == 0 {
					p.Refuted(b.Piece)
					failed[b.Piece] = true
				} else if receipt.Complete {
					p.Verified(b.Piece)
				}
			case 3:
				if rng.IntN(20) == 0 {
					for _, b := range asked[peer] {
						p.Release(b, peer)
					}
					delete(asked, peer)
					p.Leave(peer)
				}
			}
		}
		p.Check()
		for piece := range n {
			for i := range (pieces{n: n}).Blocks(piece) {
				if b := (Block{uint32(piece), uint32(i)}); stored[b] != 1 && !failed[b.Piece] ||
					stored[b] == 0 {
					t.Errorf("seed %d: block %v was stored %d times", seed, b, stored[b])
				}
			}
		}
	}
}
