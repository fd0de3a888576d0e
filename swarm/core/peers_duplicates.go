package core

import (
	"bytes"
	"time"

	"swarmnode/swarm/book"
)

// quietAfter is how long a connection is silent before another one of the same
// peer, made in the same direction, takes its place: the peer may have moved and
// the old path be dead.
const quietAfter = 2 * time.Second

// insistWithin is how long it counts that a peer was turned down, when it comes again.
const insistWithin = 10 * time.Second

// resolveDuplicates keeps one of several connections to the same peer, and not too many
// to one source. It reports whether p stays.
//
// A peer that claims an id need not own it. So only a peer that sends right blocks
// keeps out another one with its id at another address: a connection is never ended,
// and an idle one keeps nobody out, for the sake of an id that comes from elsewhere.
func (t *Torrent) resolveDuplicates(p *peer) bool {
	same := 0
	for _, q := range t.peers.snapshot() {
		switch {
		case q == p:
		case q.id == p.id && p.costly() != q.costly():
			if stays, _ := p.relayedTwin(q, t.now); !stays {
				return false
			}
		case q.id == p.id && q.source != p.source:
			if q.serves(t.now) && !q.fellSilent(t.now) {
				return false
			}
			if q.ask.waiting() > 0 && q.fellSilent(t.now) {
				t.requests.elsewhere(q, t.now) // nothing comes from q
			}
		case q.id == p.id:
			stays := p.replaces(q, t.cfg.PeerID, q.lostPath(t.now), t.now) || p.insists(q, t.now)
			t.merge(p, q, stays)
			if !stays {
				q.turnDown(p, t.now)
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
	return t.evict(t.peers.eviction(t.now, t.book.Priority).leastUseful(p,
		func(q *peer) bool { return q.source == p.source }))
}

// replaces reports whether a new connection takes the place of an old one to the same
// peer, which the peer may have given up. Of a connection in each direction both ends
// keep the one that the peer with the greater id made, so that they keep the same one.
func (p *peer) replaces(old *peer, ours [20]byte, gaveUp bool, now time.Duration) bool {
	if p.outgoing != old.outgoing && !gaveUp {
		weMade := bytes.Compare(ours[:], p.id[:]) > 0
		return p.outgoing == weMade
	}
	return now-old.silence.lastHeard() > quietAfter
}

// turnDown records that a new connection of the peer is turned down in favour of p.
func (p *peer) turnDown(other *peer, now time.Duration) {
	again := p.turned > 0 && now-p.turned <= insistWithin && p.silence.lastHeard() <= p.turned
	if !other.outgoing && !again {
		p.turned = now
	}
}

// insists reports whether the peer of a new connection must have lost the old one, though it
// was heard a moment ago: a router has forgotten it. The peer has come before, was turned down,
// and has been silent on the old connection since. If it still had that, it would stay with it.
func (p *peer) insists(old *peer, now time.Duration) bool {
	since := now - old.turned
	return !p.outgoing && old.turned > 0 && since >= twinSilence && since <= insistWithin &&
		old.silence.lastHeard() <= old.turned
}

// merge makes one of two connections to the same peer: p, or old unless replaced.
// Either way the address that was dialled is now known to be connected.
func (t *Torrent) merge(p, old *peer, replaced bool) {
	kept, other := old, p
	if replaced {
		kept, other = p, old
	}
	kept.punch.merged(&other.punch, t.now)
	if !kept.listen.IsValid() {
		kept.listen = other.listen
	}
	if replaced {
		t.drop(old, ReasonDuplicate)
	}
	t.book.Joined(t.now, kept.listen, book.Conn(kept.ref))
}
