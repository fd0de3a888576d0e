package choke

import (
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// A Peer is the upload side of one connection. Only its Choker changes it.
type Peer struct {
	ref    Ref
	fast   bool // both sides have BEP 6
	link   Link
	joined time.Duration
	has    *bits.Set // nil until it has said so

	interested bool // it is interested in us
	unchoked   bool // it has a slot

	costly bool // a relay carries what it gets

	// The slot.
	since      time.Duration // choked or unchoked since; 0 if it never had a slot
	optimistic bool          // the slot was given in turn
	chosen     bool          // the round under way gives it a slot
	given      int64         // bytes handed to its writer since it was unchoked
	piece      uint32        // the piece of the last of them
	wanted     time.Duration // for how long we have been interested in it
	unused     int           // slots in a row in which it asked for nothing
	deaf       time.Duration // moved when it was last found stuck, or 0

	// Its requests, see serve.go.
	queue   []waiting   // oldest first
	flying  []block.Ref // with its writer
	window  int         // most blocks that may be with its writer
	moved   time.Duration
	favour  time.Duration // when it got the last of some blocks that had to wait
	favours int           // how many of these it got
	granted []uint32      // pieces that it may ask for while choked (BEP 6)
	gifts   int           // blocks that it asked for in that way

	promised []promise
	lapsed   int // promises in a row that it let lapse
}

// A waiting request is one that was not handed to the writer.
type waiting struct {
	ref block.Ref
	at  time.Duration // when it came
}

// Interested reports whether the peer wants something from us.
func (p *Peer) Interested() bool { return p.interested }

// Unchoked reports whether the peer has a slot.
func (p *Peer) Unchoked() bool { return p.unchoked }

// Optimistic reports whether the peer has a slot that was given by lot.
func (p *Peer) Optimistic() bool { return p.unchoked && p.optimistic }

// Since returns when the peer got its slot, or lost it. It is 0 for a peer that never
// had one.
func (p *Peer) Since() time.Duration { return p.since }

// Waiting returns how many requests of the peer are not with its writer.
func (p *Peer) Waiting() int { return len(p.queue) }

// Flying returns the blocks that are with the writer of the peer, oldest first. The
// slice is good until the next call of a method of the Choker.
func (p *Peer) Flying() []block.Ref { return p.flying }

// Busy reports whether the peer waits for a block.
func (p *Peer) Busy() bool { return len(p.queue)+len(p.flying) > 0 }

// barren reports whether the peer takes and never gave, although it could have.
func (p *Peer) barren() bool { return p.wanted >= barrenAfter && p.link.Got() == 0 }

// isSeed reports whether the peer has every piece.
func (p *Peer) isSeed() bool { return p.has != nil && p.has.All() }

// hasPiece reports whether the peer is known to have a piece.
func (p *Peer) hasPiece(piece uint32) bool { return p.has != nil && p.has.Has(int(piece)) }

// unchoke gives a peer a slot.
func (c *Choker) unchoke(p *Peer) {
	if p.unchoked {
		return
	}
	p.unchoked = true
	p.since = c.now
	p.given = 0
	c.steer(p)
	c.do(Unchoke, p, block.Ref{})
	c.by(dueFill, c.now+idleHaste)
}

// choke takes the slot of a peer, and rejects its requests.
func (c *Choker) choke(p *Peer) {
	if !p.unchoked {
		return
	}
	p.unchoked = false
	since := p.since
	p.since = c.now
	p.unused++
	if p.given > 0 {
		p.unused = 0
	}
	c.do(Choke, p, block.Ref{})
	c.keepBegun(p, since)
	c.rejectQueue(p)
}

// SetInterested records whether the peer wants something from us. It reports whether
// that is news. A peer gets a slot at once if one is free and there is one for
// everybody. Otherwise a moment passes first: the nearest peer would always get it.
func (c *Choker) SetInterested(now time.Duration, p *Peer, interested bool) bool {
	c.now = now
	if p.interested == interested {
		return false
	}
	p.interested = interested
	switch {
	case !interested && p.unchoked:
		c.fill()
	case !interested || c.pieces == nil || c.stuck(p) || c.slotsUsed() >= c.slots:
	case len(c.peers) > c.slots:
		c.by(dueFill, now+gatherFor)
	case c.room():
		c.unchoke(p)
	}
	return true
}
