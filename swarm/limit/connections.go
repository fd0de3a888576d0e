package limit

import (
	"net/netip"
	"sync"
)

// Connections is the budget for open connections. It is safe for concurrent use.
type Connections struct {
	perSource int
	home      Home // has no bound for one source, and is of no network

	mu       sync.Mutex
	max      int
	held     int // as many as there were when memory became short; 0 while it is not
	used     int
	claims   int                  // places that will be free, and are promised
	sources  map[netip.Addr]int   // connections by source; values > 0, sum = used
	networks map[netip.Prefix]int // the same by network, but for home
}

// NewConnections returns the budget of a process that listens at home: at most total
// connections, and at most perSource with one source. 0 means ConnectionsMax or
// ConnectionsPerSourceMax.
func NewConnections(total, perSource int, home Home) *Connections {
	if total <= 0 {
		total = ConnectionsMax
	}
	if perSource <= 0 {
		perSource = ConnectionsPerSourceMax
	}
	return &Connections{
		max: total, perSource: perSource, home: home,
		sources: make(map[netip.Addr]int), networks: make(map[netip.Prefix]int),
	}
}

// SetMax sets how many connections there may be from now on; 0 or less means
// ConnectionsMax. Those that are too many stay until their owners end them: SetMax returns
// their number.
func (c *Connections) SetMax(total int) (surplus int) {
	if total <= 0 {
		total = ConnectionsMax
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.max = total
	return max(0, c.used-total)
}

// Max returns how many connections there may be.
func (c *Connections) Max() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.max
}

// TryAcquire takes a place for a connection with ip, and reports whether there was one.
func (c *Connections) TryAcquire(ip netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used+c.claims < c.bound() && c.take(ip)
}

// Claim promises the next free place to a caller who ends another connection for it.
// Redeem takes that place, and Disclaim gives up the promise.
func (c *Connections) Claim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claims++
}

// Disclaim gives up a promise of Claim.
func (c *Connections) Disclaim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claims--
}

// Redeem takes a promised place for a connection with ip, and reports whether a place is
// free now. The promise stands until then.
func (c *Connections) Redeem(ip netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used >= c.bound() || !c.take(ip) {
		return false
	}
	c.claims--
	return true
}

// take counts a connection with ip, and reports whether the source of ip may have one
// more. c.mu is held.
func (c *Connections) take(ip netip.Addr) bool {
	source, home := SourceOf(ip), c.home.Has(ip)
	if c.sources[source] >= c.perSource && !home {
		return false
	}
	c.used++
	c.sources[source]++
	if !home {
		c.networks[NetworkOf(ip)]++
	}
	return true
}

// Release gives back a place that TryAcquire took for ip.
func (c *Connections) Release(ip netip.Addr) {
	source, network, home := SourceOf(ip), NetworkOf(ip), c.home.Has(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sources[source] == 0 {
		panic("limit: a connection was released that was not acquired")
	}
	c.used--
	if c.sources[source]--; c.sources[source] == 0 {
		delete(c.sources, source)
	}
	if home {
		return
	}
	if c.networks[network]--; c.networks[network] == 0 {
		delete(c.networks, network)
	}
}

// Neighbours returns how many connections there are with the network of ip, 0 for an
// address of ours.
func (c *Connections) Neighbours(ip netip.Addr) int {
	if c.home.Has(ip) {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.networks[NetworkOf(ip)]
}

// HasAll reports whether the source of ip has as many connections as it may.
func (c *Connections) HasAll(ip netip.Addr) bool {
	if c.home.Has(ip) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sources[SourceOf(ip)] >= c.perSource
}

// Largest returns the network with most connections, and their number.
func (c *Connections) Largest() (network netip.Prefix, connections int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, n := range c.networks {
		if n > connections || n == connections && p.Addr().Less(network.Addr()) {
			network, connections = p, n
		}
	}
	return network, connections
}

// Used returns how many connections there are.
func (c *Connections) Used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// Full reports whether no further connection fits, whatever its address.
func (c *Connections) Full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used+c.claims >= c.bound()
}

// heldLeast is how many connections are allowed however short memory is.
const heldLeast = 8

// Hold sets whether memory is short. While it is, there are no more connections than when
// it became short: a new one can only replace another.
func (c *Connections) Hold(short bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !short:
		c.held = 0
	case c.held == 0:
		c.held = max(c.used, heldLeast)
	}
}

// bound returns how many connections there may be now. c.mu is held.
func (c *Connections) bound() int {
	if c.held > 0 {
		return min(c.held, c.max)
	}
	return c.max
}
