package core

import (
	"bytes"
	"time"
)

const (
	// quietAfter is how long a connection is silent before another one of the
	// same peer, made in the same direction, takes its place: the peer may
	// have moved and the old path be dead.
	quietAfter = 2 * time.Second
)

// settleDuplicates keeps one of several connections to the same peer, and not
// too many to one source. It reports whether p stays.
func (t *Torrent) settleDuplicates(p *peer) bool {
	same := 0
	for _, q := range t.peers.snapshot() {
		switch {
		case q == p:
		case q.id == p.id && q.source != p.source:
			if t.serves(q) && !t.fellSilent(q) {
				return false
			}
			t.moveAsks(q)
		case q.id == p.id:
			if !t.settle(p, q) {
				return false
			}
		case q.source == p.source:
			same++
		}
	}
	if same < perSourceConnsMax || !p.network.IsValid() {
		return true
	}
	// A household is not locked out by what one of its hosts has left behind.
	worst := t.leastUseful(p, func(q *peer) bool { return q.source == p.source }, t.crowds())
	if worst != nil {
		t.drop(worst, ReasonEvicted)
	}
	return worst != nil
}

// serves reports whether blocks come from p, and right ones came. Only then may it
// keep out another one with its id at another address: who says an id need not
// own it, so a connection is never ended, and an idle one keeps nobody out, for
// the sake of an id that comes from elsewhere.
func (t *Torrent) serves(p *peer) bool {
	return p.trust.proven && p.down.recent(t.now) > 0
}

// settle drops old if p is to take its place, and reports whether p stays. Of a
// connection in each direction both ends keep the one that the peer with the
// greater id made, so that they keep the same one.
func (t *Torrent) settle(p, old *peer) bool {
	stays := t.now-old.silence.lastHeard() > quietAfter
	if p.outgoing != old.outgoing && !t.gaveUp(old) {
		weMade := bytes.Compare(t.cfg.PeerID[:], p.id[:]) > 0
		stays = p.outgoing == weMade
	}
	// Either way the address that was dialled is now known to be connected.
	if stays {
		if !p.listen.IsValid() {
			p.listen = old.listen
		}
		t.drop(old, ReasonDuplicate)
		t.book.joined(p.listen, p.ref, t.now)
		return true
	}
	if !old.listen.IsValid() {
		old.listen = p.listen
	}
	t.book.joined(old.listen, old.ref, t.now)
	return false
}
