package dht

import "net/netip"

// A share is how many entries of a store one owner of addresses has.
type share struct {
	owner netip.Prefix
	count int
}

// shares counts the entries of a store by owner, so that a full store takes the
// room for a newcomer from the owner that has the most. An owner can so drive
// out nobody but itself: once it has as much as anybody else, each further entry
// costs it another one.
//
// Invariant: no share in the map has a count of 0.
type shares map[netip.Prefix]*share

// take counts one more entry of the owner of ip, and returns the share for drop.
func (s shares) take(ip netip.Addr) *share {
	key := owner(ip)
	mine := s[key]
	if mine == nil {
		mine = &share{owner: key}
		s[key] = mine
	}
	mine.count++
	return mine
}

// drop gives back what take returned, once.
func (s shares) drop(mine *share) {
	if mine.count--; mine.count == 0 {
		delete(s, mine.owner)
	}
}

// A victim is the entry of a full store to go, as far as they have been offered.
type victim struct {
	target ID
	share  int // of its owner
	seen   int // candidates with that share
}

// offer makes target the victim if its owner has more than that of the one so
// far; of the first evictSample whose owners have as much, the farthest from self
// goes, since for near targets there is nobody better to ask.
func (v *victim) offer(self, target *ID, share int) {
	switch {
	case v.seen == 0 || share > v.share:
		*v = victim{target: *target, share: share, seen: 1}
	case share == v.share && v.seen < evictSample:
		v.seen++
		if compareDistance(self, target, &v.target) > 0 {
			v.target = *target
		}
	}
}
