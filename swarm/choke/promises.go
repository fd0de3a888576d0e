package choke

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

const (
	// steerAhead is how many pieces a peer is promised beyond those that it has
	// asked for, and steerMax how many in all.
	steerAhead = 2
	steerMax   = 32
	// promiseQuiet is how long no block has to go out to a peer that has a slot, and
	// promiseLife how long one has to wait for a slot, or be silent when all of a
	// piece is out, before it is promised nothing any longer; lapsedMax is how many
	// promises in a row a peer may let lapse before it is made no others.
	promiseQuiet = 2 * time.Second
	promiseLife  = 10 * time.Second
	lapsedMax    = 2
	// steerTries bounds the search for a piece to suggest, in pieces.
	steerTries = 4096
)

// A promise is a piece that a peer shall get from us and pass on.
type promise struct {
	piece uint32
	asked bool  // the peer has asked for a block of it
	sent  int64 // bytes of it that were handed to the writer
	since time.Duration
	moved time.Duration // when the last of them were
}

// Sole reports whether pieces can come from nobody else.
func (c *Choker) Sole() bool {
	return c.seeding() && c.pieces.Seeds() == 0 && c.pieces.Unseen() > 0 && c.pieces.Have().All()
}

// Hides reports whether peers are shown some pieces only (BEP 16).
func (c *Choker) Hides() bool { return c.cfg.SuperSeed && c.Sole() }

// Cover records that a peer was told that we have nothing. Knows reveals the first piece.
func (c *Choker) Cover() { c.covered = true }

// open reports whether blocks of the piece are still to be sent.
func (c *Choker) open(m *promise) bool {
	return m.sent < int64(c.size(int(m.piece))) && c.pieces.Availability(m.piece) == 0
}

// promise finds a piece that nobody has and nobody was promised, for p.
func (c *Choker) promise(p *Peer) (uint32, bool) {
	n := c.pieces.Pieces()
	if c.owner == nil {
		c.owner = make([]*Peer, n)
	}
	at := c.cfg.Rand.IntN(n) // in no order, so that none of the pieces are late for all
	for range min(n, steerTries) {
		piece := uint32(at)
		at = (at + 1) % n
		if c.owner[piece] == nil && c.pieces.Availability(piece) == 0 && !p.hasPiece(piece) {
			c.assign(p, piece)
			return piece, true
		}
	}
	return 0, false
}

func (c *Choker) assign(p *Peer, piece uint32) {
	c.owner[piece] = p
	p.promised = append(p.promised, promise{piece: piece, since: c.now})
}

// claim promises p the piece that it asks for, if p may have more.
func (c *Choker) claim(p *Peer, piece uint32) bool {
	if len(p.promised) >= steerMax || p.lapsed >= lapsedMax || c.pieces.Availability(piece) > 0 {
		return false
	}
	c.assign(p, piece)
	return true
}

// handed records that a block goes out to p. A piece that nobody was promised is p's
// from now on.
func (c *Choker) handed(p *Peer, r block.Ref) {
	if c.owner != nil && c.owner[r.Piece] == nil && c.claim(p, r.Piece) {
		p.promised[len(p.promised)-1].asked = true
	}
	for i := range p.promised {
		if m := &p.promised[i]; m.piece == r.Piece {
			m.sent += int64(r.Length)
			m.moved = c.now
		}
	}
}

// unfinished reports whether p has got a part of a piece that nobody has: the rest
// of it is to follow, or the part has come for nothing.
func (c *Choker) unfinished(p *Peer) bool {
	for i := range p.promised {
		if m := &p.promised[i]; m.sent > 0 && c.open(m) {
			return true
		}
	}
	return false
}

// owed reports whether blocks of what p was promised are still to be sent.
func (c *Choker) owed(p *Peer) bool {
	for i := range p.promised {
		if c.open(&p.promised[i]) {
			return true
		}
	}
	return false
}

// reserved reports whether all that nobody has is promised, and the uplink is in use
// for it.
func (c *Choker) reserved() bool {
	if !c.Sole() || c.resting() {
		return false
	}
	left := c.pieces.Unseen()
	for _, p := range c.peers {
		if len(p.promised) == 0 || c.stuck(p) {
			continue
		}
		for i := range p.promised {
			if c.firm(p, &p.promised[i]) {
				left--
			}
		}
	}
	return left <= 0
}

// firm reports whether p, which is not stuck, gets what it was promised, or has it and
// may not have said so yet.
func (c *Choker) firm(p *Peer, m *promise) bool {
	if c.pieces.Availability(m.piece) > 0 {
		return false
	}
	life := promiseLife
	if p.unchoked && c.open(m) {
		life = promiseQuiet
	}
	return c.now-max(m.since, p.moved, p.since) < life
}

// forgetKept forgets the promises to p that are kept: some peer has the piece.
func (c *Choker) forgetKept(p *Peer) {
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if c.pieces.Availability(m.piece) == 0 {
			return false
		}
		if p.hasPiece(m.piece) {
			p.lapsed = 0
		}
		return true
	})
}

// lapse takes back the promises that p does not use.
func (c *Choker) lapse(p *Peer) {
	if len(p.promised) == 0 || c.Hides() {
		return
	}
	c.forgetKept(p)
	stuck := c.stuck(p)
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if !stuck && c.firm(p, &m) {
			return false
		}
		if m.asked {
			p.lapsed++
		}
		c.release(p, m.piece)
		return true
	})
}

// release lets a piece be promised to others.
func (c *Choker) release(p *Peer, piece uint32) {
	if c.owner[piece] == p {
		c.owner[piece] = nil
	}
}

// forget takes back what was promised to a peer that is gone. A torrent without peers
// keeps no table of promises: most torrents of a large seeder have no peer at a time.
func (c *Choker) forget(p *Peer) {
	if len(c.peers) == 0 {
		c.owner, c.covered = nil, false
	}
	for i := range c.owner {
		if c.owner[i] == p {
			c.owner[i] = nil
		}
	}
}

// keepBegun takes back what was promised to a peer that loses the slot that it had
// since then, but for pieces of which it got a part in that time.
func (c *Choker) keepBegun(p *Peer, since time.Duration) {
	if c.owner == nil || c.Hides() {
		return
	}
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if m.sent > 0 && m.moved >= since && c.open(&m) {
			return false
		}
		c.release(p, m.piece)
		return true
	})
}

// steer suggests pieces to p as long as it has few to fetch.
func (c *Choker) steer(p *Peer) {
	if !p.unchoked || p.has == nil || p.isSeed() || !p.fast || !c.Sole() || c.Hides() {
		return
	}
	c.forgetKept(p)
	if p.lapsed >= lapsedMax {
		return
	}
	ahead := 0
	for _, m := range p.promised {
		if !m.asked {
			ahead++
		}
	}
	for ; ahead < steerAhead && len(p.promised) < steerMax; ahead++ {
		piece, ok := c.promise(p)
		if !ok {
			return
		}
		c.doPiece(Suggest, p, piece)
	}
}

// asked records that p asks for a piece. A piece that nobody was promised is p's from
// now on.
func (c *Choker) asked(p *Peer, piece uint32) {
	if c.owner == nil {
		return
	}
	if c.owner[piece] != p && c.free(piece) {
		c.claim(p, piece)
	}
	for i := range p.promised {
		if m := &p.promised[i]; m.piece == piece && !m.asked {
			m.asked = true
			c.steer(p)
			return
		}
	}
}

// free makes a piece nobody's, unless it was promised to a peer that has asked for
// it. It reports whether the piece is nobody's.
func (c *Choker) free(piece uint32) bool {
	owner := c.owner[piece]
	if owner == nil {
		return true
	}
	i := slices.IndexFunc(owner.promised, func(m promise) bool { return m.piece == piece })
	if i >= 0 && owner.promised[i].asked {
		return false
	}
	if i >= 0 {
		owner.promised = slices.Delete(owner.promised, i, i+1)
	}
	c.owner[piece] = nil
	return true
}

// out goes on when some peer has got a piece.
func (c *Choker) out(piece uint32) {
	if c.covered && !c.Hides() {
		c.covered = false
		c.steps = append(c.steps, Step{Kind: ShowAll})
		return
	}
	if c.owner == nil {
		return
	}
	owner := c.owner[piece]
	switch {
	case owner == nil:
	case !c.covered:
		c.steer(owner)
	case c.pieces.Availability(piece) > 1 || len(c.peers) == 1:
		// It was passed on (BEP 16), or there is nobody to pass it on to.
		c.reveal(owner)
	}
}

// reveal shows p one more piece, unless many of those that it was shown are still to go
// out: each peer that gets one of them makes it see another.
func (c *Choker) reveal(p *Peer) {
	c.covered = true
	c.forgetKept(p)
	if len(p.promised) >= steerMax {
		return
	}
	if piece, ok := c.promise(p); ok {
		c.doPiece(Have, p, piece)
	}
}
