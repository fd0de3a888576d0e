package core

import (
	"swarmnode/swarm/book"
)

// publicPorts are the ports at which peers beyond our own networks reach us, of IPv4 and of
// IPv6. They differ from ours behind a router that maps our port to another one. 0 stands for
// Config.Port.
type publicPorts struct{ four, six uint16 }

// PublicPorts returns the Count of an event of that kind.
func PublicPorts(four, six uint16) int { return int(four)<<16 | int(six) }

// onPublicPorts tells the peers to whom it makes a difference at which ports they reach us now
// (BEP 10, "p").
func onPublicPorts(t *Torrent, count int) {
	before := t.public
	t.public.set(uint16(count>>16), uint16(count))
	for _, p := range t.peers.all() {
		if p.extended && before.of(p, t.cfg.Port) != t.public.of(p, t.cfg.Port) {
			t.sendExtHandshake(p)
		}
	}
}

// set sets the ports.
func (x *publicPorts) set(four, six uint16) { x.four, x.six = four, six }

// of returns the port at which p reaches us, if we listen at own. No router is between us and
// a peer of our own networks.
func (x *publicPorts) of(p *peer, own uint16) uint16 {
	port, ip := x.six, p.endpoint.Host()
	if ip.Unmap().Is4() {
		port = x.four
	}
	if port == 0 || own == 0 || book.Local(ip) {
		return own
	}
	return port
}
