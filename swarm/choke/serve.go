package choke

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

const (
	// QueueMax bounds the requests of one peer that wait.
	QueueMax = 512
	// windowMin and windowMax bound the blocks of one peer that are with its
	// writer: few for a slow peer, so that a choke or a cancel bites soon, and
	// 1 MiB for a quick one, so that reads and writes can be large.
	windowMin = 4
	windowMax = 1 << 20 / block.Size
	// windowAhead is how long the blocks with the writer may take.
	windowAhead = time.Second / 2
	// chooseAmong is how many waiting requests are looked at for one that is
	// to go first.
	chooseAmong = 64
	// passOverMax is how long a request may wait while later ones go first.
	passOverMax = 750 * time.Millisecond
	// favoursMax is how many blocks a peer gets at a time that had to wait.
	favoursMax = 4
	// giftsMax bounds the blocks that a peer asks for while choked: about the
	// pieces that it was granted, once, as long as they are not huge.
	giftsMax = 256
)

// A Verdict is what becomes of a request.
type Verdict uint8

// The verdicts.
const (
	Queued  Verdict = iota // it will be answered
	Crowded                // too many requests of the peer wait already
	NoSlot                 // the peer has no slot
)

// Request records that the peer asks for a block that we have.
func (c *Choker) Request(now time.Duration, p *Peer, r block.Ref) Verdict {
	c.now = now
	if !p.unchoked && !p.takeGift(r.Piece) {
		return NoSlot
	}
	if len(p.queue) == QueueMax {
		return Crowded
	}
	p.queue = append(p.queue, waiting{r, now})
	c.asked(p, r.Piece)
	c.pump(p)
	return Queued
}

// Cancel takes a request out of the queue. It reports whether there was one: a
// request that is with the writer will be answered.
func (c *Choker) Cancel(p *Peer, r block.Ref) bool {
	for i, w := range p.queue {
		if w.ref == r {
			p.queue = slices.Delete(p.queue, i, i+1)
			return true
		}
	}
	return false
}

// Sent records that the writer of the peer is done with its oldest blocks. The rates of
// its Link count them already.
func (c *Choker) Sent(now time.Duration, p *Peer, count int) {
	c.now = now
	count = min(max(count, 0), len(p.flying))
	p.flying = p.flying[:copy(p.flying, p.flying[count:])]
	if count > 0 {
		p.moved, c.sentAt = now, now
	}
	if len(p.queue) > 0 { // it drains quicker than we fill: as in a slow start
		p.window = min(p.window+count, windowMax)
	}
	c.pump(p)
	if !p.Busy() {
		c.by(dueFill, now+gatherFor)
		if c.hadTurn(p) && c.awaited() {
			c.endTurn(p)
		}
	}
	c.resume()
}

// pump hands blocks to the writer as far as the window of the peer goes.
func (c *Choker) pump(p *Peer) {
	for len(p.flying) < p.window && len(p.queue) > 0 {
		i, use := c.next(p)
		r := p.queue[i].ref
		if use != useful && c.busyElse(p) {
			if c.now-p.since >= turnLeast && c.awaited() {
				c.passTurn(p)
				return
			}
			if use == repeat {
				c.hold(p)
				return
			}
		}
		if c.turnOver(p, r.Piece) {
			c.passTurn(p)
			return
		}
		p.given += int64(r.Length)
		p.piece = r.Piece
		p.queue = slices.Delete(p.queue, i, i+1)
		if len(p.flying) == 0 {
			p.moved = c.now
			c.by(dueStuck, c.now+lookEvery)
		}
		p.flying = append(p.flying, r)
		c.handed(p, r)
		c.do(Send, p, r)
		if c.hadTurn(p) { // the next peer must be ready when the last block is out
			c.by(dueFill, c.now)
		}
	}
}

// A use says what is gained by a block.
type use uint8

const (
	useful  use = iota // nobody has the piece, or we are no sole seed
	overdue            // the piece is out, but the request has waited for long
	repeat             // the piece is out
)

// next returns which waiting request of p goes next, and its use: the first for a piece
// that nobody has and nobody else was promised, or else just the first. A request that
// has waited for long goes next in any case.
func (c *Choker) next(p *Peer) (int, use) {
	if c.owner == nil || !c.Sole() {
		return 0, useful
	}
	first := p.queue[0].ref.Piece
	if c.now-max(p.queue[0].at, p.favour) > passOverMax {
		if p.favours++; p.favours >= favoursMax || c.pieces.Availability(first) == 0 {
			p.favour, p.favours = c.now, 0
		}
		if c.owner[first] == p || c.mayTake(p, first) {
			return 0, useful
		}
		return 0, overdue
	}
	for i, w := range p.queue[:min(len(p.queue), chooseAmong)] {
		if c.mayTake(p, w.ref.Piece) {
			return i, useful
		}
	}
	return 0, repeat
}

// mayTake reports whether nobody has the piece, and it was promised to p or to nobody.
func (c *Choker) mayTake(p *Peer, piece uint32) bool {
	return c.pieces.Availability(piece) == 0 && (c.owner[piece] == p || c.free(piece))
}

// rejectQueue empties the queue of a peer that was choked, but for what the peer may
// have all the same (BEP 6: choke first, then rejects).
func (c *Choker) rejectQueue(p *Peer) {
	keep := p.queue[:0]
	for _, w := range p.queue {
		if p.takeGift(w.ref.Piece) {
			keep = append(keep, w)
			continue
		}
		c.do(Reject, p, w.ref)
	}
	p.queue = keep
}

// Grant lets the peer ask for a piece while it has no slot (BEP 6, "Allowed Fast").
func (p *Peer) Grant(piece uint32) { p.granted = append(p.granted, piece) }

// Granted returns how many pieces the peer may ask for while it has no slot.
func (p *Peer) Granted() int { return len(p.granted) }

// takeGift reports whether a block of the piece can be asked for while choked, and
// counts it.
func (p *Peer) takeGift(piece uint32) bool {
	if p.gifts >= giftsMax || !slices.Contains(p.granted, piece) {
		return false
	}
	p.gifts++
	return true
}
