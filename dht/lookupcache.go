package dht

import "time"

const (
	// recentMax is how many targets are remembered: as many torrents as one node
	// seeds, as a rule.
	recentMax = 16_384
	// recentLife is longer than the time from one announcement to the next, also
	// when so much is announced that they come late.
	recentLife = time.Hour
)

// recentLookups remembers the outcome of the last lookups, so that the next
// one for the same target begins where that one ended. When there are too many,
// one by chance is forgotten.
type recentLookups map[recentKey]recentLookup // at most recentMax

type recentKey struct {
	family int
	target ID
}

type recentLookup struct {
	at    instant
	nodes []recentNode // at most k
}

// A recentNode takes half the memory of a NodeInfo.
type recentNode struct {
	id ID
	at endpoint
}

func (r recentLookups) keep(now instant, l *lookup) {
	if l.req.method == methodFindNode {
		return // of our own id and for upkeep: the table has the outcome
	}
	key := recentKey{l.f.index, l.req.target}
	if _, known := r[key]; !known && len(r) >= recentMax {
		for other := range r {
			delete(r, other)
			break
		}
	}
	nodes := make([]recentNode, 0, k)
	l.closest(func(c *candidate) { nodes = append(nodes, recentNode{c.id, pack(c.addr)}) })
	r[key] = recentLookup{now, nodes}
}

func (r recentLookups) of(now instant, family int, target ID) []recentNode {
	if e, ok := r[recentKey{family, target}]; ok && now-e.at < recentLife {
		return e.nodes
	}
	return nil
}

func (r recentLookups) expire(now instant) {
	for key, e := range r {
		if now-e.at >= recentLife {
			delete(r, key)
		}
	}
}
