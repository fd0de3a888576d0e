package limit

import (
	"net/netip"
	"time"
)

const (
	// dialWindow is the time in which dials are counted.
	dialWindow = time.Minute
	// DialsPerSourceMax bounds the dials within a minute to one source (see
	// SourceOf) at which nobody was met, whatever the port.
	DialsPerSourceMax = 3
	// DialsPerNetworkMax bounds them to one network (see NetworkOf), whatever the
	// address: the peers of a university or of a provider's VPN that are gone, but
	// no sweep over the hosts of somebody who is none.
	DialsPerNetworkMax = 12
	// dialsHomeMax bounds them to an address at which we listen ourselves. It is as
	// good as a network: many nodes are there, and other programs, too.
	dialsHomeMax = DialsPerNetworkMax
)

// Rumours bounds how often addresses are dialled that strangers have named, so that
// nobody can turn us against an innocent host by naming it again and again: with
// another port, with another one of the 2^64 addresses that it has, or with each of
// its neighbours. A dial counts for a minute, unless a peer of the swarm answers:
// that one is no innocent, and a swarm that lives in one network meets at once.
//
// Times are since any fixed moment. It is for one goroutine at a time.
type Rumours struct {
	home     Home
	sources  window[netip.Addr]
	networks window[netip.Prefix]
}

// NewRumours returns the budget of one who listens at home.
func NewRumours(home Home) *Rumours {
	return &Rumours{home: home, sources: window[netip.Addr]{}, networks: window[netip.Prefix]{}}
}

// Ready returns from when on ip may be dialled, now if at once.
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
	if r.home.Has(ip) {
		r.sources.add(now, ip.Unmap(), dialsHomeMax)
		return
	}
	r.sources.add(now, SourceOf(ip), DialsPerSourceMax)
	r.networks.add(now, NetworkOf(ip), DialsPerNetworkMax)
}

// Met takes the last dial to ip back, since a peer was met there.
func (r *Rumours) Met(ip netip.Addr) {
	if r.home.Has(ip) {
		r.sources.undo(ip.Unmap())
		return
	}
	r.sources.undo(SourceOf(ip))
	r.networks.undo(NetworkOf(ip))
}

// A window holds, by key, when something was done within dialWindow, the last time
// last, and as often at most as it may be done. By the rate of dials it has at most
// DialRateMax x 60 s + burst keys, and twice that before old ones are swept out.
type window[K comparable] map[K][]time.Duration

// ready returns from when on it may be done again, if so often within dialWindow.
func (w window[K]) ready(now time.Duration, key K, most int) time.Duration {
	past := w[key]
	if len(past) < most {
		return now
	}
	return max(now, past[len(past)-most]+dialWindow)
}

// add notes that it is done now, or will be then.
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

// undo takes the last time back.
func (w window[K]) undo(key K) {
	switch past := w[key]; len(past) {
	case 0:
	case 1:
		delete(w, key)
	default:
		w[key] = past[:len(past)-1]
	}
}
