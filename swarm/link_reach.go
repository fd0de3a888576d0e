package swarm

import (
	"net/netip"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/wire"
)

// hearAddress tells the machine at which address a peer that we have dialled sees us (BEP 10,
// "yourip"), the first time that the peer says so. A peer beyond a relay sees the relay.
func (l *link) hearAddress(m *wire.Message) {
	if m.ID != wire.Extended || m.Ext != wire.ExtHandshakeNumber || l.sawUs || !l.outgoing {
		return
	}
	via := reach.TCP
	switch l.over {
	case endpoint.TransportTCP:
	case endpoint.TransportUTP:
		via = reach.UTP
	default:
		return
	}
	// A malformed handshake has a zero address; the core judges it.
	if h, _ := wire.ParseExtHandshake(m.Payload); h.YourIP.IsValid() {
		l.sawUs = true
		l.torrent.engine.Observe(reach.Seen{By: l.endpoint.Host(),
			As: netip.AddrPortFrom(h.YourIP, 0), Via: via})
	}
}
