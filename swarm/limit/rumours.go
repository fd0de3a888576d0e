package limit

import (
	"net/netip"
	"time"
)

const (
	// dialWindow is the time in which dials are counted.
	dialWindow = time.Minute
	// DialsPerSourceMax bounds the failed dials within a minute to one source (see
	// SourceOf), whatever the port.
	DialsPerSourceMax = 3
	// DialsPerNetworkMax bounds the failed dials within a minute to one network (see
	// NetworkOf), whatever the address. It is enough for the departed peers of a
	// university or of a provider's VPN, and too few for a sweep over the hosts of a
	// network without peers.
	DialsPerNetworkMax = 12
	// dialsHomeMax bounds the failed dials within a minute to an address at which we
	// listen ourselves. Such an address is like a network: many nodes are there, and other
	// programs too.
	dialsHomeMax = DialsPerNetworkMax
)

// Rumours bounds how often we dial addresses that strangers have named. So nobody can turn
// us against an innocent host by naming it again and again: with another port, with
// another one of its 2^64 addresses, or with each of its neighbours. A dial counts for a
// minute, unless a peer of the swarm answers: that host is no innocent, and a swarm that
// lives in one network meets at once.
//
// Times are since any fixed moment. A Rumours is for one goroutine at a time.
type Rumours struct {
	home     Home
	sources  window[netip.Addr] // nil before the first dial, as networks
	networks window[netip.Prefix]
}

// NewRumours returns the budget of a process that listens at home.
func NewRumours(home Home) *Rumours { return &Rumours{home: home} }

// Ready returns when ip may be dialled, which is now if it may be dialled at once.
func (r *Rumours) Ready(now time.Duration, ip netip.Addr) time.Duration {
	if r.home.Has(ip) {
		return r.sources.ready(now, ip.Unmap(), dialsHomeMax)
	}
	return max(
		r.sources.ready(now, SourceOf(ip), DialsPerSourceMax),
		r.networks.ready(now, NetworkOf(ip), DialsPerNetworkMax),
	)
}

// Dialled counts a dial to ip.
func (r *Rumours) Dialled(now time.Duration, ip netip.Addr) {
	if r.sources == nil {
		r.sources, r.networks = window[netip.Addr]{}, window[netip.Prefix]{}
	}
	if r.home.Has(ip) {
		r.sources.add(now, ip.Unmap(), dialsHomeMax)
		return
	}
	r.sources.add(now, SourceOf(ip), DialsPerSourceMax)
	r.networks.add(now, NetworkOf(ip), DialsPerNetworkMax)
}

// Met takes back the last dial to ip, because a peer was met there.
func (r *Rumours) Met(ip netip.Addr) {
	if r.home.Has(ip) {
		r.sources.undo(ip.Unmap())
		return
	}
	r.sources.undo(SourceOf(ip))
	r.networks.undo(NetworkOf(ip))
}

// A window holds, by key, when something was done within dialWindow, the last time last
// and no more times than are allowed. By the rate of dials it has at most DialRateMax x 60
// s + burst keys, and twice as many before it drops old ones.
type window[K comparable] map[K][]time.Duration

// ready returns when it may be done again, if it may be done most times within dialWindow.
func (w window[K]) ready(now time.Duration, key K, most int) time.Duration {
	past := w[key]
	if len(past) < most {
		return now
	}
	return max(now, past[len(past)-most]+dialWindow)
}

// add records that it is done at a moment, now or later.
func (w window[K]) add(now time.Duration, key K, most int) {
	past := append(w[key], now)
	if len(past) > most {
		past = append(past[:0], past[len(past)-most:]...)
	}
	w[key] = past
	if len(w) > recentMax {
		for k, past := range w {
			if now-past[len(past)-1] >= dialWindow {
				delete(w, k)
			}
		}
	}
}

// undo takes back the last time.
func (w window[K]) undo(key K) {
	switch past := w[key]; len(past) {
	case 0:
	case 1:
		delete(w, key)
	default:
		w[key] = past[:len(past)-1]
	}
}
