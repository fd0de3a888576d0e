package swarm

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/reach"
)

const (
	// publicBurst is how many changes of our public ports are told within publicPause; later
	// ones wait. Each change makes all torrents announce.
	publicBurst = 4
	publicPause = time.Minute
)

// publicPorts are the ports at which others reach us, by family: IPv4 and IPv6. They differ
// from ours behind a router that maps our port to another one, on request or by itself. 0
// stands for our own port. It is safe for concurrent use.
type publicPorts struct {
	news chan struct{} // holds a token while wanted may differ from told

	mu     sync.Mutex
	wanted [2]uint16 // as our standing has them
	told   [2]uint16 // as torrents and sources know them
	since  time.Time // when changes were counted from
	count  int       // changes told since then
}

func (p *publicPorts) init() { p.news = make(chan struct{}, 1) }

// hear records the ports that torrents and sources must know.
func (p *publicPorts) hear(four, six uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = [2]uint16{four, six}
	if p.wanted != p.told {
		select {
		case p.news <- struct{}{}:
		default:
		}
	}
}

// publicPort returns the port to announce in a family, or 0 for our own. Every client speaks
// TCP, so the port of TCP is told where others can connect. Otherwise it is the port by which
// a NAT that has one for all destinations lets those in to whom we send.
func publicPort(tcp, udp netip.AddrPort, own uint16) uint16 {
	port := udp.Port()
	if tcp.Port() != 0 {
		port = tcp.Port()
	}
	if port == own {
		return 0
	}
	return port
}

// hearPublicPorts follows where the engine stands.
func (e *Engine) hearPublicPorts(s reach.Standing) {
	four, six := e.ownPorts()
	e.public.hear(publicPort(s.ExternalTCP4, s.External4, four),
		publicPort(s.ExternalTCP6, s.External6, six))
}

// ownPorts returns the ports at which the engine listens by IPv4 and by IPv6, 0 for none.
func (e *Engine) ownPorts() (four, six uint16) {
	for _, addr := range e.Addrs() {
		switch is4 := addr.Addr().Unmap().Is4(); {
		case is4 && four == 0:
			four = addr.Port()
		case !is4 && six == 0:
			six = addr.Port()
		}
	}
	return four, six
}

// changed returns a channel that has a value when torrents and sources may have to be told.
func (p *publicPorts) changed() <-chan struct{} { return p.news }

// turn reports whether torrents and sources must be told of other ports now.
func (p *publicPorts) turn(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == p.told {
		return false
	}
	if now.Sub(p.since) >= publicPause {
		p.since, p.count = now, 0
	}
	if p.count == publicBurst {
		return false
	}
	p.count++
	p.told = p.wanted
	return true
}

// get returns the ports as torrents and sources know them.
func (p *publicPorts) get() (four, six uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[0], p.told[1]
}

// PublicPorts returns the ports at which others reach the engine over IPv4 and over IPv6, as
// far as it knows: those that a router maps or that others see, or else those at which it
// listens. A port is 0 if it does not listen in that family.
func (e *Engine) PublicPorts() (four, six uint16) {
	own4, own6 := e.ownPorts()
	four, six = e.public.get()
	return cmp.Or(four, own4), cmp.Or(six, own6)
}

// publicPort returns the port at which others reach the engine in a family, 0 if it does not
// listen there.
func (e *Engine) publicPort(ipv6 bool) uint16 {
	four, six := e.PublicPorts()
	if ipv6 {
		return six
	}
	return four
}

// seenAt returns the endpoints at which others see the engine.
func (e *Engine) seenAt() (list []netip.AddrPort) {
	is := e.Reach()
	for _, at := range []netip.AddrPort{
		is.External4, is.External6, is.ExternalTCP4, is.ExternalTCP6} {
		if at.IsValid() && at.Port() != 0 {
			list = append(list, at)
		}
	}
	return list
}

// tellPublicPorts tells torrents and sources of our public ports, if these have changed.
func (e *Engine) tellPublicPorts(now time.Time) {
	if !e.public.turn(now) {
		return
	}
	four, six := e.PublicPorts()
	e.log.Info("others reach us at another port", "ipv4", four, "ipv6", six)
	e.findOwn()
	if e.cfg.PortsChanged != nil {
		e.cfg.PortsChanged()
	}
	for _, t := range e.Torrents() {
		t.ask(func(at time.Time) { t.loop.publicPortsChanged(at) })
	}
}

// publicPortsChanged tells peers and trackers where others reach us now.
func (l *loop) publicPortsChanged(now time.Time) {
	l.knowPublicPorts(now)
	if l.search.running() {
		l.trackers.ownAddressChanged()
	}
}

// knowPublicPorts tells the core where others reach us.
func (l *loop) knowPublicPorts(now time.Time) {
	l.setOwn()
	four, six := l.t.engine.public.get()
	l.core.Step(now, core.Event{Kind: core.PublicPortsChanged,
		Count: core.PublicPorts(four, six)})
}
