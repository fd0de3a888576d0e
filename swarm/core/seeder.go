package core

import (
	"slices"
	"time"

	"swarmnode/swarm/wire"
)

const (
	// steerAhead is how many pieces a peer is promised beyond those that it has
	// asked for, and steerMax how many in all.
	steerAhead = 2
	steerMax   = 32
	// passOverMax is how long a request may wait while later ones go first.
	passOverMax = 750 * time.Millisecond
	// favoursMax is how many blocks a peer gets at a time that had to wait.
	favoursMax = 4
	// steerTries bounds the search for a piece to suggest, in pieces.
	steerTries = 4096
)

// A seeder sends each piece out once before it repeats any. It is at work while
// we are the only seed that our peers see, and some piece is with nobody else.
// Each such piece is promised to one peer that is unchoked, which is told so by a
// suggestion (BEP 6), and requests for what was promised are served first, then
// those that have waited for passOverMax. Slots go from peer to peer, a piece
// each (see turns.go). Super-seeding (BEP 16) goes further and shows
// each peer no other pieces.
type seeder struct {
	owner   []PeerRef // by piece: whom it is promised to, or 0; nil until needed
	covered bool      // some peer was not told of all pieces
	holds   bool      // some peer's requests wait in favour of others
}

// alone tells whether pieces can come from nobody else.
func (s *seeder) alone(t *Torrent) bool {
	return t.seeding() && t.pick.Seeds() == 0 && t.pick.Unseen() > 0 && t.pick.Have().All()
}

// hides tells whether peers are shown some pieces only (BEP 16).
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
			s.give(p, piece)
			return piece, true
		}
	}
	return 0, false
}

func (s *seeder) give(p *peer, piece uint32) {
	s.owner[piece] = p.ref
	p.promised = append(p.promised, promise{piece: piece})
}

// A promise is a piece that a peer shall get from us and pass on.
type promise struct {
	piece uint32
	asked bool // it has asked for a block of it
}

// settle forgets the promises to p that are fulfilled.
func (s *seeder) settle(t *Torrent, p *peer) {
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		return t.pick.Availability(m.piece) > 0
	})
}

// steer suggests pieces to p as long as it has few to fetch.
func (t *Torrent) steer(p *peer) {
	s := &t.seeder
	if !p.unchoked || !p.has.counted || p.has.isSeed() || !s.alone(t) || s.hides(t) || !p.fast {
		return
	}
	s.settle(t, p)
	ahead := 0
	for _, m := range p.promised {
		ahead += ifThen(m.asked, 0, 1)
	}
	for ; ahead < steerAhead && len(p.promised) < steerMax; ahead++ {
		piece, ok := s.promise(t, p)
		if !ok {
			return
		}
		t.sendPiece(p, wire.Suggest, piece)
	}
}

// requested notes that p asks for a piece. What nobody was promised is its own
// from now on.
func (s *seeder) requested(t *Torrent, p *peer, piece uint32) {
	if s.owner == nil {
		return
	}
	if owner := s.owner[piece]; len(p.promised) < steerMax && owner != p.ref && s.mayGive(t, piece) {
		s.give(p, piece)
	}
	for i := range p.promised {
		if m := &p.promised[i]; m.piece == piece && !m.asked {
			m.asked = true
			t.steer(p)
			return
		}
	}
}

// mayGive tells whether a piece can be promised to who asks for it: nobody was
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
	if t.now-max(queue[0].at, p.slot.favour) > passOverMax {
		if p.slot.favours++; p.slot.favours >= favoursMax || t.pick.Availability(queue[0].ref.Piece) == 0 {
			p.slot.favour, p.slot.favours = t.now, 0
		}
		return 0, true
	}
	for i, w := range queue[:min(len(queue), chooseAmong)] {
		owner := s.owner[w.ref.Piece]
		if t.pick.Availability(w.ref.Piece) == 0 && (owner == 0 || owner == p.ref) {
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
	case t.pick.Availability(piece) > 1 || len(t.peers.list) == 1:
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
		t.sendPiece(p, wire.Have, piece)
	}
}

// uncover shows all pieces to all peers.
func (s *seeder) uncover(t *Torrent) {
	s.covered = false
	for _, p := range t.peers.list {
		for piece := range t.pick.Have().Members() {
			if !p.has.counted || !p.has.set.Has(piece) {
				t.sendPiece(p, wire.Have, uint32(piece))
			}
		}
	}
	t.tellUploadOnly()
}

// choked takes back what was promised to a peer that cannot ask for it now, but
// for the piece of which it has a part.
func (s *seeder) choked(t *Torrent, p *peer) {
	if s.owner == nil || s.hides(t) {
		return
	}
	p.promised = slices.DeleteFunc(p.promised, func(m promise) bool {
		if m.piece == p.slot.piece && p.slot.given > 0 {
			return false
		}
		if s.owner[m.piece] == p.ref {
			s.owner[m.piece] = 0
		}
		return true
	})
}
