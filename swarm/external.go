package swarm

import (
	"net/netip"
	"sync"
)

// outside are the addresses at which the internet sees us, one for each family.
// It is safe for concurrent use.
type outside struct {
	mu      sync.Mutex
	addrs   [2]netip.Addr // IPv4 and IPv6; not valid while not known
	changes uint32        // counts what set has changed
}

// set notes an address. Local ones say nothing of the internet.
func (o *outside) set(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return
	}
	family := 0
	if ip.Is6() {
		family = 1
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.addrs[family] != ip {
		o.addrs[family] = ip
		o.changes++
	}
}

// since returns the addresses if there were changes besides those seen, and how
// many there were in all.
func (o *outside) since(seen uint32) ([2]netip.Addr, uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changes == seen {
		return [2]netip.Addr{}, seen
	}
	return o.addrs, o.changes
}

// SetExternal tells the engine an address at which the internet sees it, as a DHT
// node learns from others. It counts when peers are chosen (BEP 40). Trackers that
// say one (BEP 24) have the same effect.
func (e *Engine) SetExternal(ip netip.Addr) { e.outside.set(ip) }

// learnOutside tells the core our addresses when they have changed.
func (l *loop) learnOutside() {
	addrs, now := l.t.engine.outside.since(l.outside)
	if now == l.outside {
		return
	}
	l.outside = now
	for _, ip := range addrs {
		l.core.SetExternal(ip)
	}
}

// findOwn records the addresses at which peers reach the engine, as far as this machine
// knows them.
func (e *Engine) findOwn() {
	machine := ownAddresses()
	var own []netip.AddrPort
	for _, addr := range e.Addrs() {
		if !addr.Addr().IsUnspecified() {
			own = append(own, addr)
			continue
		}
		for ip := range machine {
			if ip.Is4() == addr.Addr().Is4() {
				own = append(own, netip.AddrPortFrom(ip, addr.Port()))
			}
		}
	}
	e.own.Store(&own)
}
