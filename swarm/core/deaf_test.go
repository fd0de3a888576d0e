package core

import (
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// A crowd is a sole seed and peers that ask for one piece after the other and read
// as they like.
type crowd struct {
	*soleSeed
	readers map[PeerRef]*reader
}

// A reader is a peer of a crowd.
type reader struct {
	asks  bool
	takes int // blocks that it will still read, one a millisecond
	got   int
	next  uint32 // block that it asks for next
	open  map[block.Ref]bool
}

// openMax is how many requests a reader has open.
const openMax = 64

func newCrowd(t *testing.T) *crowd { return &crowd{newSoleSeed(t, 0), map[PeerRef]*reader{}} }

func (c *crowd) join(ref PeerRef, r reader) *reader {
	hello := wire.Hello{InfoHash: c.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	r.open = map[block.Ref]bool{}
	c.readers[ref] = &r
	c.happens(Event{Kind: Connected, Peer: ref, Addr: benchAddr(int(ref)), Hello: &hello})
	c.says(ref, wire.Message{ID: wire.HaveNone})
	c.says(ref, wire.Message{ID: wire.Interested})
	return &r
}

func (c *crowd) says(ref PeerRef, m wire.Message) {
	c.happens(Event{Kind: Received, Peer: ref, Msg: m})
}

// happens gives the seed an event, and does what its peers do in answer.
func (c *crowd) happens(e Event) {
	c.event(e)
	for _, a := range slices.Clone(c.actions) {
		switch {
		case a.Kind == Upload:
			c.flying[a.Peer] = append(c.flying[a.Peer], a.Ref)
		case a.Kind == Send && a.Msg.ID == wire.Reject:
			delete(c.readers[a.Peer].open, a.Msg.Ref)
		case a.Kind == Send && a.Msg.ID == wire.Unchoke:
			c.request(a.Peer)
		}
	}
}

// request has ref ask for as much as it may.
func (c *crowd) request(ref PeerRef) {
	for r := c.readers[ref]; r.asks && len(r.open) < openMax && c.torrent.peers.live(ref).unchoked; r.next++ {
		piece := (uint32(ref) + r.next/seedBlocks) % uint32(c.info.Layout().Pieces())
		b := block.Ref{Piece: piece, Begin: r.next % seedBlocks * block.Size, Length: block.Size}
		if r.open[b] {
			return // once around
		}
		r.open[b] = true
		c.says(ref, wire.Message{ID: wire.Request, Ref: b})
	}
}

// pass lets time pass, until done if that is sooner, and returns how much.
func (c *crowd) pass(most time.Duration, done func() bool) (took time.Duration) {
	for ; took < most && !done(); took += time.Millisecond {
		c.now = c.now.Add(time.Millisecond)
		if c.torrent.NextTick().Before(c.now) {
			c.happens(Event{Kind: Tick})
		}
		for _, p := range slices.Clone(c.torrent.peers.list) {
			if r := c.readers[p.ref]; r.takes > 0 && len(c.flying[p.ref]) > 0 {
				c.reads(p, r)
			}
		}
	}
	return took
}

// reads has a block go out to p.
func (c *crowd) reads(p *peer, r *reader) {
	b := c.flying[p.ref][0]
	c.flying[p.ref] = c.flying[p.ref][1:]
	delete(r.open, b)
	r.takes--
	r.got++
	c.happens(Event{Kind: Sent, Peer: p.ref, Count: 1})
	if b.Begin == (seedBlocks-1)*block.Size {
		c.says(p.ref, wire.Message{ID: wire.Have, Ref: block.Ref{Piece: b.Piece}})
	}
	if p.unchoked {
		c.request(p.ref)
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
		{"ask and read for a while", reader{asks: true, takes: 200}, 5 * time.Second, 20 * time.Second},
	} {
		for _, before := range []time.Duration{0, time.Second, 5 * time.Second} {
			for seed := range 2 {
				c := newCrowd(t)
				for range seed {
					c.torrent.rng.Uint64()
				}
				for ref := range PeerRef(foes) {
					c.join(ref+1, tt.foe)
				}
				c.pass(before, func() bool { return false })
				newcomer := c.join(100, reader{asks: true, takes: 2 * blocks})
				first := c.pass(time.Minute, func() bool { return newcomer.got > 0 })
				whole := first + c.pass(time.Minute, func() bool { return newcomer.got >= blocks })
				if first > tt.first || whole > tt.whole {
					t.Errorf("%s, %v before, seed %d: first block after %v, all after %v; want %v and %v",
						tt.name, before, seed, first, whole, tt.first, tt.whole)
				}
			}
		}
	}
}
