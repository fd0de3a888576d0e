package core

import (
	"net/netip"
	"slices"
	"time"

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

// pexState is what was exchanged with one peer.
type pexState struct {
	sent    []netip.AddrPort // what it was told of and not told to be gone
	next    time.Duration    // when it is told more
	window  time.Duration    // since when received counts
	taken   int
	refused int
	offered bool // it was told that it may send us such messages
}

// offer returns the number under which an extension handshake offers the peer to send us
// such messages. It says none to a peer that was never offered any, and takes an offer back
// once peers are no longer shared.
func (s *pexState) offer(shares bool) (number uint8, say bool) {
	if shares {
		s.offered = true
		return uint8(wire.ExtPEX), true
	}
	return 0, s.offered
}

// sharesPeers reports whether peers may be exchanged: not in private torrents
// (BEP 27), nor where the user wants no others.
func (t *Torrent) sharesPeers() bool { return !t.isPrivate() && !t.cfg.PeersOnly }

// sweepPEX tells p of changes when it is time.
func (t *Torrent) sweepPEX(p *peer) {
	if t.now < p.pex.next || !t.sharesPeers() || t.now-p.since < pexFirst {
		return
	}
	number := p.ext.number(wire.ExtPEX)
	if number == 0 {
		return
	}
	m := t.changes(p)
	if len(m.Added)+len(m.Dropped) == 0 {
		return
	}
	p.pex.next = t.now + pexEvery
	t.out.sendExtended(p, number, wire.AppendPEX(nil, m))
}

// changes returns whom we are connected to that p was not told of, and who is
// gone.
func (t *Torrent) changes(p *peer) wire.PEX {
	var m wire.PEX
	s := &p.pex
	current := make(map[netip.AddrPort]bool, t.peers.count())
	known := make(map[netip.AddrPort]bool, len(s.sent))
	for _, addr := range s.sent {
		known[addr] = true
	}
	for _, q := range t.peers.all() {
		if q == p || !q.silence.broken() || !usable(q.listen) || !mayTell(p, q) {
			continue
		}
		current[q.listen.Addr] = true
		if known[q.listen.Addr] || len(m.Added) == wire.PEXMax {
			continue
		}
		m.Added = append(m.Added, wire.PEXPeer{Addr: q.listen.Addr, Flags: q.pexFlags()})
		s.sent = append(s.sent, q.listen.Addr)
	}
	s.sent = slices.DeleteFunc(s.sent, func(addr netip.AddrPort) bool {
		if current[addr] || len(m.Dropped) == wire.PEXMax {
			return false
		}
		m.Dropped = append(m.Dropped, addr)
		return true
	})
	return m
}

// mayTell reports whether p can make use of q's address: one of a local network
// is of no use outside.
func mayTell(p, q *peer) bool {
	return local(p.endpoint.Host()) || !local(q.listen.Host())
}

func (p *peer) pexFlags() wire.PEXFlags {
	var f wire.PEXFlags
	if p.has.isSeed() || p.ext.wantsNothing() {
		f |= wire.PEXSeed
	}
	if p.outgoing {
		f |= wire.PEXReachable
	}
	if p.encrypted || p.ext.prefersEncryption() {
		f |= wire.PEXEncryption
	}
	if p.ext.number(wire.ExtHolepunch) != 0 {
		f |= wire.PEXHolepunch
	}
	return f
}

// onPEX notes the addresses that a peer tells of. Messages that come too often
// are not looked at.
func (t *Torrent) onPEX(p *peer, m *wire.PEX) {
	s := &p.pex
	if !t.sharesPeers() {
		p.flood.pointless()
		return
	}
	if t.now-s.window >= pexEvery {
		s.window, s.taken, s.refused = t.now, 0, s.refused/2
	}
	if s.taken++; s.taken > pexTolerated {
		if s.refused++; s.refused > pexStrikes {
			t.drop(p, ReasonFlood)
		}
		return
	}
	teller := limit.SourceOf(p.endpoint.Host())
	p.flood.soundUpTo(pexSizeMax)
	for _, a := range m.Added {
		if local(a.Addr.Addr()) && !local(p.endpoint.Host()) {
			continue // it would lead us into our own network
		}
		e := t.note(rumour{endpoint: endpoint.IP(a.Addr), source: SourcePEX,
			sources: 1 << SourcePEX,
			teller:  teller})
		if e != nil && a.Flags&wire.PEXSeed != 0 {
			e.rumour = true
		}
	}
}
