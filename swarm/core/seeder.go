package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

const (
	// steerAhead is how many pieces a peer is promised beyond those that it has
	// asked for, and steerMax how many in all.
	steerAhead = 2
	steerMax   = 32
	// passOverMax is how long a request may wait while later ones go first.
	passOverMax = 750 * time.Millisecond
	// repeatShare is the share of blocks, one in so many, of which on requests wait
	// twice as long: each that went first for its age is one sent twice.
	repeatShare = 32
	// favoursMax is how many blocks a peer gets at a time that had to wait.
	favoursMax = 4
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

// A seeder sends each piece out once before it repeats any. It is at work while
// we are the only seed that our peers see, and some piece is with nobody else.
// Each such piece is promised to one peer that is unchoked, which is told so by a
// suggestion (BEP 6), and requests for what was promised are served first, then
// those that have waited for passOverMax. Slots go from peer to peer, a piece
// each (see turns.go), to those first that have a part of one. When all pieces are
// promised nobody else gets one: whatever went to them would be a repetition, and the
// last pieces later by it. Super-seeding (BEP 16) goes further and shows
// each peer no other pieces.
type seeder struct {
	owner   []PeerRef // by piece: whom it is promised to, or 0; nil until needed
	covered bool      // some peer was not told of all pieces
	holds   bool      // some peer's requests wait in favour of others

	sent, repeated int // blocks, and those of them that went first for their age
}

// alone reports whether pieces can come from nobody else.
func (s *seeder) alone(t *Torrent) bool {
	return t.seeding() && t.pick.Seeds() == 0 && t.pick.Unseen() > 0 && t.pick.Have().All()
}

// hides reports whether peers are shown some pieces only (BEP 16).
func (s *seeder) hides(t *Torrent) bool { return t.cfg.SuperSeed && s.alone(t) }

func (s *seeder) prepare(t *Torrent) {
	if s.owner == nil {
		s.owner = make([]PeerRef, t.pick.Pieces())
	}
}

// promise finds a piece that nobody has and nobody was promised, for p.
func (s *seeder) promise(t *Torrent, p *peer) (uint32, bool) {
	s.prepare(t)
	n := t.pick.Pieces()
	at := t.rng.IntN(n) // in no order, so that none of the pieces are late for all
	for range min(n, steerTries) {
		piece := uint32(at)
		at = (at + 1) % n
		if s.owner[piece] == 0 && t.pick.Availability(piece) == 0 && !p.has.set.Has(int(piece)) {
			s.give(t, p, piece)
			return piece, true
		}
	}
	return 0, false
}

func (s *seeder) give(t *Torrent, p *peer, piece uint32) {
	s.owner[piece] = p.ref
	p.promised = append(p.promised, promise{piece: piece, since: t.now})
}

// promises gives p the piece that it asks for, if it may have more.
func (s *seeder) promises(t *Torrent, p *peer, piece uint32) bool {
	if len(p.promised) >= steerMax || p.lapsed >= lapsedMax || t.pick.Availability(piece) > 0 {
		return false
	}
	s.give(t, p, piece)
	return true
}

// A promise is a piece that a peer shall get from us and pass on.
type promise struct {
	piece uint32
	asked bool  // it has asked for a block of it
	sent  int64 // bytes of it that were handed to its writer
	since time.Duration
	moved time.Duration // when the last of them were
}

// open reports whether blocks of the piece are still to be sent.
func (m *promise) open(t *Torrent) bool {
	return m.sent < int64(t.layout.PieceSize(int(m.piece))) && t.pick.Availability(m.piece) == 0
}

// handed notes that a block goes out to p. What nobody was promised is its own from
// now on.
func (s *seeder) handed(t *Torrent, p *peer, r block.Ref) {
	s.sent++
	if s.owner != nil && s.owner[r.Piece] == 0 && s.promises(t, p, r.Piece) {
		p.promised[len(p.promised)-1].asked = true
	}
	for i := range p.promised {
		if m := &p.promised[i]; m.piece == r.Piece {
			m.sent += int64(r.Length)
			m.moved = t.now
		}
	}
}

// unfinished reports whether p has got a part of a piece that nobody has: the rest
// of it is to follow, or it has come for nothing.
func (s *seeder) unfinished(t *Torrent, p *peer) bool {
	return slices.ContainsFunc(p.promised, func(m promise) bool { return m.sent > 0 && m.open(t) })
}

// reserved reports whether all that nobody has is promised, and the uplink is in use
// for it.
func (s *seeder) reserved(t *Torrent) bool {
	if !s.alone(t) || t.now-t.sentAt > uplinkRest {
		return false
	}
	left := t.pick.Unseen()
	for _, p := range t.peers.all() {
		for i := range p.promised {
			left -= ifThen(s.firm(t, p, &p.promised[i]), 1, 0)
		}
	}
	return left <= 0
}

// owed reports whether blocks of what p was promised are still to be sent.
func (s *seeder) owed(t *Torrent, p *peer) bool {
	return slices.ContainsFunc(p.promised, func(m promise) bool { return m.open(t) })
}

// settle forgets the promises to p that are fulfilled.
func (s *seeder) settle(t *Torrent, p *peer) {
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if t.pick.Availability(m.piece) == 0 {
			return false
		}
		p.lapsed = ifThen(p.has.counted && p.has.set.Has(int(m.piece)), 0, p.lapsed)
		return true
	})
}

// firm reports whether p gets what it was promised, or has it and may not have said
// so yet.
func (s *seeder) firm(t *Torrent, p *peer, m *promise) bool {
	if t.stuck(p) || t.pick.Availability(m.piece) > 0 {
		return false
	}
	return t.now-max(m.since, p.serve.moved, p.slot.since) < ifThen(p.unchoked && m.open(t),
		promiseQuiet, promiseLife)
}

// lapse takes back what was promised to p in vain.
func (s *seeder) lapse(t *Torrent, p *peer) {
	if len(p.promised) == 0 || s.hides(t) {
		return
	}
	s.settle(t, p)
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if s.firm(t, p, &m) {
			return false
		}
		p.lapsed += ifThen(m.asked, 1, 0)
		s.release(p, m.piece)
		return true
	})
}

// release lets a piece be promised to others.
func (s *seeder) release(p *peer, piece uint32) {
	if s.owner[piece] == p.ref {
		s.owner[piece] = 0
	}
}

// steer suggests pieces to p as long as it has few to fetch.
func (t *Torrent) steer(p *peer) {
	s := &t.seeder
	if !p.unchoked || !p.has.counted || p.has.isSeed() || !s.alone(t) || s.hides(t) || !p.fast {
		return
	}
	s.settle(t, p)
	if p.lapsed >= lapsedMax {
		return
	}
	ahead := 0
	for _, m := range p.promised {
		ahead += ifThen(m.asked, 0, 1)
	}
	for ; ahead < steerAhead && len(p.promised) < steerMax; ahead++ {
		piece, ok := s.promise(t, p)
		if !ok {
			return
		}
		t.out.sendPiece(p, wire.Suggest, piece)
	}
}

// requested notes that p asks for a piece. What nobody was promised is its own
// from now on.
func (s *seeder) requested(t *Torrent, p *peer, piece uint32) {
	if s.owner == nil {
		return
	}
	if s.owner[piece] != p.ref && s.mayGive(t, piece) {
		s.promises(t, p, piece)
	}
	for i := range p.promised {
		if m := &p.promised[i]; m.piece == piece && !m.asked {
			m.asked = true
			t.steer(p)
			return
		}
	}
}

// mayGive reports whether a piece can be promised to who asks for it: nobody was
// promised it, or who was has not asked for it.
func (s *seeder) mayGive(t *Torrent, piece uint32) bool {
	owner := t.peers.live(s.owner[piece])
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
	s.owner[piece] = 0
	return true
}

// choose returns which waiting request of p goes next: the first for a piece
// that nobody has and nobody else was promised, which is useful, or else just the
// first. What has waited for long goes next in any case.
func (s *seeder) choose(t *Torrent, p *peer) (i int, useful bool) {
	queue := p.serve.queue
	if s.owner == nil || !s.alone(t) {
		return 0, true
	}
	patience := ifThen(s.repeated*repeatShare > s.sent, 2*passOverMax, passOverMax)
	if t.now-max(queue[0].at, p.slot.favour) > patience {
		if s.owner[queue[0].ref.Piece] != p.ref {
			s.repeated++
		}
		if p.slot.favours++; p.slot.favours >= favoursMax ||
			t.pick.Availability(queue[0].ref.Piece) == 0 {
			p.slot.favour, p.slot.favours = t.now, 0
		}
		return 0, true
	}
	for i, w := range queue[:min(len(queue), chooseAmong)] {
		piece := w.ref.Piece
		if t.pick.Availability(piece) == 0 && (s.owner[piece] == p.ref || s.mayGive(t, piece)) {
			return i, true
		}
	}
	return 0, false
}

// out goes on when some peer has got a piece.
func (s *seeder) out(t *Torrent, piece uint32) {
	if s.owner == nil {
		return
	}
	owner := t.peers.live(s.owner[piece])
	switch {
	case s.covered && !s.hides(t):
		s.uncover(t)
	case owner == nil:
	case !s.covered:
		t.steer(owner)
	case t.pick.Availability(piece) > 1 || t.peers.count() == 1:
		// It was passed on (BEP 16), or there is nobody to pass it on to.
		s.reveal(t, owner)
	}
}

// leave takes back what was promised to a peer that is gone.
func (s *seeder) leave(ref PeerRef) {
	for i := range s.owner {
		if s.owner[i] == ref {
			s.owner[i] = 0
		}
	}
}

// reveal shows p one more piece.
func (s *seeder) reveal(t *Torrent, p *peer) {
	s.covered = true
	s.settle(t, p)
	if piece, ok := s.promise(t, p); ok {
		t.out.sendPiece(p, wire.Have, piece)
	}
}

// uncover shows all pieces to all peers.
func (s *seeder) uncover(t *Torrent) {
	s.covered = false
	for _, p := range t.peers.all() {
		for piece := range t.pick.Have().Members() {
			if !p.has.counted || !p.has.set.Has(piece) {
				t.out.sendPiece(p, wire.Have, uint32(piece))
			}
		}
	}
	t.tellUploadOnly()
}

// choked takes back what was promised to a peer that loses the slot that it had
// since then, but for pieces of which it got a part in that time.
func (s *seeder) choked(t *Torrent, p *peer, since time.Duration) {
	if s.owner == nil || s.hides(t) {
		return
	}
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if m.sent > 0 && m.moved >= since && m.open(t) {
			return false
		}
		s.release(p, m.piece)
		return true
	})
}
