package choke

import "time"

const (
	// idleGrace is how long a slot counts as used before its peer asks, and
	// idleHaste how long when nobody else gets anything either: a round trip.
	idleGrace = 2 * time.Second
	idleHaste = 200 * time.Millisecond
	// gatherFor is how long a free slot waits for more peers to choose from.
	gatherFor = 50 * time.Millisecond
	// uplinkRest is how long nothing has to go out to anybody for the uplink to
	// count as free.
	uplinkRest = time.Second / 2
)

// resting reports whether the uplink is free.
func (c *Choker) resting() bool { return c.now-c.sentAt > uplinkRest }

// spare reports whether the peer has no use for its slot: it wants nothing and waits
// for no block, nor do we wait for one of its blocks, or it is stuck.
func (c *Choker) spare(p *Peer) bool {
	return c.stuck(p) || !p.interested && !p.Busy() && !p.link.Asked()
}

// room reports whether one more peer may be unchoked. When SlotsMax peers are, one
// that has no use for its slot is choked to make room.
func (c *Choker) room() bool {
	if c.Unchoked() < c.cfg.SlotsMax {
		return true
	}
	for _, p := range c.peers {
		if p.unchoked && c.spare(p) {
			c.choke(p)
			return true
		}
	}
	return false
}

// slotsUsed returns how many slots are in use: by peers that wait for blocks
// and read them, whether or not they say that they want more, or that were unchoked
// a moment ago. While no peer waits for blocks the moment is short.
func (c *Choker) slotsUsed() int {
	n, fresh, busy := 0, 0, false
	for _, p := range c.peers {
		if !p.unchoked || !p.interested && !p.Busy() || c.stuck(p) || c.hadTurn(p) {
			continue
		}
		switch age := c.now - p.since; {
		case p.Busy():
			n++
			busy = true
		case age < idleHaste:
			n++
		case age < idleGrace:
			fresh++
		}
	}
	if !busy {
		return n
	}
	return n + fresh
}

// fill gives free slots to peers that wait, between the rounds. A slot whose peer asks for
// nothing counts as free, so that the uplink is used as long as anybody wants something.
// That peer loses its slot to the next one; otherwise everybody would have a slot in the
// end. Among equals chance decides.
func (c *Choker) fill() {
	if c.pieces != nil && len(c.peers) > 0 {
		c.give(c.slots - c.slotsUsed())
	}
}

// give hands out the free slots.
func (c *Choker) give(free int) {
	reserved := free > 0 && c.reserved()
	for ; free > 0; free-- {
		var best contender
		start := c.cfg.Rand.IntN(len(c.peers))
		for i := range c.peers {
			p := c.peers[(start+i)%len(c.peers)]
			if !p.interested || p.unchoked || c.stuck(p) || reserved && !c.owed(p) {
				continue
			}
			if e := c.contender(p); best.p == nil || e.compare(&best) < 0 {
				best = e
			}
		}
		if best.p == nil || best.barren && !c.resting() || !c.room() {
			return
		}
		c.swapIdle()
		c.unchoke(best.p)
	}
}

// swapIdle takes the slot of the peer that has made no use of it for longest, if
// all slots are given.
func (c *Choker) swapIdle() {
	n := 0
	var idle *Peer
	for _, p := range c.peers {
		if !p.unchoked || !p.interested {
			continue
		}
		n++
		if !p.Busy() && c.now-p.since >= idleHaste && (idle == nil || p.moved < idle.moved) {
			idle = p
		}
	}
	if n >= c.slots && idle != nil {
		c.choke(idle)
	}
}
