package book

import (
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// bansMax bounds the bans that are remembered.
const bansMax = 1024

// bans holds the endpoints that are not to be connected to, from either side, by banKey
// and network.
type bans = limit.Bans[endpoint.Endpoint, netip.Prefix]

// banKey returns what is banned when a peer at e is: its source, with port 0. At home,
// where other nodes are, and without an address it is the endpoint alone.
func (b *Book) banKey(e endpoint.Endpoint) endpoint.Endpoint {
	if !e.Host().IsValid() || b.cfg.Home.Has(e.Host()) {
		return e
	}
	return endpoint.IP(netip.AddrPortFrom(limit.SourceOf(e.Host()), 0))
}

// Ban bans the endpoints of a peer, with all others of their sources. Those that are
// not valid are left out.
func (b *Book) Ban(now time.Duration, peer ...endpoint.Endpoint) {
	for _, e := range peer {
		if e.IsValid() {
			b.bans.Ban(now, b.banKey(e), limit.NetworkOf(e.Host()))
		}
	}
}

// Banned reports whether e is banned.
func (b *Book) Banned(now time.Duration, e endpoint.Endpoint) bool {
	return b.bans.Len() > 0 && b.bans.Has(now, b.banKey(e))
}
