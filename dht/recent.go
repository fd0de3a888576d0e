package dht

import "time"

const (
	recentMax  = 32 // targets
	recentLife = 15 * time.Minute
)

// recentLookups remembers the outcome of the last lookups, so that the next
// one for the same target begins where that one ended.
type recentLookups struct {
	list []recentLookup // oldest first, at most recentMax
}

type recentLookup struct {
	family int
	target ID
	at     instant
	nodes  []NodeInfo // at most k
}

func (r *recentLookups) keep(now instant, l *lookup) {
	if l.req.method == methodFindNode {
		return // of our own id and for upkeep: the table has the outcome
	}
	r.drop(func(old *recentLookup) bool { return old.family == l.f.index && old.target == l.req.target })
	if len(r.list) >= recentMax {
		r.list = append(r.list[:0], r.list[1:]...)
	}
	e := recentLookup{family: l.f.index, target: l.req.target, at: now}
	l.closest(func(c *candidate) { e.nodes = append(e.nodes, NodeInfo{c.id, c.addr}) })
	r.list = append(r.list, e)
}

func (r *recentLookups) of(now instant, family int, target ID) []NodeInfo {
	for i := range r.list {
		if e := &r.list[i]; e.family == family && e.target == target && now-e.at < recentLife {
			return e.nodes
		}
	}
	return nil
}

func (r *recentLookups) expire(now instant) {
	r.drop(func(e *recentLookup) bool { return now-e.at >= recentLife })
}

func (r *recentLookups) drop(stale func(*recentLookup) bool) {
	kept := r.list[:0]
	for i := range r.list {
		if !stale(&r.list[i]) {
			kept = append(kept, r.list[i])
		}
	}
	r.list = kept
}
