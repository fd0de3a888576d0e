package core

import (
	"net/netip"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// votersMax is how many of the peers that told us last how they see us (BEP
	// 10, "yourip") are heard, for each family.
	votersMax = 16
	// votesNeeded is how many of them have to agree, each another source. A liar
	// gains no more than another order in which peers are preferred.
	votesNeeded = 3
)

// external is what we know of our own addresses, IPv4 and IPv6.
type external struct {
	told  [2]netip.Addr   // by the driver, which goes before what peers say
	votes [2]*limit.Votes // of peers; nil before the first
}

func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// addr returns our address in the family of another, not valid if it is not
// known.
func (x *external) addr(like netip.Addr) netip.Addr {
	f := familyOf(like)
	if x.told[f].IsValid() || x.votes[f] == nil {
		return x.told[f]
	}
	return x.votes[f].Elected().Addr()
}

// vote records that voter sees us at an address. It reports whether that changes
// our known address. Peers on local networks cannot know how the internet sees us.
func (x *external) vote(voter, seen netip.Addr) bool {
	voter, seen = voter.Unmap(), seen.Unmap()
	if !seen.IsValid() || seen.IsUnspecified() || local(seen) || local(voter) ||
		familyOf(voter) != familyOf(seen) {
		return false
	}
	f := familyOf(seen)
	if x.votes[f] == nil {
		votes := limit.NewVotes(votersMax, votesNeeded)
		x.votes[f] = &votes
	}
	source := limit.SourceOf(voter)
	party := netip.PrefixFrom(source, source.BitLen())
	return x.votes[f].Cast(party, netip.AddrPortFrom(seen, 0)) && !x.told[f].IsValid()
}

// SetExternal tells the torrent an address at which the internet sees us, as the
// DHT or a tracker says. It is of use for the canonical priority of peers (BEP
// 40) until another one of its family is told.
func (t *Torrent) SetExternal(ip netip.Addr) {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.IsUnspecified() {
		return
	}
	if f := familyOf(ip); t.external.told[f] != ip {
		t.external.told[f] = ip
		t.rank()
	}
}

// priorityOf returns the canonical priority of a peer, 0 while our own address in
// its family is not known.
func (t *Torrent) priorityOf(e endpoint.Endpoint) uint32 {
	own := t.external.addr(e.Host())
	if !own.IsValid() {
		return 0
	}
	return canonicalPriority(netip.AddrPortFrom(own, t.cfg.Port), e.Addr)
}

// rank works out every priority anew, because our own address has changed.
func (t *Torrent) rank() {
	for _, e := range t.book.list {
		e.priority = t.priorityOf(e.endpoint)
	}
}
