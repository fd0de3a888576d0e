package dht

import (
	"encoding/binary"
	"testing"
)

// endedLookup returns a lookup of target in which the nodes of letters answered.
func endedLookup(target ID, letters string) *lookup {
	l := &lookup{f: &family{index: v4}, req: request{method: methodGetPeers, target: target}}
	for i := range len(letters) {
		l.candidates = append(l.candidates, candidate{id: letterID(letters[i]),
			addr: letterAddr(letters[i]), state: answered})
	}
	return l
}

func cached(c lookupCache, now instant, family int, target ID) (letters string) {
	for _, n := range c.get(now, family, target) {
		letters += letterOf(n.at.addrPort())
	}
	return letters
}

// The cache returns the k closest nodes of the last lookup of a target, in its family,
// for lookupCacheLife.
func TestLookupCache(t *testing.T) {
	c := make(lookupCache)
	now := clockStart
	l := endedLookup(someHash, "abcdefghij")
	l.candidates[1].state = stalled
	c.add(now, l)
	if got := cached(c, now, v4, someHash); got != "acdefghi" {
		t.Errorf("cached %q, want the eight closest that answered", got)
	}
	if got := cached(c, now, v6, someHash); got != "" {
		t.Errorf("cached %q in the other family", got)
	}
	if got := cached(c, now, v4, otherID); got != "" {
		t.Errorf("cached %q for another target", got)
	}
	c.add(now+1, endedLookup(someHash, "xy"))
	if got := cached(c, now+lookupCacheLife, v4, someHash); got != "xy" {
		t.Errorf("cached %q, want the outcome of the last lookup", got)
	}
	if got := cached(c, now+lookupCacheLife+1, v4, someHash); got != "" {
		t.Errorf("cached %q for too long", got)
	}
	if c.expire(now + lookupCacheLife + 1); len(c) != 0 {
		t.Errorf("%d targets after their time", len(c))
	}
}

// The table holds the outcome of find_node, so the cache does not.
func TestLookupCacheLeavesOutFindNode(t *testing.T) {
	c := make(lookupCache)
	l := endedLookup(someHash, "ab")
	l.req.method = methodFindNode
	if c.add(clockStart, l); len(c) != 0 {
		t.Errorf("%d targets cached", len(c))
	}
}

// A full cache forgets another target for a new one.
func TestLookupCacheIsBounded(t *testing.T) {
	c := make(lookupCache)
	var target ID
	for i := range lookupCacheMax + 10 {
		binary.BigEndian.PutUint32(target[:], uint32(i))
		c.add(clockStart, endedLookup(target, "a"))
	}
	if len(c) != lookupCacheMax {
		t.Errorf("%d targets, want %d", len(c), lookupCacheMax)
	}
	if cached(c, clockStart, v4, target) == "" {
		t.Error("the last target is not cached")
	}
	c.add(clockStart, endedLookup(target, "b"))
	if len(c) != lookupCacheMax {
		t.Errorf("a known target made room for itself: %d targets", len(c))
	}
}

// A lookup starts from the nodes that the last lookup of its target found.
func TestLookupStartsFromTheCache(t *testing.T) {
	w := newWalk(t, "j", "")
	w.core.cache.add(w.now, endedLookup(walkTarget, "ab"))
	w.start(false)
	w.want("a? b? j?", "cached nodes beside the table's")
}
