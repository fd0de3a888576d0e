package core

import (
	"net/netip"

	"swarmnode/swarm/limit"
)

const (
	// votersMax is how many of the peers that told us last how they see us (BEP
	// 10, "yourip") are heard, for each family.
	votersMax = 16
	// votesNeeded is how many of them have to agree, each another source.
	// Who lies gains no more than another order in which peers are preferred.
	votesNeeded = 3
)

// external is what we know of our own addresses, IPv4 and IPv6.
type external struct {
	told  [2]netip.Addr // by the driver, which goes before what peers say
	votes [2][]vote     // the oldest first
	voted [2]netip.Addr // what the votes say
}

// A vote is the word of one source for our address.
type vote struct{ voter, seen netip.Addr }

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
	if x.told[f].IsValid() {
		return x.told[f]
	}
	return x.voted[f]
}

// vote records that voter sees us at an address. It reports whether that changes
// what we think. Peers on local networks cannot know how the internet sees us.
func (x *external) vote(voter, seen netip.Addr) bool {
	voter, seen = voter.Unmap(), seen.Unmap()
	if !seen.IsValid() || seen.IsUnspecified() || local(seen) || local(voter) ||
		familyOf(voter) != familyOf(seen) {
		return false
	}
	f := familyOf(seen)
	voter = limit.SourceOf(voter)
	list := x.votes[f]
	for i := range list {
		if list[i].voter == voter {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == votersMax {
		list = append(list[:0], list[1:]...)
	}
	x.votes[f] = append(list, vote{voter, seen})
	before := x.voted[f]
	x.voted[f] = elected(x.votes[f], before)
	return x.voted[f] != before && !x.told[f].IsValid()
}

// elected returns the address with most votes, if they are enough. Of equals the
// present one stays.
func elected(votes []vote, present netip.Addr) netip.Addr {
	count := func(ip netip.Addr) (n int) {
		for _, v := range votes {
			if v.seen == ip {
				n++
			}
		}
		return n
	}
	best, most := present, count(present)
	for _, v := range votes {
		if n := count(v.seen); n > most && n >= votesNeeded {
			best, most = v.seen, n
		}
	}
	return best
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
func (t *Torrent) priorityOf(addr netip.AddrPort) uint32 {
	own := t.external.addr(addr.Addr())
	if !own.IsValid() {
		return 0
	}
	return canonicalPriority(netip.AddrPortFrom(own, t.cfg.Port), addr)
}

// rank works out every priority anew, because our own address has changed.
func (t *Torrent) rank() {
	for _, e := range t.book.list {
		e.priority = t.priorityOf(e.addr)
	}
}
