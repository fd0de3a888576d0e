package core

import (
	"slices"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const (
	// directFirst is the wait until a peer that a relay carries is dialled without the relay
	// again, and directMax the longest. The wait grows by half with each attempt.
	directFirst = 2 * time.Minute
	directMax   = 5 * time.Minute
	// twinSettles is how long a direct connection has to last before the relayed one to the
	// same peer ends, and twinWait how long that waits for its last blocks.
	twinSettles = 2 * time.Second
	twinWait    = 15 * time.Second
)

// relays know at which relays others reach us, and which connections a relay carries. Such a
// connection is costly: the relay is slow, and somebody else pays for it. A costly peer is asked
// only for what direct peers do not give, and gets a slot after them. It is dialled directly now
// and then, and its connection ends when a direct one works.
type relays struct {
	ours []endpoint.Endpoint // that lead to us, at most wire.RelaysMax
}

// relayed is what a connection has to do with relays.
type relayed struct {
	told  []endpoint.Endpoint // that lead to the peer, as it says; at most wire.RelaysMax
	port  uint16              // of the relay of ours by which it came; 0 for none
	freed bool                // told was given to the book: the peer is silent
	next  time.Duration       // when it is dialled directly, if it is costly
	wait  time.Duration       // after that attempt
	twin  time.Duration       // since when there is a direct connection to the peer, or 0
}

// costly reports whether a relay carries the connection: one of ours, or one that leads to the
// peer.
func (p *peer) costly() bool {
	return p.transport == endpoint.TransportRelay || p.relayed.leadsTo(p.endpoint)
}

// leadsTo reports whether the peer says that it is reached at an endpoint by a relay.
func (r *relayed) leadsTo(at endpoint.Endpoint) bool { return slices.Contains(r.told, at) }

// known returns the relays that lead to the peer, as it says. Nobody may change the list.
func (r *relayed) known() []endpoint.Endpoint { return r.told }

// change takes note of a relay that leads to us from now on, or no more, and tells the peers. It
// serves the events RelayFound and RelayLost.
func (r *relays) change(t *Torrent, at endpoint.Endpoint, found bool) {
	i := slices.Index(r.ours, at)
	switch {
	case found && i < 0 && len(r.ours) < wire.RelaysMax && at.Dialable():
		r.ours = append(r.ours, at)
	case !found && i >= 0:
		r.ours = slices.Delete(r.ours, i, i+1)
	default:
		return
	}
	for _, p := range t.peers.all() {
		if p.extended && !p.isServer() {
			t.sendExtHandshake(p)
		}
	}
}

// announce writes the relays that lead to us into an extension handshake. A peer of a local
// network does not need them. A peer that came by one of them may tell others of our address as
// it sees it and the port that we name, so it is named the port of the relay.
func (r *relays) announce(p *peer, h *wire.ExtHandshake) {
	if p.relayed.port != 0 {
		h.Port = p.relayed.port
	}
	if book.Local(p.endpoint.Host()) && !slices.ContainsFunc(r.ours,
		func(at endpoint.Endpoint) bool { return book.Local(at.Host()) }) {
		return
	}
	for i, at := range r.ours {
		h.Relays[i] = at.Addr
	}
}

// join prepares a new connection. port is that of the relay of ours which carries it, or 0.
func (r *relays) join(t *Torrent, p *peer, port uint16) {
	p.relayed.port = port
	p.relayed.next, p.relayed.wait = t.now+directFirst, directFirst
	t.choker.SetCostly(p.slot, p.costly())
}

// hear takes note of the relays that lead to a peer, as its extension handshake says. They are
// not dialled at once, since the peer is connected: if it tells the truth, the dial meets the
// same peer again.
func (r *relays) hear(t *Torrent, p *peer, h *wire.ExtHandshake) {
	p.relayed.told = p.relayed.told[:0]
	for _, a := range h.Relays {
		at := endpoint.IP(a)
		if !a.IsValid() || !book.Usable(at) ||
			book.Local(at.Host()) && !book.Local(p.endpoint.Host()) {
			continue
		}
		p.relayed.told = append(p.relayed.told, at)
	}
	t.choker.SetCostly(p.slot, p.costly())
	if !t.dialer.shares() {
		return
	}
	for _, at := range p.relayed.told {
		if !t.book.Knows(at) {
			t.book.Hear(t.now, book.Rumour{Endpoint: at, Source: book.SourcePEX,
				Teller: limit.SourceOf(p.endpoint.Host()), UTP: true})
		}
		t.book.Claim(t.now+directFirst, at, book.Conn(p.ref))
	}
}

// free lets the other relays that lead to a peer be dialled from next on, because its
// connection has ended or is silent.
func (r *relays) free(t *Torrent, p *peer, next time.Duration) {
	for _, at := range p.relayed.told {
		if at != p.endpoint && at != p.listen {
			t.book.Free(next, at, book.Conn(p.ref))
		}
	}
	t.timers.by(timerDial, next)
}

// leave takes note of the end of a connection. If it was lost, the other relays that lead to
// the peer are dialled at once.
func (r *relays) leave(t *Torrent, p *peer, lost bool) {
	if len(p.relayed.told) == 0 {
		return
	}
	for _, q := range t.peers.all() {
		if q != p && q.id == p.id {
			if p.costly() { // q is the peer of that endpoint
				t.book.Joined(t.now, p.endpoint, book.Conn(q.ref))
			}
			for _, at := range p.relayed.told {
				t.book.Claim(t.now+directFirst, at, book.Conn(q.ref))
			}
			return
		}
	}
	next := t.now + directFirst
	if lost {
		next = t.now
	}
	r.free(t, p, next)
}

// retry makes all costly peers be dialled directly at once: where we stand has changed.
func (r *relays) retry(t *Torrent) {
	for _, p := range t.peers.all() {
		p.relayed.next, p.relayed.wait = t.now, directFirst
	}
	t.timers.by(timerSweep, t.now)
}

// sweep does what is due for a peer once a second. It reports whether the peer stays.
func (r *relays) sweep(t *Torrent, p *peer) bool {
	if len(p.relayed.told) > 0 {
		if silent := p.costly() && p.broke(t.now); silent != p.relayed.freed {
			if p.relayed.freed = silent; silent {
				r.free(t, p, t.now)
			}
		}
	}
	if !p.costly() {
		return true
	}
	if twin := t.peers.direct(p); twin == nil {
		p.relayed.twin = 0
	} else if r.handOver(t, p, twin) {
		t.drop(p, ReasonDuplicate)
		return false
	} else {
		return true
	}
	if t.now < p.relayed.next || p.relayed.leadsTo(p.listen) || !p.listen.IsValid() {
		return true
	}
	p.relayed.next = t.now + p.relayed.wait
	p.relayed.wait = min(p.relayed.wait*3/2, directMax)
	if again, ok := t.book.Again(t.now, p.listen, book.Conn(p.ref)); ok {
		t.dialer.give(t.now, again)
	}
	return true
}

// broke reports whether a peer with which blocks were exchanged has been silent for so long
// that its relay may be gone. A peer that is sent blocks asks for others meanwhile.
func (p *peer) broke(now time.Duration) bool {
	silence := now - p.silence.lastHeard()
	rate := max(p.down.rate(now), p.up.rate(now))
	return (p.ask.waiting() > 0 || len(p.slot.Flying()) > 0) && silence >= silenceMin &&
		silence >= wait(max(rate, 1), silenceBlocks)
}

// handOver reports whether a costly connection should end, because a direct one to the same
// peer has taken over: the direct one has moved blocks, and nothing is outstanding by the other.
// A stranger who claims the id of a peer gains nothing before it has moved blocks.
func (r *relays) handOver(t *Torrent, p, twin *peer) bool {
	if p.relayed.twin == 0 {
		p.relayed.twin = t.now
	}
	lasted := t.now - p.relayed.twin
	switch {
	case lasted < twinSettles, twin.down.sum()+twin.up.sum() == 0 && twin.source != p.source:
		return false
	case p.ask.waiting() == 0 && !p.slot.Busy():
		return true
	}
	return lasted >= twinWait
}

// direct returns a connection to the peer at the other end of p that no relay carries, or nil.
func (pt *peerTable) direct(p *peer) *peer {
	for _, q := range pt.all() {
		if q != p && q.id == p.id && !q.costly() {
			return q
		}
	}
	return nil
}

// relayedTwin resolves a new connection to a peer that has another one, if a relay carries one
// of the two. Both stay if the new one is direct: the old one ends when the new one has taken
// over (see relays.sweep). known is false if it is a case for resolveDuplicates.
func (p *peer) relayedTwin(old *peer, now time.Duration) (stays, known bool) {
	switch {
	case p.costly() == old.costly():
		return false, false
	case old.costly():
		return true, true
	}
	return old.fellSilent(now) || old.lostPath(now), true
}
