package dht

import "time"

const (
	// lookupCacheMax bounds the targets in the cache: more torrents than one node
	// usually seeds.
	lookupCacheMax = 16_384
	// lookupCacheLife is longer than the time from one announce of a target to the
	// next, even when announces of many targets queue up.
	lookupCacheLife = time.Hour
)

// lookupCache holds the closest nodes that the last lookups found, so that the next
// lookup of the same target starts from them. A full cache drops a random target.
type lookupCache map[lookupKey]cachedLookup // at most lookupCacheMax

type lookupKey struct {
	family int
	target ID
}

type cachedLookup struct {
	at    instant
	nodes []cachedNode // at most k
}

// A cachedNode takes half the memory of a NodeInfo.
type cachedNode struct {
	id ID
	at endpoint
}

// add caches the outcome of l.
func (c lookupCache) add(now instant, l *lookup) {
	if l.req.method == methodFindNode {
		return // of our own id, or for upkeep: the table holds the outcome
	}
	key := lookupKey{l.f.index, l.req.target}
	if _, known := c[key]; !known && len(c) >= lookupCacheMax {
		for other := range c {
			delete(c, other)
			break
		}
	}
	nodes := make([]cachedNode, 0, k)
	l.closest(func(n *candidate) { nodes = append(nodes, cachedNode{n.id, pack(n.addr)}) })
	c[key] = cachedLookup{now, nodes}
}

// get returns the closest nodes to target that the last lookup found, if it is not
// too old.
func (c lookupCache) get(now instant, family int, target ID) []cachedNode {
	if e, ok := c[lookupKey{family, target}]; ok && now-e.at < lookupCacheLife {
		return e.nodes
	}
	return nil
}

// expire removes the targets whose last lookup is too old.
func (c lookupCache) expire(now instant) {
	for key, e := range c {
		if now-e.at >= lookupCacheLife {
			delete(c, key)
		}
	}
}
