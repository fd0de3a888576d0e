package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

const (
	// perSourceConnsMax is how many connections one source may have (limit.SourceOf):
	// a household behind one NAT, but not a flood. Only the first of them has a place
	// of its own; the others make room for peers from elsewhere. Our own address is
	// exempt.
	perSourceConnsMax = 4
	// crowdMin is how many connections a network has when even a peer that gives or
	// takes blocks makes room for a newcomer from a smaller network. Fewer are a
	// coincidence.
	crowdMin = 8
	// evictMute is how long a new peer may take for its first word. What it
	// has, and its extensions, come right behind the handshake.
	evictMute = time.Second
	// evictAfter is how long a peer has to show what it is good for.
	evictAfter = 10 * time.Second
	// evictIdle is how long a peer that promised something, or asked for it, has to
	// send or take a block.
	evictIdle = 60 * time.Second
)

// uselessness ranks peers: a higher one makes room for others first.
type uselessness int

// The ranks.
const (
	useful       uselessness = iota // it stays
	uselessIdle                     // it could give or take and does not
	uselessEmpty                    // it has nothing and gets nothing
	uselessMute                     // it has said nothing
)

// uselessness ranks a peer by what it has been good for until now.
func (p *peer) uselessness(now time.Duration) uselessness {
	age := now - p.since
	serving := p.slot.Unchoked() && p.slot.Interested()
	promising := p.interesting() && !p.ask.snubs()
	moving := p.down.rate(now)+p.up.rate(now) > 0
	switch {
	case !p.silence.broken() && age >= evictMute:
		return uselessMute
	case age >= evictAfter && !serving && !promising:
		return uselessEmpty
	case age >= evictIdle && !moving:
		return uselessIdle
	}
	return useful
}

// serves reports whether blocks come from p, and right ones came.
func (p *peer) serves(now time.Duration) bool {
	return p.trust.isProven() && p.down.recent(now) > 0
}

// exchanges reports whether p gives or takes blocks.
func (p *peer) exchanges(now time.Duration) bool {
	return p.slot.Unchoked() && p.slot.Interested() || p.serves(now)
}

// crowds counts the connections of each source and each network. Our own address and web
// seeds have neither, and are not counted.
type crowds struct {
	sources  map[netip.Addr]int
	networks map[netip.Prefix]int
}

// crowdsOf counts the connections of the peers.
func crowdsOf(peers []*peer) crowds {
	c := crowds{make(map[netip.Addr]int, len(peers)), make(map[netip.Prefix]int, len(peers))}
	for _, p := range peers {
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

// mayReplace reports whether p may get the place of q. It may not if the network of p
// has more places already: the owner of a network would drive out all other peers, one
// by one.
func (c crowds) mayReplace(p, q *peer) bool { return c.ofNetwork(q) >= c.ofNetwork(p) }

// An eviction looks for the peer that makes room for another one. It lives for one
// question.
type eviction struct {
	peers    []*peer // oldest first
	crowds   crowds
	now      time.Duration
	yielded  time.Duration                  // when a useful peer was last replaced, or 0
	priority func(endpoint.Endpoint) uint32 // the canonical one (BEP 40), 0 if unknown
}

// eviction returns an eviction among the live peers.
func (pt *peerTable) eviction(now time.Duration,
	priority func(endpoint.Endpoint) uint32) *eviction {
	return &eviction{peers: pt.list, crowds: crowdsOf(pt.list), now: now, yielded: pt.yielded,
		priority: priority}
}

// replace returns the peer whose place p gets, or nil: one of a crowd, or the most useless
// one. A p that is the only peer of its source may also take the place of a peer that may
// be useful but ranks lower; yields says so.
func (v *eviction) replace(p *peer) (worst *peer, yields bool) {
	worst = v.leastUseful(p, func(q *peer) bool { return v.crowds.mayReplace(p, q) })
	if worst == nil || worst.uselessness(v.now) < uselessMute {
		if q := v.neighbour(p); q != nil && (worst == nil || v.crowds.ofNetwork(q) >= crowdMin) {
			worst = q
		}
	}
	if worst != nil || v.crowds.ofSource(p) > 1 {
		return worst, false
	}
	if worst = v.extra(); worst != nil {
		return worst, false
	}
	worst = v.outranked(p)
	return worst, worst != nil
}

// leastUseful returns, of the peers besides p that may allows, nil for all of them, the
// one that has been of least use. It returns nil if all have been of some, or had no
// time to be. Of those that are equally useless it is one of the network that has most.
func (v *eviction) leastUseful(p *peer, may func(q *peer) bool) *peer {
	var worst *peer
	rank, crowd := useful, 0
	for _, q := range v.peers {
		r, n := q.uselessness(v.now), v.crowds.ofNetwork(q)
		if q == p || r == useful || r < rank || r == rank && n < crowd || may != nil && !may(q) {
			continue
		}
		if worst == nil || r > rank || n > crowd || v.lessUseful(q, worst) {
			worst, rank, crowd = q, r, n
		}
	}
	return worst
}

// lessUseful reports whether q has been of less use than o. Of equals the one of the lower
// canonical priority goes (BEP 40).
func (v *eviction) lessUseful(q, o *peer) bool {
	moved, others := q.down.sum()+q.up.sum(), o.down.sum()+o.up.sum()
	if moved != others {
		return moved < others
	}
	return v.priority(q.endpoint) < v.priority(o.endpoint)
}

// extra returns the youngest peer of the source that has most, if those are several,
// or nil.
func (v *eviction) extra() *peer {
	var worst *peer
	most := 1
	for _, q := range slices.Backward(v.peers) {
		if n := v.crowds.ofSource(q); n > most {
			worst, most = q, n
		}
	}
	return worst
}

// neighbour returns a peer of the network with the most connections, or nil if the network
// of p has as many, p included. It prefers a useless peer, then the youngest that neither
// gives nor takes blocks, then the youngest if the network has crowdMin connections.
func (v *eviction) neighbour(p *peer) *peer {
	var youngest, idle *peer
	most := v.crowds.ofNetwork(p)
	for _, q := range slices.Backward(v.peers) {
		if n := v.crowds.ofNetwork(q); n > most {
			youngest, idle, most = q, nil, n
		}
		if youngest != nil && q.network == youngest.network && idle == nil && !q.exchanges(v.now) {
			idle = q
		}
	}
	if youngest == nil {
		return nil
	}
	useless := v.leastUseful(p, func(q *peer) bool { return q.network == youngest.network })
	switch {
	case useless != nil:
		return useless
	case idle == nil && most >= crowdMin:
		return youngest
	}
	return idle
}

// outranked returns the peer whose place p gets although it is of some use, as
// the canonical priority has it (BEP 40), or nil. Without that, a peer that comes late
// to a swarm in which everybody has as many connections as they may would find no
// place. It is never a peer that gives or gets blocks, and there is one now and then
// only, so that nobody can have our peers replaced by addresses that he chose.
func (v *eviction) outranked(p *peer) *peer {
	if v.now-v.yielded < replaceEvery && v.yielded > 0 {
		return nil
	}
	var worst *peer
	lowest := v.priority(p.endpoint)
	for _, q := range v.peers {
		if q == p || v.now-q.since < evictAfter || q.exchanges(v.now) || !book.Usable(q.endpoint) ||
			!v.crowds.mayReplace(p, q) {
			continue
		}
		if rank := v.priority(q.endpoint); rank < lowest {
			worst, lowest = q, rank
		}
	}
	return worst
}

// ofNet returns the youngest peer of a network, one that neither gives nor takes blocks
// if there is one, or nil.
func (v *eviction) ofNet(network netip.Prefix) *peer {
	var worst *peer
	for _, q := range slices.Backward(v.peers) {
		if q.network == network &&
			(worst == nil || worst.exchanges(v.now) && !q.exchanges(v.now)) {
			worst = q
		}
	}
	return worst
}
