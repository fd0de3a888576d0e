package swarm

import (
	"net/netip"
	"time"
)

// Hosts that nobody has named get a permit when they begin a connection to a relayed address
// (relay.Config.Knock): knocksBurst of them at once, and one more every knocksPause. So strangers
// with forged addresses take no more than three quarters of the permits of an allocation, which
// last five minutes.
const (
	knocksBurst = 16
	knocksPause = 10 * time.Second
)

// A knockBudget counts the strangers that may still get a permit. The zero value is full. It is
// for one goroutine at a time.
type knockBudget struct {
	full time.Time // when it is full again
}

// take reports whether one more stranger may get a permit now, and counts it.
func (b *knockBudget) take(now time.Time) bool {
	full := b.full
	if full.Before(now) {
		full = now
	}
	if full = full.Add(knocksPause); full.Sub(now) > knocksBurst*knocksPause {
		return false
	}
	b.full = full
	return true
}

// knock lets in a host without a permit that begins a connection to a relayed address.
func (k *relayKeeper) knock(host netip.Addr) {
	now := time.Now()
	if k.refuses(host) {
		return
	}
	k.mu.Lock()
	ok := k.knocks.take(now)
	k.mu.Unlock()
	if ok {
		k.engine.log.Debug("a stranger comes to a relay", "host", host)
		k.name(now, host)
	}
}
