package core

import (
	"time"

	"swarmnode/swarm/book"
)

// publicPorts are the ports at which peers beyond our own networks reach us, of IPv4 and of
// IPv6. They differ from ours behind a router that maps our port to another one. 0 stands for
// Config.Port.
type publicPorts struct{ four, six uint16 }

// set sets the ports, and reports whether one has changed.
func (x *publicPorts) set(four, six uint16) (changed bool) {
	is := publicPorts{four, six}
	changed = is != *x
	*x = is
	return changed
}

// SetPublicPorts says at which ports peers beyond our own networks reach us, over IPv4 and
// over IPv6; 0 stands for Config.Port. Those peers are told at once (BEP 10, "p"). Actions may
// follow.
func (t *Torrent) SetPublicPorts(now time.Time, four, six uint16) {
	t.advance(now)
	t.command(publicCommand(four, six))
	before := make(map[PeerRef]uint16, t.peers.count())
	for _, p := range t.peers.all() {
		before[p.ref] = t.portFor(p)
	}
	if !t.public.set(four, six) {
		return
	}
	for _, p := range t.peers.all() {
		if p.extended && t.portFor(p) != before[p.ref] {
			t.sendExtHandshake(p)
		}
	}
}

// portFor returns the port at which p reaches us. No router is between us and a peer of our
// own networks.
func (t *Torrent) portFor(p *peer) uint16 {
	port, ip := t.public.six, p.endpoint.Host()
	if ip.Unmap().Is4() {
		port = t.public.four
	}
	if port == 0 || t.cfg.Port == 0 || book.Local(ip) {
		return t.cfg.Port
	}
	return port
}
