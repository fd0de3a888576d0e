package swarm

import (
	"net/netip"
	"sync"
)

// external holds the addresses at which the internet sees us, one for each family. It is
// safe for concurrent use.
type external struct {
	mu      sync.Mutex
	addrs   [2]netip.Addr // IPv4 and IPv6; not valid while unknown
	version uint32        // counts the changes of addrs
}

// set records an address. An address of a local network is ignored: it does not say how
// the internet sees us.
func (x *external) set(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return
	}
	family := 0
	if ip.Is6() {
		family = 1
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.addrs[family] != ip {
		x.addrs[family] = ip
		x.version++
	}
}

// since returns the addresses and their version, and reports whether they have changed
// since the version seen.
func (x *external) since(seen uint32) (addrs [2]netip.Addr, version uint32, changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.addrs, x.version, x.version != seen
}

// SetExternal tells the engine an address at which the internet sees it, such as one that
// a DHT node learns from others. It counts when peers are chosen (BEP 40). An address
// that a tracker tells (BEP 24) has the same effect.
func (e *Engine) SetExternal(ip netip.Addr) { e.external.set(ip) }

// externalSeen is the version of the external addresses that a core knows.
type externalSeen struct{ version uint32 }

// learnExternal tells the core our external addresses when they have changed.
func (l *loop) learnExternal() {
	addrs, version, changed := l.t.engine.external.since(l.externalSeen.version)
	if !changed {
		return
	}
	l.externalSeen.version = version
	for _, ip := range addrs {
		l.core.SetExternal(ip)
	}
}
