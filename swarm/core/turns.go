package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

const (
	// turnBytes and turnLeast are what a peer gets at least, and for how long,
	// before a sole seed turns to the next one: whole pieces, and not so few
	// that the time goes into choking.
	turnBytes = 256 << 10
	turnLeast = 250 * time.Millisecond
	// quietMax is how long no block has to go out to a peer for it to hold up no
	// other.
	quietMax = 750 * time.Millisecond
)

// turnOver reports whether p has had its turn at a sole seed, so that the next
// piece goes to another peer: what all lack then spreads from as many peers as
// there are, not only from the first ones.
func (t *Torrent) turnOver(p *peer, piece uint32) bool {
	return piece != p.slot.piece && t.hadTurn(p) && t.awaited()
}

// hadTurn reports whether p has got its share at a sole seed.
func (t *Torrent) hadTurn(p *peer) bool {
	return p.unchoked && p.slot.given >= max(int64(t.layout.PieceLength), turnBytes) &&
		t.now-p.slot.since >= turnLeast && t.seeder.alone(t)
}

// awaited reports whether somebody waits for a slot.
func (t *Torrent) awaited() bool {
	for _, p := range t.peers.all() {
		if p.interested && !p.unchoked && !t.stuck(p) {
			return true
		}
	}
	return false
}

// endTurn gives the slot of p to another peer.
func (t *Torrent) endTurn(p *peer) {
	t.choke(p)
	t.fillSlots()
}

// passesOn reports whether the piece that p got last has come further, or it had no
// slot yet.
func (t *Torrent) passesOn(p *peer) bool {
	return p.slot.since == 0 || t.pick.Availability(p.slot.piece) > 1
}

// busyElse reports whether blocks that nobody has are on their way to another peer
// than p that reads them.
func (t *Torrent) busyElse(p *peer) bool {
	unseen := func(r block.Ref) bool { return t.pick.Availability(r.Piece) == 0 }
	for _, q := range t.peers.all() {
		if q != p && len(q.serve.flying) > 0 && t.now-q.serve.moved < quietMax && !t.stuck(q) &&
			slices.ContainsFunc(q.serve.flying, unseen) {
			return true
		}
	}
	return false
}

// hold has the requests of p wait in favour of others. If all that nobody has is
// promised to these it gives up its slot.
func (t *Torrent) hold(p *peer) {
	s := &t.seeder
	switch {
	case s.owed(t, p) || !s.reserved(t):
		s.holds = true
	case len(p.serve.flying) == 0:
		t.endTurn(p)
	}
}

// pumpHeld goes on with those whose requests were held back in favour of others.
func (t *Torrent) pumpHeld() {
	if !t.seeder.holds {
		return
	}
	t.seeder.holds = false
	for _, p := range t.peers.all() {
		if len(p.serve.queue) > 0 && len(p.serve.flying) == 0 {
			t.pump(p)
		}
	}
}
