package dht

import (
	"net/netip"
	"slices"
	"time"
)

// operation is one request of a user: a lookup in each family.
type operation struct {
	c       *core
	target  ID
	lookups []*lookup
	open    int // lookups that run
	began   instant
	stored  int
	done    func(now instant, op *operation)
}

// storeTarget is a node that may be asked to store something.
type storeTarget struct {
	addr  netip.AddrPort
	token []byte
}

// lookUp runs a lookup in each family, for sink but for its finished; done is
// called instead, once, when all have ended, unless stop comes first. It may be
// called before lookUp returns.
func (c *core) lookUp(now instant, req *request, sink lookupSink,
	done func(instant, *operation)) *operation {
	op := &operation{c: c, target: req.target, began: now, done: done}
	sink.finished = op.onFinished
	for _, f := range c.families {
		if f != nil {
			op.open++
			op.lookups = append(op.lookups, f.newLookup(now, req, sink))
		}
	}
	for _, l := range op.lookups {
		c.start(now, l)
	}
	return op
}

func (op *operation) onFinished(now instant, _ *lookup) {
	if op.open--; op.open == 0 {
		op.done(now, op)
	}
}

// stop ends the operation; done is not called any more.
func (op *operation) stop() {
	for _, l := range op.lookups {
		op.c.stop(l)
	}
	op.done = func(instant, *operation) {}
}

// targets are the closest nodes that gave a token.
func (op *operation) targets() (list []storeTarget) {
	for _, l := range op.lookups {
		l.closest(func(c *candidate) {
			if op.c.mayStore(c) {
				list = append(list, storeTarget{c.addr, c.token})
			}
		})
	}
	return list
}

// mayStore reports whether c can be asked to store something.
func (c *core) mayStore(to *candidate) bool {
	return len(to.token) > 0 && (!c.strict || isSecure(to.id, to.addr.Addr()))
}

// result sums up the operation so far.
func (op *operation) result(now instant) Lookup {
	r := Lookup{Target: op.target, Stored: op.stored, Duration: now - op.began}
	for _, l := range op.lookups {
		r.Asked += l.asked
		r.Answered += l.answers
		l.closest(func(c *candidate) { r.Closest = append(r.Closest, NodeInfo{c.id, c.addr}) })
	}
	slices.SortStableFunc(r.Closest, func(a, b NodeInfo) int {
		return compareDistance(&op.target, &a.ID, &b.ID)
	})
	return r
}

// storeTries is how often a node is asked to store something before it is
// given up: packets get lost, and it did answer a moment ago.
const storeTries = 2

const (
	// storePatience is how long a node is waited for that cannot be asked to store
	// something for want of budget: less than its token is good for.
	storePatience = 2 * time.Minute
	// putOffMax bounds those that wait so.
	putOffMax = 1024
)

// storing is one round of announce_peer or put to several nodes.
type storing struct {
	c      *core
	open   int
	stored int
	err    error // the last refusal
	done   func(now instant, s *storing)
}

// storeQuery is the part of a storing that concerns one node.
type storeQuery struct {
	s       *storing
	to      netip.AddrPort
	req     request
	tries   int
	since   instant // when it was to be asked
	settled bool
}

// store sends req with its token to each target, and calls done when all have
// answered or been given up; at once when there is none.
func (c *core) store(now instant, targets []storeTarget, req request,
	done func(instant, *storing)) {
	s := &storing{c: c, open: len(targets) + 1, done: done}
	for _, t := range targets {
		sq := &storeQuery{s: s, to: t.addr, req: req, since: now}
		sq.req.token = t.token
		sq.ask(now)
	}
	s.close(now)
}

func (s *storing) close(now instant) {
	if s.open--; s.open == 0 {
		s.done(now, s)
	}
}

func (q *storeQuery) ask(now instant) {
	err := q.s.c.ask(now, q.to, &q.req, &query{owner: q})
	if err == nil {
		q.tries++
		return
	}
	if err != ErrBusy || !q.s.c.putOff(now, q) {
		q.settle(now, err)
	}
}

// putOff has q asked when the budget allows it, unless it has waited for too long.
func (c *core) putOff(now instant, q *storeQuery) bool {
	if now-q.since > storePatience || len(c.late) >= putOffMax {
		return false
	}
	c.late = append(c.late, q)
	c.lateWake = now + budgetRetry
	return true
}

// askLate asks those that were put off, as far as the budget goes. They come before
// lookups, whose work is lost if nothing is stored in the end.
func (c *core) askLate(now instant) {
	late := c.late
	c.late, c.lateWake = nil, forever
	for _, q := range late { // all of them, for some may be at addresses that cost nothing
		q.ask(now)
	}
}

func (q *storeQuery) settle(now instant, err error) {
	if q.settled {
		return
	}
	q.settled = true
	if err == nil {
		q.s.stored++
	} else {
		q.s.err = err
	}
	q.s.close(now)
}

func (q *storeQuery) answered(now instant, _ *query, _ *message) { q.settle(now, nil) }

func (q *storeQuery) failed(now instant, _ *query, err error) { q.settle(now, err) }

func (q *storeQuery) stalled(now instant, _ *query) {
	if q.settled {
		return
	}
	if q.tries < storeTries {
		q.ask(now)
		return
	}
	q.settle(now, ErrTimeout)
}
