package dht

import (
	"net/netip"
	"slices"
)

// turns shares the budget for queries among the lookups that wait for it. A lookup
// whose answer has just come would otherwise take what the others wait for, since
// they look again only every budgetRetry, and of many lookups some would starve.
type turns struct {
	queue []*lookup // the longest without a query first, at most lookupsMax
	wake  instant   // when the queue tries again
	now   *lookup   // the lookup whose turn it is
}

// mayAsk reports whether l can ask the node at that address without a turn, or has
// its turn. Queries to local addresses cost no budget.
func (t *turns) mayAsk(l *lookup, to netip.AddrPort) bool {
	return isLocal(to.Addr()) || t.now == l || t.now == nil && len(t.queue) == 0
}

// add queues l behind the others, unless it waits already or has ended.
func (t *turns) add(now instant, l *lookup) {
	if l.queued || l.done {
		return
	}
	l.queued, l.served = true, true
	t.queue = append(t.queue, l)
	t.wake = min(t.wake, now+budgetRetry)
}

// remove takes a lookup that has ended out of the queue.
func (t *turns) remove(l *lookup) {
	if i := slices.Index(t.queue, l); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
}

// tick gives each lookup in the queue a turn. Those that could ask nobody come
// before those that could: the budget is empty, or does not reach to the addresses
// that they need.
func (t *turns) tick(now instant) {
	if now < t.wake {
		return
	}
	queue := t.queue
	t.queue, t.wake = nil, forever
	for _, l := range queue {
		before := l.asked
		l.queued, t.now = false, l
		l.pump(now)
		l.served = l.asked > before
	}
	t.now = nil
	slices.SortStableFunc(t.queue, func(a, b *lookup) int {
		switch {
		case a.served == b.served:
			return 0
		case a.served:
			return 1
		}
		return -1
	})
}
