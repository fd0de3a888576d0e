package book

import (
	"net/netip"
	"slices"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// votersMax is how many of the peers that told us last how they see us (BEP 10,
	// "yourip") are heard, for each family.
	votersMax = 16
	// votesNeeded is how many of them have to agree, each another source. A liar gains
	// no more than another order in which peers are preferred.
	votesNeeded = 3
)

// own is what we know of our own addresses, IPv4 and IPv6.
type own struct {
	port   uint16
	listen []netip.AddrPort // where we listen, as the driver says; nobody may change it
	told   [2]netip.Addr    // by the driver, which goes before what peers say
	votes  [2]*limit.Votes  // of peers; nil before the first
}

// familyOf returns 0 for IPv4, 1 for IPv6.
func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// addr returns our address in the family of another, not valid if it is not known.
func (o *own) addr(like netip.Addr) netip.Addr {
	f := familyOf(like)
	if o.told[f].IsValid() || o.votes[f] == nil {
		return o.told[f]
	}
	return o.votes[f].Elected().Addr()
}

// is reports whether e is our own, as far as we know.
func (o *own) is(e endpoint.Endpoint) bool {
	if slices.ContainsFunc(o.listen, func(at netip.AddrPort) bool { return endpoint.IP(at) == e }) {
		return true
	}
	return e.Addr.Port() == o.port && e.Host() == o.addr(e.Host())
}

// vote records that voter sees us at an address. It reports whether that changes our
// known address. Peers on local networks cannot know how the internet sees us.
func (o *own) vote(voter, seen netip.Addr) bool {
	voter, seen = voter.Unmap(), seen.Unmap()
	if !seen.IsValid() || seen.IsUnspecified() || Local(seen) || Local(voter) ||
		familyOf(voter) != familyOf(seen) {
		return false
	}
	f := familyOf(seen)
	if o.votes[f] == nil {
		votes := limit.NewVotes(votersMax, votesNeeded)
		o.votes[f] = &votes
	}
	source := limit.SourceOf(voter)
	party := netip.PrefixFrom(source, source.BitLen())
	return o.votes[f].Cast(party, netip.AddrPortFrom(seen, 0)) && !o.told[f].IsValid()
}

// SetOwn says at which addresses we listen. Whoever names one of them names ourselves,
// or a predecessor that is dead. The book keeps addrs, which nobody may change: thousands of
// books share one list.
func (b *Book) SetOwn(addrs []netip.AddrPort) { b.own.listen = addrs }

// SetPort says at which port we accept connections, 0 if we do not.
func (b *Book) SetPort(port uint16) {
	if b.own.port != port {
		b.own.port = port
		b.rank()
	}
}

// SetExternal says at which address the internet sees us. It counts for the canonical
// priority of peers (BEP 40), until another one of its family is told.
func (b *Book) SetExternal(ip netip.Addr) {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.IsUnspecified() {
		return
	}
	if f := familyOf(ip); b.own.told[f] != ip {
		b.own.told[f] = ip
		b.rank()
	}
}

// Vote records that a peer sees us at an address (BEP 10, "yourip").
func (b *Book) Vote(voter, seen netip.Addr) {
	if b.own.vote(voter, seen) {
		b.rank()
	}
}

// Priority returns the canonical priority of a peer (BEP 40), 0 while our own address
// in its family is not known.
func (b *Book) Priority(e endpoint.Endpoint) uint32 {
	ip := b.own.addr(e.Host())
	if !ip.IsValid() {
		return 0
	}
	if b.cfg.Priority != nil {
		return b.cfg.Priority(e)
	}
	return canonicalPriority(netip.AddrPortFrom(ip, b.own.port), e.Addr)
}

// rank computes every priority again, because our own address has changed.
func (b *Book) rank() {
	for _, e := range b.list {
		e.priority = b.Priority(e.endpoint)
	}
}
