package choke

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

const (
	// turnBytes and turnLeast are what a peer gets at least, and for how long,
	// before a sole seed turns to the next one: whole pieces, and not so few
	// that the time goes into choking. A peer that asks for repeats alone keeps its
	// slot for turnLeast, too.
	turnBytes = 256 << 10
	turnLeast = 250 * time.Millisecond
)

// turnOver reports whether p has had its turn at a sole seed, so that the next
// piece goes to another peer: what all lack then spreads from as many peers as
// there are, not only from the first ones.
func (c *Choker) turnOver(p *Peer, piece uint32) bool {
	return piece != p.piece && c.hadTurn(p) && c.awaited()
}

// hadTurn reports whether p has got its share at a sole seed.
func (c *Choker) hadTurn(p *Peer) bool {
	return p.unchoked && p.given >= c.turn && c.now-p.since >= turnLeast && c.Sole()
}

// awaited reports whether somebody waits for a slot.
func (c *Choker) awaited() bool {
	for _, p := range c.peers {
		if p.interested && !p.unchoked && !c.stuck(p) {
			return true
		}
	}
	return false
}

// endTurn gives the slot of p to another peer.
func (c *Choker) endTurn(p *Peer) {
	c.choke(p)
	c.fill()
}

// passTurn ends the turn of p once its last block is out.
func (c *Choker) passTurn(p *Peer) {
	if len(p.flying) == 0 {
		c.endTurn(p)
	}
}

// passesOn reports whether the piece that p got last has come further, or p had no
// slot yet.
func (c *Choker) passesOn(p *Peer) bool {
	return p.since == 0 || c.pieces.Availability(p.piece) > 1
}

// busyElse reports whether blocks that nobody has are on their way to another peer
// than p that reads them.
func (c *Choker) busyElse(p *Peer) bool {
	unseen := func(r block.Ref) bool { return c.pieces.Availability(r.Piece) == 0 }
	for _, q := range c.peers {
		if q != p && len(q.flying) > 0 && !c.stuck(q) && slices.ContainsFunc(q.flying, unseen) {
			return true
		}
	}
	return false
}

// hold lets the requests of p wait in favour of others. If all that nobody has is
// promised to these, p gives up its slot.
func (c *Choker) hold(p *Peer) {
	if c.owed(p) || !c.reserved() {
		c.holds = true
		return
	}
	c.passTurn(p)
}

// resume goes on with those whose requests were held back in favour of others.
func (c *Choker) resume() {
	if !c.holds {
		return
	}
	c.holds = false
	for _, p := range c.peers {
		if len(p.queue) > 0 && len(p.flying) == 0 {
			c.pump(p)
		}
	}
}
