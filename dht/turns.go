package dht

import (
	"net/netip"
	"slices"
)

// turns shares the budget for queries among the lookups that wait for it. Waiting
// lookups retry only every budgetRetry. Without turns, lookups that have just got an
// answer would use up the budget first, and some of many lookups would starve.
type turns struct {
	queue   []*lookup // the longest without a query first, at most lookupsMax
	wake    instant   // when the queue tries again
	current *lookup   // the lookup whose turn it is
}

// mayAsk reports whether l may ask the node at that address now: it has its turn,
// nobody waits for one, or the address is local, which costs no budget.
func (t *turns) mayAsk(l *lookup, to netip.AddrPort) bool {
	return isLocal(to.Addr()) || t.current == l || t.current == nil && len(t.queue) == 0
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

// remove takes l out of the queue, once it has ended.
func (t *turns) remove(l *lookup) {
	if i := slices.Index(t.queue, l); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
}

// tick gives each lookup in the queue a turn. Lookups that could ask nobody, for lack
// of packets or of new addresses, come before the others next time.
func (t *turns) tick(now instant) {
	if now < t.wake {
		return
	}
	queue := t.queue
	t.queue, t.wake = nil, forever
	for _, l := range queue {
		before := l.asked
		l.queued, t.current = false, l
		l.advance(now)
		l.served = l.asked > before
	}
	t.current = nil
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
