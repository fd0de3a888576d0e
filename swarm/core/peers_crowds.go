package core

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// perSourceConnsMax is how many connections one source may have (limit.SourceOf):
	// a household behind one NAT, but not a flood. Only the first of them has a place
	// of its own; the others make room for who comes from elsewhere. Our own address
	// is exempt.
	perSourceConnsMax = 4
	// crowdMin is how many connections a network has when even one that gives or
	// takes blocks makes room for a newcomer from a smaller network. Fewer are a
	// coincidence.
	crowdMin = 8
)

// crowds are how many connections each source and each network has, of those that
// have any: our own address and web seeds have none.
type crowds struct {
	sources  map[netip.Addr]int
	networks map[netip.Prefix]int
}

// crowds counts the live peers.
func (t *Torrent) crowds() crowds {
	c := crowds{make(map[netip.Addr]int, len(t.peers.list)),
		make(map[netip.Prefix]int, len(t.peers.list))}
	for _, p := range t.peers.list {
		if p.network.IsValid() {
			c.sources[p.source]++
			c.networks[p.network]++
		}
	}
	return c
}

// ofSource returns how many connections the source of p has, 1 if that does not count.
func (c crowds) ofSource(p *peer) int {
	if !p.network.IsValid() {
		return 1
	}
	return c.sources[p.source]
}

// ofNetwork returns how many connections the network of p has, 1 if that does not
// count.
func (c crowds) ofNetwork(p *peer) int {
	if !p.network.IsValid() {
		return 1
	}
	return c.networks[p.network]
}

// mayReplace reports whether p may get the place of q: not if its network has more
// places already, or whoever owns one would drive out all others, one by one.
func (c crowds) mayReplace(p, q *peer) bool { return c.ofNetwork(q) >= c.ofNetwork(p) }

// second returns the youngest peer of the source that has most, if those are several,
// or nil.
func (t *Torrent) second(c crowds) *peer {
	var worst *peer
	most := 1
	for _, q := range slices.Backward(t.peers.list) {
		if n := c.ofSource(q); n > most {
			worst, most = q, n
		}
	}
	return worst
}

// neighbour returns a peer of the network that has most, if that is more than the
// network of p has with p, or nil: one of no use, else the youngest that neither gives
// nor takes blocks, else, of a crowd, the youngest.
func (t *Torrent) neighbour(p *peer, c crowds) *peer {
	var youngest, idle *peer
	most := c.ofNetwork(p)
	for _, q := range slices.Backward(t.peers.list) {
		if n := c.ofNetwork(q); n > most {
			youngest, idle, most = q, nil, n
		}
		if youngest != nil && q.network == youngest.network && idle == nil && !t.exchanges(q) {
			idle = q
		}
	}
	if youngest == nil {
		return nil
	}
	useless := t.leastUseful(p, func(q *peer) bool { return q.network == youngest.network }, c)
	switch {
	case useless != nil:
		return useless
	case idle == nil && most >= crowdMin:
		return youngest
	}
	return idle
}

// exchanges reports whether p gives or takes blocks.
func (t *Torrent) exchanges(p *peer) bool {
	return p.slot.Unchoked() && p.slot.Interested() || t.serves(p)
}

// evictFor makes room for p by dropping another peer: one of a crowd, or the least
// useful one, if there is one of no use. The only peer of its source may also take the
// place of one that may be of use and has less of a claim to it.
func (t *Torrent) evictFor(p *peer) bool {
	c := t.crowds()
	worst := t.leastUseful(p, func(q *peer) bool { return c.mayReplace(p, q) }, c)
	if worst == nil || t.uselessness(worst) < uselessMute {
		if q := t.neighbour(p, c); q != nil && (worst == nil || c.ofNetwork(q) >= crowdMin) {
			worst = q
		}
	}
	if c.ofSource(p) == 1 && worst == nil {
		worst = t.second(c)
	}
	if c.ofSource(p) == 1 && worst == nil {
		worst = t.outranked(p, c)
	}
	if worst == nil {
		return false
	}
	t.drop(worst, ReasonEvicted)
	return true
}

// Evict drops the least useful peer, if there is one of no use whose address may allows,
// and reports whether it did. It is for drivers that need room for a peer of another
// torrent; may can be nil. Actions may follow.
func (t *Torrent) Evict(now time.Time, may func(netip.Addr) bool) bool {
	t.advance(now)
	worst := t.leastUseful(nil, func(q *peer) bool { return may == nil || may(q.endpoint.Host()) },
		t.crowds())
	if worst == nil {
		return false
	}
	t.drop(worst, ReasonEvicted)
	return true
}

// EvictFrom drops the youngest peer of a network, one that neither gives nor takes
// blocks if there is one, and reports whether it did. It is for drivers, when the
// network has more connections in all torrents together than any other. Actions may
// follow.
func (t *Torrent) EvictFrom(now time.Time, network netip.Prefix) bool {
	t.advance(now)
	var worst *peer
	for _, q := range slices.Backward(t.peers.list) {
		if q.network == network && (worst == nil || t.exchanges(worst) && !t.exchanges(q)) {
			worst = q
		}
	}
	if worst == nil {
		return false
	}
	t.drop(worst, ReasonEvicted)
	return true
}
