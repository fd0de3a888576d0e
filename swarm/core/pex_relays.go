package core

import (
	"net/netip"

	"swarmnode/swarm/book"
	"swarmnode/swarm/wire"
)

// addRelays adds the relays that lead to our peers to the news for p: whoever cannot reach such
// a peer otherwise can come in there over uTP. current gets the addresses that are good, and
// known has those that p was told of.
func (x *pex) addRelays(m *wire.PEX, p *peer, current, known map[netip.AddrPort]bool) {
	s := &p.pex
	for _, q := range x.peers.all() {
		if q == p || !q.silence.broken() {
			continue
		}
		for _, at := range q.relayed.known() {
			if !book.Usable(at) || !mayTell(p, at) || current[at.Addr] {
				continue
			}
			current[at.Addr] = true
			if known[at.Addr] || len(m.Added) == wire.PEXMax {
				continue
			}
			f := x.flags(q) &^ (wire.PEXReachable | wire.PEXHolepunch)
			m.Added = append(m.Added, wire.PEXPeer{Addr: at.Addr, Flags: f | wire.PEXUTP})
			s.sent = append(s.sent, at.Addr)
		}
	}
}
