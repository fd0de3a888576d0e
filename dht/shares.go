package dht

import "net/netip"

// A share counts the entries of one owner of addresses in a store.
type share struct {
	owner netip.Prefix
	count int
}

// shares counts the entries of a store by owner, so that a full store evicts an
// entry of the owner that has the most. Once an owner has as many entries as any
// other, each further entry costs it one of its own.
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

// A victim is the entry to evict among those offered so far.
type victim struct {
	target ID
	share  int // of its owner
	seen   int // candidates with that share
}

// offer makes target the victim if its owner has more entries than the present
// victim's. Among the first evictSample with equal shares, the one farthest from
// self is the victim, since other nodes are responsible for far targets.
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
