package dht

import (
	"net/netip"
	"time"
)

const (
	// newAddrsPeriod is the window of the budget for distinct addresses, about
	// as long as a home router remembers a UDP mapping.
	newAddrsPeriod = time.Minute

	// budgetRetry is how soon a lookup retries after it found the budget empty.
	budgetRetry = 100 * time.Millisecond
)

// budget bounds our own queries: packets per second, and distinct remote
// addresses per minute, because home routers run out of UDP mappings long
// before their lines are full. Queries to local addresses cost nothing.
type budget struct {
	rate, burst float64
	addrsMax    int
	bucket      bucket
	addrs       map[endpoint]struct{} // queried in this period
	began       instant
}

func newBudget(rate, burst, addrsMax int) budget {
	return budget{rate: float64(rate), burst: float64(burst), addrsMax: addrsMax}
}

// take reports whether a query may be sent to that address now, and counts it if
// so.
func (b *budget) take(now instant, to netip.AddrPort) bool {
	if isLocal(to.Addr()) {
		return true
	}
	if b.addrs == nil || now-b.began >= newAddrsPeriod {
		b.addrs, b.began = make(map[endpoint]struct{}), now
	}
	at := pack(to)
	_, known := b.addrs[at]
	if !known && len(b.addrs) >= b.addrsMax {
		return false
	}
	if !b.bucket.take(now, b.rate, b.burst, 1) {
		return false
	}
	b.addrs[at] = struct{}{}
	return true
}
