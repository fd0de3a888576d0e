package swarm

import (
	"net/netip"
	"sync/atomic"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
)

// A shelter says of which address families this machine has public addresses. It is safe for
// concurrent use.
type shelter struct{ public [2]atomic.Bool } // IPv4 and IPv6

// look records the addresses of this machine, nil if they are not known.
func (s *shelter) look(machine addressSet) {
	var public [2]bool
	for ip := range machine {
		if ip.IsGlobalUnicast() && !book.Local(ip) {
			public[family(ip)] = true
		}
	}
	for i := range public {
		s.public[i].Store(public[i] || machine == nil)
	}
}

// covers reports whether a router stands between us and the internet that lets nobody in, as
// far as we know, for the family of to.
func (s *shelter) covers(to netip.Addr, is *reach.Standing) bool {
	return !s.public[family(to)].Load() && !is.Alone && !reachable(is.UTP) && !reachable(is.TCP)
}

// family returns 0 for an IPv4 address, 1 for an IPv6 one.
func family(ip netip.Addr) int {
	if ip.Unmap().Is4() {
		return 0
	}
	return 1
}

// firstBy returns the transport by which a peer is tried first: the one that worked last, if
// that is known. Behind a router that lets nobody in, uTP comes first. Its connections share
// the port of the DHT, so the peer sees the endpoint to which others can punch, and tells them
// (BEP 11, BEP 55); of the source port of a TCP connection nobody can make use. What such a
// home uploads then yields to all else on its uplink.
//
// done says that the torrent has all that it wants. What it uploads over TCP would fill the
// queue before the uplink, unless that is held; so uTP comes first on systems that cannot hold
// it.
func (e *Engine) firstBy(to netip.Addr, worked endpoint.Transport, done bool) endpoint.Transport {
	is := e.Reach()
	return firstTry{worked: worked, local: book.Local(to), sheltered: e.shelter.covers(to, &is),
		done: done && !e.proxied(), polite: !e.cfg.NoPolite, held: e.uplink.Holds()}.transport()
}

// A firstTry is what decides which transport to a peer is tried first.
type firstTry struct {
	worked    endpoint.Transport // last, if that is known
	local     bool               // the peer is in the local network
	sheltered bool               // a router lets nobody in to us
	done      bool               // the torrent only uploads
	polite    bool               // the queue before the uplink shall be short
	held      bool               // and it is, also with TCP
}

// transport returns which one is tried first, or TransportUnknown for the usual order.
func (f firstTry) transport() endpoint.Transport {
	switch {
	case f.worked != endpoint.TransportUnknown || f.local:
		return f.worked
	case f.sheltered, f.done && f.polite && !f.held:
		return endpoint.TransportUTP
	}
	return endpoint.TransportUnknown
}
