package choke

import (
	"math/rand/v2"
	"testing"
	"time"

	"swarmnode/swarm/block"
)

// A crowd is a sole seed and peers that ask for one piece after the other and read
// as they like.
type crowd struct {
	*stage
	readers map[Ref]*reader
	flying  map[Ref][]block.Ref
}

// A reader is a peer of a crowd.
type reader struct {
	asks  bool
	flaps time.Duration // how often it says that it wants something, or nothing
	takes int           // blocks that it will still read, one a millisecond
	got   int
	next  uint32 // block that it asks for next
	open  map[block.Ref]bool
}

// openMax is how many requests a reader has open.
const openMax = 64

func newCrowd(t *testing.T, cfg Config) *crowd {
	c := &crowd{newStage(t, cfg, nil), map[Ref]*reader{}, map[Ref][]block.Ref{}}
	c.answers = c.answer
	return c
}

func (c *crowd) admit(ref Ref, r reader) *reader {
	r.open = map[block.Ref]bool{}
	c.readers[ref] = &r
	c.join(ref)
	return &r
}

// answer does what a peer does about a step.
func (c *crowd) answer(step Step) {
	switch step.Kind {
	case Send:
		c.flying[step.Peer] = append(c.flying[step.Peer], step.Block)
	case Reject:
		delete(c.readers[step.Peer].open, step.Block)
	case Unchoke:
		c.ask(step.Peer)
	}
}

// ask requests as much as a peer may.
func (c *crowd) ask(ref Ref) {
	for r := c.readers[ref]; r.asks && len(r.open) < openMax && c.peers[ref].unchoked; r.next++ {
		piece := (uint32(ref) + r.next/pieceBlocks) % pieces
		b := block.Ref{Piece: piece, Begin: r.next % pieceBlocks * block.Size, Length: block.Size}
		if r.open[b] {
			return // once around
		}
		r.open[b] = true
		if c.request(ref, b) != Queued {
			delete(r.open, b)
		}
	}
}

// until lets time pass, until done if that is sooner, and returns how much.
func (c *crowd) until(most time.Duration, done func() bool) (took time.Duration) {
	for ; took < most && !done(); took += time.Millisecond {
		c.pass(time.Millisecond)
		for _, p := range c.choker.peers {
			r := c.readers[p.ref]
			if r.takes > 0 && len(c.flying[p.ref]) > 0 {
				c.reads(p, r)
			}
			if r.flaps > 0 && (c.now+time.Duration(p.ref)*time.Millisecond)%r.flaps == 0 {
				c.says(p.ref, !p.interested)
			}
		}
	}
	return took
}

// reads has a block go out to p.
func (c *crowd) reads(p *Peer, r *reader) {
	b := c.flying[p.ref][0]
	c.flying[p.ref] = c.flying[p.ref][1:]
	delete(r.open, b)
	r.takes--
	r.got++
	c.goesOut(p.ref, 1)
	if b.Begin == (pieceBlocks-1)*block.Size {
		c.gets(p.ref, b.Piece)
	}
	if p.unchoked {
		c.ask(p.ref)
	}
}

// TestDeafCrowd: 24 peers that take slots and read nothing, or nothing any more,
// do not keep a newcomer waiting.
func TestDeafCrowd(t *testing.T) {
	const foes, blocks = 24, 500
	for _, tt := range []struct {
		name         string
		foe          reader
		first, whole time.Duration // within which a newcomer gets one block, and all
	}{
		{"never ask", reader{}, time.Second, 5 * time.Second},
		{"ask and read nothing", reader{asks: true}, 1500 * time.Millisecond, 6 * time.Second},
		{"say that they want something, and that they do not", reader{flaps: 50 * time.Millisecond},
			time.Second, 5 * time.Second},
		{"that as well, and ask", reader{asks: true, flaps: 50 * time.Millisecond},
			1500 * time.Millisecond, 6 * time.Second},
		{"ask and read", reader{asks: true, takes: 1 << 20}, 5 * time.Second, 20 * time.Second},
		{"ask and read for a while", reader{asks: true, takes: 200}, 5 * time.Second,
			20 * time.Second},
	} {
		for _, before := range []time.Duration{0, time.Second, 5 * time.Second} {
			for seed := range uint64(2) {
				c := newCrowd(t, Config{Rand: rand.New(rand.NewPCG(seed+1, 1))})
				for ref := range Ref(foes) {
					c.admit(ref+1, tt.foe)
				}
				c.until(before, func() bool { return false })
				newcomer := c.admit(100, reader{asks: true, takes: 2 * blocks})
				first := c.until(time.Minute, func() bool { return newcomer.got > 0 })
				whole := first + c.until(time.Minute, func() bool { return newcomer.got >= blocks })
				if first > tt.first || whole > tt.whole {
					t.Errorf("%s, %v before, seed %d: first block after %v, all after %v; want "+
						"%v and %v",
						tt.name, before, seed, first, whole, tt.first, tt.whole)
				}
			}
		}
	}
}

// TestPendingRequestsKeepSlots: a peer that wants nothing more loses no slot to
// others before it has what it asked for, unless it does not read.
func TestPendingRequestsKeepSlots(t *testing.T) {
	c := newCrowd(t, Config{SlotsMax: 2})
	c.admit(1, reader{asks: true})
	c.admit(2, reader{})
	c.until(100*time.Millisecond, func() bool { return false })
	for ref, r := range c.readers {
		r.asks = false
		c.says(ref, false)
	}
	if n := c.choker.slotsUsed(); n != 1 {
		t.Errorf("%d slots count as used, want that of the peer that waits for blocks", n)
	}
	c.admit(3, reader{asks: true, takes: 1 << 20})
	took := c.until(time.Second/2, func() bool { return c.peers[3].unchoked })
	if !c.peers[3].unchoked || !c.peers[1].unchoked || c.peers[2].unchoked {
		t.Errorf("after %v the slots are not of the peers that wait for blocks", took)
	}
	c.admit(4, reader{asks: true, takes: 1 << 20})
	took = c.until(5*time.Second, func() bool { return !c.peers[1].unchoked })
	if took > 2*time.Second {
		t.Errorf("a peer that does not read has its slot for %v", took)
	}
}

// TestSatisfiedPeersGiveWay: a peer that wants nothing any more keeps no slot from those
// that wait, however many these may be.
func TestSatisfiedPeersGiveWay(t *testing.T) {
	const each, peers = 2, 12
	c := newCrowd(t, Config{SlotsMax: 4})
	for ref := range Ref(peers) {
		c.admit(ref+1, reader{asks: true, takes: each})
	}
	satisfied := map[Ref]bool{}
	took := c.until(time.Minute, func() bool {
		for ref, r := range c.readers {
			if r.got == each && !satisfied[ref] {
				satisfied[ref] = true
				r.asks = false
				for b := range r.open {
					c.choker.Cancel(c.peers[ref], b)
				}
				c.flying[ref] = nil
				c.goesOut(ref, windowMax)
				c.says(ref, false)
			}
		}
		return len(satisfied) == peers
	})
	if took > time.Second {
		t.Errorf("%d of %d had their share after %v", len(satisfied), peers, took)
	}
}
