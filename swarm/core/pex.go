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
	// pexEvery is how often a peer is told of others (BEP 11: "no more than
	// one message a minute").
	pexEvery = time.Minute
	// pexFirst is from when on it is told, by the next sweep: late enough for a few
	// peers to have said where they listen, and within two seconds.
	pexFirst = time.Second
	// pexTolerated is how many messages a peer may send a minute, on average
	// over its last ones; some clients send one at once and then on the minute.
	pexTolerated = 2
	// pexSizeMax is the size in bytes of the largest message whose parts are all
	// useful: PEXMax peers of IPv6 added and as many dropped, with flags.
	pexSizeMax = 2500
	// pexStrikes is how many messages too many end the connection.
	pexStrikes = 20
)

// A pex exchanges the endpoints of peers with other peers (BEP 11). What was exchanged
// with one peer is in its pexState.
type pex struct {
	peers  *peerTable
	out    *outbox
	dialer *dialer
	punch  *punch
	off    bool // the user wants none of it
}

// init sets what x needs of the rest of the torrent.
func (x *pex) init(t *Torrent) {
	x.peers, x.out, x.dialer, x.off = &t.peers, &t.out, &t.dialer, t.cfg.NoPEX
	x.punch = &t.punch
}

// allowed reports whether peers may be exchanged.
func (x *pex) allowed() bool { return !x.off && x.dialer.shares() }

// turn turns the exchange on or off, and says so to the peers of t: a later handshake
// changes what an earlier one said (BEP 10).
func (x *pex) turn(t *Torrent, on bool) {
	before := x.allowed()
	if x.off = !on; x.allowed() == before {
		return
	}
	for _, p := range x.peers.all() {
		if p.extended {
			t.sendExtHandshake(p)
		}
	}
}

// pexState is what was exchanged with one peer.
type pexState struct {
	sent    []netip.AddrPort // what the peer was told of and not told to be gone
	next    time.Duration    // when it is told more
	window  time.Duration    // since when received counts
	taken   int              // messages from it in the window
	refused int              // those of them that were too many, with half of earlier ones
	offered bool             // it was told that it may send us such messages
}

// announce puts into a handshake whether p may send us such messages.
func (x *pex) announce(p *peer, h *wire.ExtHandshake) {
	switch {
	case x.allowed():
		h.Extensions.Set(wire.ExtPEX, uint8(wire.ExtPEX))
		p.pex.offered = true
	case p.pex.offered: // before the torrent was known to be private, or before PEXOff
		h.Extensions.Set(wire.ExtPEX, 0)
	}
}

// sweep tells p of changes when it is time.
func (x *pex) sweep(now time.Duration, p *peer) {
	if now < p.pex.next || !x.allowed() || now-p.since < pexFirst {
		return
	}
	number := p.ext.number(wire.ExtPEX)
	if number == 0 {
		return
	}
	m := x.changes(p)
	if len(m.Added)+len(m.Dropped) == 0 {
		return
	}
	p.pex.next = now + pexEvery
	x.out.sendExtended(p, number, wire.AppendPEX(nil, m))
}

// changes returns the news for p: our connections that it was not told of, and those of
// which it was told and that have ended.
func (x *pex) changes(p *peer) wire.PEX {
	var m wire.PEX
	s := &p.pex
	current := make(map[netip.AddrPort]bool, x.peers.count())
	known := make(map[netip.AddrPort]bool, len(s.sent))
	for _, addr := range s.sent {
		known[addr] = true
	}
	for _, q := range x.peers.all() {
		at := q.told()
		if q == p || !q.silence.broken() || !book.Usable(at) || !mayTell(p, at) {
			continue
		}
		addr := at.Addr
		current[addr] = true
		if known[addr] || len(m.Added) == wire.PEXMax {
			continue
		}
		m.Added = append(m.Added, wire.PEXPeer{Addr: addr, Flags: x.flags(q)})
		s.sent = append(s.sent, addr)
	}
	x.addRelays(&m, p, current, known)
	s.sent = slices.DeleteFunc(s.sent, func(addr netip.AddrPort) bool {
		if current[addr] || len(m.Dropped) == wire.PEXMax {
			return false
		}
		m.Dropped = append(m.Dropped, addr)
		return true
	})
	return m
}

// told returns the endpoint by which others are told of p. That of a peer that has come by
// uTP is the one that we saw: it is open for us already, and routers that give each of their
// hosts one port for all destinations let others in by it (BEP 55).
func (p *peer) told() endpoint.Endpoint {
	if at := p.punch.seen(); at.IsValid() && p.listen.IsValid() {
		return at
	}
	return p.listen
}

// mayTell reports whether p can make use of an endpoint: one of a local network is useless
// outside.
func mayTell(p *peer, at endpoint.Endpoint) bool {
	return book.Local(p.endpoint.Host()) || !book.Local(at.Host())
}

// flags returns what others are told of p.
func (x *pex) flags(p *peer) wire.PEXFlags {
	var f wire.PEXFlags
	if p.has.isSeed() || p.ext.wantsNothing() {
		f |= wire.PEXSeed
	}
	if p.outgoing && !p.punched {
		f |= wire.PEXReachable
	}
	if p.encrypted || p.ext.prefersEncryption() {
		f |= wire.PEXEncryption
	}
	if p.transport == endpoint.TransportUTP || x.dialer.accepts(p.told(), endpoint.TransportUTP) {
		f |= wire.PEXUTP
	}
	if p.ext.number(wire.ExtHolepunch) != 0 {
		f |= wire.PEXHolepunch
	}
	return f
}

// take writes down the endpoints that p tells of. Messages that come too often are
// ignored. The result is why p has to go, ReasonNone if it may stay.
func (x *pex) take(now time.Duration, p *peer, m *wire.PEX) Reason {
	s := &p.pex
	late := x.off && s.offered // not every client looks at a second handshake
	if !x.allowed() && !late {
		p.flood.pointless()
		return ReasonNone
	}
	if now-s.window >= pexEvery {
		s.window, s.taken, s.refused = now, 0, s.refused/2
	}
	if s.taken++; s.taken > pexTolerated {
		if s.refused++; s.refused > pexStrikes {
			return ReasonFlood
		}
		return ReasonNone
	}
	p.flood.soundUpTo(pexSizeMax)
	if late {
		return ReasonNone
	}
	x.punch.learn(p, m)
	teller := limit.SourceOf(p.endpoint.Host())
	for _, a := range m.Added {
		if book.Local(a.Addr.Addr()) && !book.Local(p.endpoint.Host()) {
			continue // it would lead us into our own network
		}
		x.dialer.hear(now, book.Rumour{Endpoint: endpoint.IP(a.Addr), Source: book.SourcePEX,
			Teller: teller, Seed: a.Flags&wire.PEXSeed != 0, UTP: a.Flags&wire.PEXUTP != 0})
	}
	return ReasonNone
}
