package book

import (
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// bansMax bounds the bans that are remembered.
	bansMax = 1024
	// banFor is how long a ban lasts.
	banFor = time.Hour
)

// bans holds the endpoints that are not to be connected to, from either side.
type bans struct {
	home  limit.Home
	until map[endpoint.Endpoint]time.Duration // by key; nil before the first
}

// key returns what is banned when a peer at e is: its source, with port 0. At home,
// where other nodes are, and without an address it is the endpoint alone.
func (l *bans) key(e endpoint.Endpoint) endpoint.Endpoint {
	if !e.Host().IsValid() || l.home.Has(e.Host()) {
		return e
	}
	return endpoint.IP(netip.AddrPortFrom(limit.SourceOf(e.Host()), 0))
}

// Ban bans the endpoints of a peer, with all others of their sources. Those that are
// not valid are left out.
func (b *Book) Ban(now time.Duration, peer ...endpoint.Endpoint) {
	l := &b.bans
	if l.until == nil {
		l.until = map[endpoint.Endpoint]time.Duration{}
	}
	for _, e := range peer {
		if !e.IsValid() {
			continue
		}
		key := l.key(e)
		if _, ok := l.until[key]; !ok && len(l.until) >= bansMax {
			l.makeRoom(now)
		}
		l.until[key] = now + banFor
	}
}

// Banned reports whether e is banned.
func (b *Book) Banned(now time.Duration, e endpoint.Endpoint) bool {
	l := &b.bans
	return len(l.until) > 0 && l.until[l.key(e)] > now
}

// makeRoom forgets the bans that are over, or else the oldest.
func (l *bans) makeRoom(now time.Duration) {
	var oldest endpoint.Endpoint
	for e, until := range l.until {
		if until <= now {
			delete(l.until, e)
			continue
		}
		u, ok := l.until[oldest]
		if !ok || until < u || until == u && e.Compare(oldest) < 0 {
			oldest = e
		}
	}
	if len(l.until) >= bansMax {
		delete(l.until, oldest)
	}
}
