package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const (
	// punchAfter is the head start of a direct dial. Most peers that can be reached have
	// answered by then, and the SYN that the dial has sent over uTP opens our own router.
	punchAfter = 250 * time.Millisecond
	// punchAgain is when other introducers are asked, after the dial began: the first ones
	// may have lost the peer, or their messages come too late.
	punchAgain = 3 * time.Second
	// introducersMax is how many introducers are asked at a time, and punchRounds how often
	// that happens for one dial.
	introducersMax = 3
	punchRounds    = 2
	// strangersMax bounds those of introducersMax that never told us of the peer. They may
	// know it all the same.
	strangersMax = 2
	// rendezvousMax bounds the dials for which introducers are asked: all that can be under
	// way, with room for what the driver puts off.
	rendezvousMax = 128
	// toldMax bounds the endpoints that are remembered as told by one peer: four full
	// messages (BEP 11).
	toldMax = 4 * wire.PEXMax
	// twinFor is how long after two connections to one peer were made at the same time the
	// end of the one that was kept means that the peer has kept the other.
	twinFor = 5 * time.Second
)

// The budgets of messages about rendezvous, by peer: how many at once, and how long until
// one more is allowed.
const (
	// What we ask of one introducer.
	askBurst = 20
	askEvery = time.Second
	// What one peer may ask of us, and how often one peer may be told to connect to others.
	introduceBurst = 20
	introduceEvery = 2 * time.Second
	// What one introducer may tell us to connect to: a liar makes us send a few SYNs to each
	// of so many hosts.
	connectBurst = 10
	connectEvery = 6 * time.Second
	// What all introducers together may.
	connectAllBurst = 40
	connectAllEvery = 500 * time.Millisecond
)

// A punch arranges that two peers behind routers dial each other at the same moment (BEP
// 55). A rendezvous is what is under way for one of our dials: it begins with the dial,
// asks introducers while there is no answer, and ends with the dial. What was exchanged with
// one peer is in its punchState.
type punch struct {
	peers  *peerTable
	out    *outbox
	pex    *pex
	dialer *dialer
	timers *timers
	under  []rendezvous // oldest first; at most rendezvousMax
	told   allowance    // of all introducers
	turn   int          // whose turn it is among the introducers that told us of nobody
}

// A rendezvous is one dial of ours for which introducers are asked.
type rendezvous struct {
	to     endpoint.Endpoint
	began  time.Duration
	next   time.Duration // when introducers are asked; never once nobody is left
	rounds int           // those that have been
	asked  []PeerRef     // at most introducersMax * punchRounds
}

// punchState is what was exchanged with one peer about rendezvous.
type punchState struct {
	offered  bool             // it was told that it may send us such messages
	knows    []netip.AddrPort // whom it told us of, and that they have the extension
	asked    allowance        // by us
	asks     allowance        // its own
	told     allowance        // to connect to others, by us
	tells    allowance        // to connect to others, its own
	observed endpoint.Endpoint
	// twin is when another connection to the same peer was given up in favour of this one;
	// 0: never.
	twin time.Duration
}

// init sets what x needs of the rest of the torrent.
func (x *punch) init(t *Torrent) {
	x.peers, x.out, x.pex, x.dialer, x.timers = &t.peers, &t.out, &t.pex, &t.dialer, &t.timers
}

// allowed reports whether peers may be introduced to each other. It tells them of each
// other, so it follows the exchange of peers: private torrents (BEP 27) and users who turn
// that off want neither.
func (x *punch) allowed() bool { return x.pex.allowed() }

// announce puts into a handshake whether p may send us such messages.
func (x *punch) announce(p *peer, h *wire.ExtHandshake) {
	switch {
	case x.allowed():
		h.Extensions.Set(wire.ExtHolepunch, uint8(wire.ExtHolepunch))
		p.punch.offered = true
	case p.punch.offered:
		h.Extensions.Set(wire.ExtHolepunch, 0)
	}
}

// learn records whom p tells of: the introducer to the peers that it is connected to.
func (x *punch) learn(p *peer, m *wire.PEX) {
	s := &p.punch
	for _, gone := range m.Dropped {
		if i := slices.Index(s.knows, gone); i >= 0 {
			s.knows = slices.Delete(s.knows, i, i+1)
		}
	}
	for _, a := range m.Added {
		if a.Flags&wire.PEXHolepunch == 0 || slices.Contains(s.knows, a.Addr) {
			continue
		}
		if len(s.knows) >= toldMax {
			s.knows = slices.Delete(s.knows, 0, 1)
		}
		s.knows = append(s.knows, a.Addr)
	}
}

// dialled begins a rendezvous for a dial, unless the dial is one that an introducer has
// arranged.
func (x *punch) dialled(now time.Duration, d book.Dial) {
	if d.Told == limit.Introduced || !x.allowed() || d.Endpoint.Network != endpoint.NetworkIP {
		return
	}
	x.ended(d.Endpoint)
	if len(x.under) >= rendezvousMax {
		x.under = slices.Delete(x.under, 0, 1)
	}
	at := now + punchAfter
	x.under = append(x.under, rendezvous{to: d.Endpoint, began: now, next: at})
	x.timers.by(timerPunch, at)
}

// ended ends the rendezvous for a dial.
func (x *punch) ended(to endpoint.Endpoint) {
	if i := x.find(to); i >= 0 {
		x.under = slices.Delete(x.under, i, i+1)
	}
}

// find returns the index of the rendezvous with the peer at an endpoint, or -1.
func (x *punch) find(to endpoint.Endpoint) int {
	return slices.IndexFunc(x.under, func(r rendezvous) bool { return r.to == to })
}

// expire asks the introducers that are due to be asked.
func (x *punch) expire(now time.Duration) {
	for i := range x.under {
		r := &x.under[i]
		if r.next <= now {
			x.ask(now, r)
		}
		x.timers.by(timerPunch, r.next)
	}
}

// ask sends a rendezvous message to the next introducers, and plans the round after it.
func (x *punch) ask(now time.Duration, r *rendezvous) {
	r.rounds++
	r.next = never
	if r.rounds < punchRounds {
		r.next = max(now, r.began+punchAgain)
	}
	if q := x.connected(r.to); !x.allowed() || q != nil && !q.costly() {
		return
	}
	for _, p := range x.introducers(now, r) {
		r.asked = append(r.asked, p.ref)
		p.punch.asked.take(now, askBurst, askEvery)
		x.send(p, wire.Holepunch{Type: wire.HolepunchRendezvous, Addr: r.to.Addr})
	}
}

// introducers returns whom to ask next for an introduction: peers that have told us of the
// one we dial, and then others.
func (x *punch) introducers(now time.Duration, r *rendezvous) (list []*peer) {
	var others []*peer
	for _, p := range x.peers.all() {
		switch {
		case p.ext.number(wire.ExtHolepunch) == 0, !mayMeet(p.endpoint, r.to),
			!p.punch.asked.allows(now, askBurst, askEvery), slices.Contains(r.asked, p.ref):
		case slices.Contains(p.punch.knows, r.to.Addr):
			list = append(list, p)
		default:
			others = append(others, p)
		}
	}
	if len(list) > introducersMax {
		return list[:introducersMax]
	}
	for range min(strangersMax, introducersMax-len(list), len(others)) {
		x.turn++
		i := x.turn % len(others)
		list = append(list, others[i])
		others = slices.Delete(others, i, i+1)
	}
	return list
}

// mayMeet reports whether somebody at one endpoint may be introduced to somebody at the other:
// they use the same family, and both are on local networks or both are not. A peer outside
// must not be led into our network, and one inside is of no use to it.
func mayMeet(a, b endpoint.Endpoint) bool {
	return a.Host().Is4() == b.Host().Is4() && book.Local(a.Host()) == book.Local(b.Host())
}

// send sends a message about a rendezvous to p. It always has the error code, as BEP 55 says:
// libtorrent leaves it out where it is 0 and takes both forms, and other clients take none
// without.
func (x *punch) send(p *peer, m wire.Holepunch) {
	if n := p.ext.number(wire.ExtHolepunch); n != 0 {
		x.out.sendExtended(p, n, wire.AppendHolepunch(nil, m))
	}
}

// take handles a message about a rendezvous.
func (x *punch) take(now time.Duration, p *peer, m wire.Holepunch) {
	if !x.allowed() || !p.punch.offered || p.ext.number(wire.ExtHolepunch) == 0 {
		p.flood.pointless() // or it has not seen our second handshake yet
		return
	}
	switch m.Type {
	case wire.HolepunchRendezvous:
		x.introduce(now, p, endpoint.IP(m.Addr))
	case wire.HolepunchConnect:
		x.connect(now, p, endpoint.IP(m.Addr))
	case wire.HolepunchFailed:
		x.refused(now, p, endpoint.IP(m.Addr))
	}
}

// introduce makes p and the peer at an endpoint dial each other.
func (x *punch) introduce(now time.Duration, p *peer, to endpoint.Endpoint) {
	if !p.punch.asks.take(now, introduceBurst, introduceEvery) {
		p.flood.pointless()
		return
	}
	p.flood.soundUpTo(holepunchSizeMax)
	q := x.connected(to)
	if why := x.objection(now, p, q, to); why != 0 {
		x.send(p, wire.Holepunch{Type: wire.HolepunchFailed, Addr: to.Addr, Err: why})
		return
	}
	q.punch.told.take(now, introduceBurst, introduceEvery)
	x.send(p, wire.Holepunch{Type: wire.HolepunchConnect, Addr: q.told().Addr})
	x.send(q, wire.Holepunch{Type: wire.HolepunchConnect, Addr: p.told().Addr})
}

// objection returns why p is not introduced to q, which it calls by an endpoint and which is
// nil if nobody is connected there; 0 if nothing speaks against it.
func (x *punch) objection(now time.Duration, p, q *peer, to endpoint.Endpoint) wire.HolepunchError {
	switch {
	case !book.Usable(to):
		return wire.HolepunchNoSuchPeer
	case q == p, x.dialer.isOwn(to):
		return wire.HolepunchNoSelf
	case q == nil, !mayMeet(p.endpoint, q.endpoint), !book.Usable(p.told()),
		!book.Usable(q.told()):
		return wire.HolepunchNotConnected
	case q.ext.number(wire.ExtHolepunch) == 0, !q.punch.told.allows(now, introduceBurst,
		introduceEvery):
		return wire.HolepunchNoSupport
	}
	return 0
}

// connected returns the peer that is known by an endpoint: the other end of its connection,
// or where it says that it accepts connections. It returns nil if there is none.
func (x *punch) connected(at endpoint.Endpoint) *peer {
	var found *peer
	for _, p := range x.peers.all() {
		switch at {
		case p.endpoint, p.punch.observed:
			return p
		case p.listen:
			found = p
		}
	}
	return found
}

// connect dials a peer that dials us at this moment, as the introducer p says.
func (x *punch) connect(now time.Duration, p *peer, at endpoint.Endpoint) {
	if !p.punch.tells.take(now, connectBurst, connectEvery) ||
		!x.told.take(now, connectAllBurst, connectAllEvery) {
		p.flood.pointless()
		return
	}
	p.flood.soundUpTo(holepunchSizeMax)
	q := x.connected(at)
	if !mayMeet(p.endpoint, at) || q != nil && !q.costly() {
		return
	}
	x.dialer.introduced(now, book.Rumour{Endpoint: at, Source: book.SourcePEX, UTP: true,
		Teller: limit.SourceOf(p.endpoint.Host())}, q != nil)
}

// refused asks others at once after an introducer has refused.
func (x *punch) refused(now time.Duration, p *peer, to endpoint.Endpoint) {
	p.punch.knows = slices.DeleteFunc(p.punch.knows, func(a netip.AddrPort) bool {
		return a == to.Addr
	})
	i := x.find(to)
	if i < 0 || !slices.Contains(x.under[i].asked, p.ref) {
		p.flood.pointless()
		return
	}
	p.flood.soundUpTo(holepunchSizeMax)
	if r := &x.under[i]; r.rounds < punchRounds && r.next > now {
		r.next = now
		x.timers.by(timerPunch, now)
	}
}

// holepunchSizeMax is the size in bytes of the largest message about a rendezvous, with the
// two bytes of the extension protocol.
const holepunchSizeMax = 2 + 24

// observe records the endpoint from which the peer has come by uTP.
func (s *punchState) observe(at endpoint.Endpoint) { s.observed = at }

// seen returns the endpoint from which the peer has come by uTP; it is not valid if it has not.
func (s *punchState) seen() endpoint.Endpoint { return s.observed }

// merged records that of two connections to the same peer one was given up. The uTP endpoint
// of either is that of the peer.
func (s *punchState) merged(other *punchState, now time.Duration) {
	if !s.observed.IsValid() {
		s.observed = other.observed
	}
	s.twin = max(now, 1)
}

// deserted dials the peer of a connection that the other end has closed, if both sides may
// have made one at the same time: some programs keep the one that we give up, or neither.
// Its router still lets us in.
func (x *punch) deserted(now time.Duration, p *peer) {
	twin := p.punch.twin
	crossed := twin > 0 && now-twin <= twinFor || p.punched && now-p.since <= twinFor
	if !crossed || p.down.sum()+p.up.sum() > 0 || !x.allowed() {
		return
	}
	x.dialer.deserted(now, p.told())
}

// An allowance is how many messages of a kind are left: so many at once, and one more from
// time to time. The zero allowance is full.
type allowance struct {
	used int
	at   time.Duration // when used was up to date
}

// allows reports whether one more is allowed.
func (a *allowance) allows(now time.Duration, burst int, every time.Duration) bool {
	if n := int((now - a.at) / every); n > 0 {
		a.used = max(0, a.used-n)
		a.at += time.Duration(n) * every
	}
	return a.used < burst
}

// take uses one up, and reports whether it was allowed.
func (a *allowance) take(now time.Duration, burst int, every time.Duration) bool {
	if !a.allows(now, burst, every) {
		return false
	}
	a.used++
	return true
}
