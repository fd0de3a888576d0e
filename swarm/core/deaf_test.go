package core

import (
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// A crowd is a sole seed and peers that ask for one piece after the other and read
// as they like.
type crowd struct {
	*soleSeed
	start   time.Time
	readers map[PeerRef]*reader
}

// A reader is a peer of a crowd.
type reader struct {
	asks  bool
	flaps time.Duration // how often it says that it wants something, or nothing
	takes int           // blocks that it will still read, one a millisecond
	rest  time.Duration // between two of them, if it is longer
	last  time.Time     // when it read the last one
	got   int
	next  uint32 // block that it asks for next
	open  map[block.Ref]bool
}

// openMax is how many requests a reader has open.
const openMax = 64

func newCrowd(t *testing.T) *crowd {
	s := newSoleSeed(t, 0)
	return &crowd{s, s.now, map[PeerRef]*reader{}}
}

// limit has the seed give slotsMax slots at most; it comes before all peers.
func (c *crowd) limit(slotsMax int) {
	c.torrent = New(c.now, Config{InfoHash: c.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Limits: Limits{SlotsMax: slotsMax}})
	c.event(Event{Kind: InfoReady, Info: c.info, Have: bits.Full(c.info.Layout().Pieces())})
}

func (c *crowd) join(ref PeerRef, r reader) *reader {
	hello := wire.Hello{InfoHash: c.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	r.open = map[block.Ref]bool{}
	c.readers[ref] = &r
	c.happens(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
		Hello: &hello})
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
	for r := c.readers[ref]; r.asks && len(r.open) < openMax &&
		c.torrent.peers.live(ref).unchoked; r.next++ {
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
		for _, p := range slices.Clone(c.torrent.peers.all()) {
			r := c.readers[p.ref]
			if r.takes > 0 && len(c.flying[p.ref]) > 0 {
				c.reads(p, r)
			}
			if r.flaps > 0 && (c.now.Sub(c.start)+
				time.Duration(p.ref)*time.Millisecond)%r.flaps == 0 {
				c.flap(p)
			}
		}
	}
	return took
}

// flap has p say the other thing than last time about what it wants.
func (c *crowd) flap(p *peer) {
	id := wire.Interested
	if p.interested {
		id = wire.NotInterested
	}
	c.says(p.ref, wire.Message{ID: id})
}

// reads has a block go out to p.
func (c *crowd) reads(p *peer, r *reader) {
	b := c.flying[p.ref][0]
	c.flying[p.ref] = c.flying[p.ref][1:]
	delete(r.open, b)
	r.takes--
	r.last = c.now
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
		{"say that they want something, and that they do not", reader{flaps: 50 * time.Millisecond},
			time.Second, 5 * time.Second},
		{"that as well, and ask", reader{asks: true, flaps: 50 * time.Millisecond},
			1500 * time.Millisecond, 6 * time.Second},
		{"ask and read slowly", reader{asks: true, takes: 1 << 20, rest: 900 * time.Millisecond},
			5 * time.Second, 20 * time.Second},
		{"ask and read for a while", reader{asks: true, takes: 200}, 5 * time.Second,
			20 * time.Second},
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
					t.Errorf("%s, %v before, seed %d: first block after %v, all after %v; want "+
						"%v and %v",
						tt.name, before, seed, first, whole, tt.first, tt.whole)
				}
			}
		}
	}
}

// TestPendingRequestsKeepSlots: who says that it wants nothing more loses no slot to
// others before it has what it asked for, but for one that does not read.
func TestPendingRequestsKeepSlots(t *testing.T) {
	c := newCrowd(t)
	c.limit(2)
	c.join(1, reader{asks: true})
	c.join(2, reader{})
	c.pass(100*time.Millisecond, func() bool { return false })
	for ref, r := range c.readers {
		r.asks = false
		c.says(ref, wire.Message{ID: wire.NotInterested})
	}
	if n := c.torrent.slotsUsed(); n != 1 {
		t.Errorf("%d slots count as used, want that of the one who waits for blocks", n)
	}
	c.join(3, reader{asks: true, takes: 1 << 20})
	took := c.pass(time.Second/2, func() bool { return c.torrent.peers.live(3).unchoked })
	if !c.torrent.peers.live(3).unchoked || !c.torrent.peers.live(1).unchoked ||
		c.torrent.peers.live(2).unchoked {
		t.Errorf("after %v the slots are not of those who wait for blocks", took)
	}
	c.join(4, reader{asks: true, takes: 1 << 20})
	if took = c.pass(5*time.Second, func() bool {
		return !c.torrent.peers.live(1).unchoked
	}); took > 2*time.Second {
		t.Errorf("one that does not read has its slot for %v", took)
	}
}

// TestSatisfiedPeersGiveWay: who wants nothing any more keeps no slot from those who
// wait, however many there may be.
func TestSatisfiedPeersGiveWay(t *testing.T) {
	const each, peers = 2, 12
	c := newCrowd(t)
	c.limit(4)
	for ref := range PeerRef(peers) {
		c.join(ref+1, reader{asks: true, takes: each})
	}
	satisfied := map[PeerRef]bool{}
	took := c.pass(time.Minute, func() bool {
		for ref, r := range c.readers {
			if r.got == each && !satisfied[ref] {
				satisfied[ref] = true
				r.asks = false
				for b := range r.open {
					c.says(ref, wire.Message{ID: wire.Cancel, Ref: b})
				}
				c.flying[ref] = nil
				c.happens(Event{Kind: Sent, Peer: ref, Count: windowMax})
				c.says(ref, wire.Message{ID: wire.NotInterested})
			}
		}
		return len(satisfied) == peers
	})
	if took > time.Second {
		t.Errorf("%d of %d had their share after %v", len(satisfied), peers, took)
	}
}
