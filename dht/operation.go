package dht

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// operation is one request of a caller: a lookup in each family.
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

// lookUp runs a lookup in each family. It replaces finished of sink: done is called
// once, when all lookups have ended, unless the operation is stopped before. That
// may be before lookUp returns.
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

// stop ends the operation without a call of done.
func (op *operation) stop() {
	for _, l := range op.lookups {
		op.c.stop(l)
	}
	op.done = func(instant, *operation) {}
}

// targets returns the closest nodes that gave a token.
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

// storeTries is how often we ask a node to store something before we give up on it.
// It did answer a moment ago, so a packet may have been lost.
const storeTries = 2

const (
	// storePatience is how long a store waits for budget. The node's token is valid
	// for longer.
	storePatience = 2 * time.Minute
	// postponedMax bounds the stores that wait for budget.
	postponedMax = 1024
)

// storing is one round of announce_peer or put to several nodes.
type storing struct {
	c      *core
	open   int
	stored int
	err    error // the last refusal
	done   func(now instant, s *storing)
}

// storeQuery is the part of a storing for one node.
type storeQuery struct {
	s     *storing
	to    netip.AddrPort
	req   request
	tries int
	since instant // when the node was first due to be asked
	over  bool
}

// store sends req with its token to each target. It calls done when each target has
// answered or failed, at once if there is none.
func (c *core) store(now instant, targets []storeTarget, req request,
	done func(instant, *storing)) {
	s := &storing{c: c, open: len(targets) + 1, done: done}
	for _, t := range targets {
		sq := &storeQuery{s: s, to: t.addr, req: req, since: now}
		sq.req.token = t.token
		if req.method == methodAnnounce && !req.implied {
			sq.req.port = cmp.Or(c.public[familyOf(t.addr.Addr())], req.port)
		}
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
	if err != ErrBusy || !q.s.c.postpone(now, q) {
		q.finish(now, err)
	}
}

// postpone queues q until the budget allows its query. It reports false if q has
// waited for too long or the queue is full.
func (c *core) postpone(now instant, q *storeQuery) bool {
	if now-q.since > storePatience || len(c.postponed) >= postponedMax {
		return false
	}
	c.postponed = append(c.postponed, q)
	c.postponedWake = now + budgetRetry
	return true
}

// askPostponed sends postponed queries as far as the budget goes. They come before
// lookups, whose work is lost if nothing is stored in the end.
func (c *core) askPostponed(now instant) {
	waiting := c.postponed
	c.postponed, c.postponedWake = nil, forever
	for _, q := range waiting { // all of them: some addresses cost no budget
		q.ask(now)
	}
}

// finish records the outcome of q, once.
func (q *storeQuery) finish(now instant, err error) {
	if q.over {
		return
	}
	q.over = true
	if err == nil {
		q.s.stored++
	} else {
		q.s.err = err
	}
	q.s.close(now)
}

func (q *storeQuery) answered(now instant, _ *query, _ *message) { q.finish(now, nil) }

func (q *storeQuery) failed(now instant, _ *query, err error) { q.finish(now, err) }

func (q *storeQuery) stalled(now instant, _ *query) {
	if q.over {
		return
	}
	if q.tries < storeTries {
		q.ask(now)
		return
	}
	q.finish(now, ErrTimeout)
}
