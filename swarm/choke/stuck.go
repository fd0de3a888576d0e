package choke

import (
	"time"

	"swarmnode/swarm/block"
)

const (
	// stuckAfter is how long a peer may read nothing, beside what it takes others
	// to read stuckBlocks, before its slot is given to another as well.
	stuckAfter = time.Second
	// stuckBlocks is how many blocks all slots could have got in the time after
	// which a peer that got none counts as stuck.
	stuckBlocks = 4
	// lookEvery is how often the Choker looks for stuck peers while others wait,
	// and stuckShare how many slots are given for each that is found.
	lookEvery  = 200 * time.Millisecond
	stuckShare = 3
)

// stuck reports whether the peer does not read what it asked for: blocks are with its
// writer, and none has gone out for longer than the slots take for several at
// the rate of late, or than one slot does while nobody else gets any either. It
// has no use for a slot. A peer that was found stuck remains so until it reads: the
// rate says little when it is low because nobody reads.
func (c *Choker) stuck(p *Peer) bool {
	if len(p.flying) == 0 {
		return false
	}
	if p.isDeaf() {
		return true
	}
	patience, rest := stuckAfter, uplinkRest
	if rate := c.cfg.SentRate(c.now); rate > 0 {
		patience += takes(rate, stuckBlocks*c.slots)
		rest += takes(rate, stuckBlocks)
	}
	quiet := c.now - p.moved
	return quiet > patience || quiet > rest && c.now-c.sentAt > rest
}

// takes returns how long blocks take at a rate in bytes per second.
func takes(rate int64, blocks int) time.Duration {
	return time.Duration(float64(blocks*block.Size) / float64(rate) * float64(time.Second))
}

// isDeaf reports whether the peer was found stuck and has read nothing since.
func (p *Peer) isDeaf() bool { return p.deaf != 0 && p.deaf == p.moved }

// look gives slots in place of those whose peers are found stuck. For each peer there
// are stuckShare, once: so a crowd that does not read is through within a second or
// two, since each look finds more of it, and cannot have slots multiplied again.
func (c *Choker) look() {
	found, others := 0, false
	for _, p := range c.peers {
		switch {
		case !p.unchoked || len(p.flying) == 0 || p.isDeaf():
		case c.stuck(p):
			if p.deaf == 0 {
				found++
			}
			p.deaf = p.moved
		default:
			others = true
		}
	}
	if found > 0 {
		c.give(c.slots - c.slotsUsed() + (stuckShare-1)*found)
	}
	if others && c.awaited() {
		c.by(dueStuck, c.now+lookEvery)
	}
}
