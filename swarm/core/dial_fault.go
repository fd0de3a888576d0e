package core

import (
	"net/netip"

	"swarmnode/swarm/endpoint"
)

// A DialFault says how a Dial came to nothing.
type DialFault uint8

// The faults of dials.
const (
	FaultNone         DialFault = iota
	FaultRefused                // nothing listens there
	FaultTimeout                // no answer, or none in the handshake
	FaultUnreachable            // there is no way there
	FaultHungUp                 // closed in the handshake, as by who has no such torrent
	FaultOtherTorrent           // it answered for another torrent
	FaultProtocol               // it does not speak BitTorrent
	FaultBanned                 // its address is banned
	FaultOther
	FaultDialling // none yet: it is being dialled for the first time
	FaultCount    // how many there are, with FaultNone
)

// An Unmet counts the known addresses of peers to which there is no connection, by
// how the last dial failed. Those under FaultNone were not dialled yet.
type Unmet [FaultCount]int

// Count returns how many there are.
func (u *Unmet) Count() int {
	n := 0
	for _, each := range u {
		n += each
	}
	return n
}

// SetOwn tells the torrent the addresses at which we listen. A source that names
// one of them names ourselves, or a predecessor that is dead.
func (t *Torrent) SetOwn(addrs []netip.AddrPort) {
	t.own = make(map[endpoint.Endpoint]bool, len(addrs))
	for _, addr := range addrs {
		t.own[endpoint.IP(addr)] = true
	}
}

// isOwn reports whether e is our own, as far as we know.
func (t *Torrent) isOwn(e endpoint.Endpoint) bool {
	if t.own[e] {
		return true
	}
	return e.Addr.Port() == t.cfg.Port && e.Host() == t.external.addr(e.Host())
}

// countPeers counts the addresses of others.
func (t *Torrent) countPeers(s *Snapshot) {
	for _, e := range t.book.list {
		switch {
		case e.state == entryConnected:
			s.PeersKnown++
		case e.state == entrySelf, t.isOwn(e.endpoint):
		default:
			s.PeersKnown++
			fault := e.fault
			if fault == FaultNone && e.state == entryDialling {
				fault = FaultDialling
			}
			s.Unmet[fault]++
		}
	}
	for _, p := range t.peers.all() {
		if p.isServer() {
			continue
		}
		s.PeersHere++
		if p.interesting() {
			s.PeersUseful++
		}
		if p.ext.claimsMetadata() {
			s.PeersWithMetadata++
		}
	}
	s.PeersForgotten = t.book.given
}
