// Package limit holds the budgets that connections share: token buckets for
// bytes per second, and counts for connections, handshakes and dials.
//
// It knows nothing of peers or torrents, moves no bytes, and starts no goroutine: a
// spender asks here first, and waits in a goroutine of its own. Every type is safe for
// concurrent use unless it says otherwise.
//
// Its nouns: a Bucket is a rate, as of one torrent; a Common is a rate that several
// buckets share evenly; a Ticket is a place in the queue of a bucket; a Tally counts what
// a source was given recently; a Ledger is a budget of memory; Dials is the budget for
// making connections, and Connections the one for holding them.
package limit

import (
	"context"
	"slices"
	"sort"
	"sync/atomic"
	"time"
)

const (
	// quantumTime is how much of a second one step of a transfer should take
	// under a limit, so that a low rate flows and does not come in gulps.
	quantumTime = 50 * time.Millisecond
	quantumMin  = 2 << 10
	quantumMax  = 256 << 10
)

// The lanes of a bucket divide its bytes. Each lane gets its share while others want bytes
// too. Bytes that one lane does not want go to the others.
const (
	laneMain  = iota // what the limit is there for: blocks
	laneAside        // what is moved besides: see TakeAside
	laneSpent        // what could not wait: see Spend
	laneCount
)

const (
	// asideShare is the share of laneAside for each byte of laneMain, unless SetAside sets
	// another one. spentShare is the share of laneSpent.
	asideShare = 1. / 4
	spentShare = 1. / 16
	// debtMax bounds the debt of a bucket: the bytes that the rate allows in that time.
	// Bytes spent beyond it are forgiven, so that messages which could not wait do not
	// silence those which can.
	debtMax = time.Second
)

// A Bucket limits a flow to a number of bytes per second, which may change at any time.
// Each of its lanes serves whoever came first. A bucket without a limit, as a nil Bucket,
// costs next to nothing.
type Bucket struct {
	common *Common
	rate   atomic.Int64 // bytes per second, besides what common allows; 0 is no limit
	group  atomic.Pointer[Group]
	rank   atomic.Int32
	alone  atomic.Bool
	// flow is made with the first byte under a limit: most buckets never have one.
	// Guarded by common.mu.
	flow *flow
}

// A flow is what a bucket knows of the bytes that pass under a limit. It is guarded by the
// mutex of its Common.
type flow struct {
	lanes [laneCount]lane
	extra float64   // bytes allowed that no lane wants; a part of a burst at most
	busy  bool      // in Common.busy; else nothing is owed or allowed, and nobody waits
	room  float64   // how much more it may have; of share
	part  float64   // its weight; of share
	used  time.Time // when something was asked for last
}

// A lane is one queue of a bucket.
type lane struct {
	share   float64
	balance float64   // bytes allowed and not used; below 0 what is still to be paid for
	wanted  float64   // bytes of the tickets that wait
	waiting []*Ticket // by rank, and the oldest first among equals
	used    time.Time // when something was asked for last
}

// lacks returns how many bytes the lane can use. The main lane keeps its share for a
// moment while it is in use, up to a burst: a single connection asks for its next bytes
// only after it has moved the last ones.
func (b *Bucket) lacks(i int) float64 {
	l := &b.flow.lanes[i]
	lacks := l.wanted - l.balance
	if i == laneMain && b.common.at.Sub(l.used) < b.common.rest+lateMax {
		lacks += b.common.burst(b.lowest())
	}
	return max(0, lacks)
}

// NewBucket returns a bucket of rate bytes per second that shares common with other
// buckets. A rate of 0 or less is no limit, and neither is a nil common. It returns nil if
// there is no limit and no common: such a bucket stays without one.
func NewBucket(rate int64, common *Common) *Bucket {
	if rate <= 0 && common == nil {
		return nil
	}
	b := new(Bucket)
	b.Init(rate, common)
	return b
}

// Init makes b, which must be zero, a bucket of rate bytes per second that shares common
// with others. It is for buckets that are parts of something larger.
func (b *Bucket) Init(rate int64, common *Common) {
	if common == nil {
		common = NewCommon(0)
	}
	b.common = common
	b.rate.Store(max(rate, 0))
}

// SetAside is Common.SetAside for b and the buckets with which it shares a rate.
func (b *Bucket) SetAside(share float64) {
	if b != nil {
		b.common.SetAside(share)
	}
}

// Limits reports whether there is a limit now.
func (b *Bucket) Limits() bool { return b != nil && b.lowest() > 0 }

// Quantum returns how many bytes to move at a time for an even flow: a small part of a
// second's worth of the lowest rate, between 2 KiB and 256 KiB.
func (b *Bucket) Quantum() int {
	if b == nil {
		return quantumMax
	}
	n := float64(quantumMax)
	if rate := b.lowest(); rate > 0 {
		n = min(n, rate*quantumTime.Seconds())
	}
	return int(max(n, quantumMin))
}

// WaitN takes n bytes out of the bucket, and returns once all bytes taken earlier are paid
// for. The error is that of ctx; the bytes count as spent even then.
func (b *Bucket) WaitN(ctx context.Context, n int) error { return b.Take(n).Wait(ctx) }

// A Ticket is a place in the queue of a bucket, for a caller that waits for something else
// as well.
type Ticket struct {
	b     *Bucket
	lane  *lane
	n     int
	rank  int64
	ready chan struct{} // closed when it is its turn
}

// Take takes n bytes out of the bucket. They may be spent once the ticket is ready, or at
// once if the ticket is nil.
func (b *Bucket) Take(n int) *Ticket {
	if !b.Limits() {
		return nil
	}
	return b.take(laneMain, n, 0)
}

// TakeAside is Take for what is moved besides the flow that the limit is meant for. It
// gets its share and no more while Take wants the rest. Among several tickets, the one
// with the lowest rank goes first.
func (b *Bucket) TakeAside(n int, rank int64) *Ticket {
	if !b.Limits() {
		return nil
	}
	return b.take(laneAside, n, rank)
}

// Ready returns a channel that is closed when it is the ticket's turn.
func (t *Ticket) Ready() <-chan struct{} { return t.ready }

// Wait returns when it is the ticket's turn, at once for a nil ticket. The error is that
// of ctx; the bytes count as spent even then.
func (t *Ticket) Wait(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
		if t.Leave() {
			t.b.Spend(t.n)
		}
		return ctx.Err()
	}
}

// Leave gives up the place, and reports whether the ticket was still waiting. In that case
// its bytes were not taken.
func (t *Ticket) Leave() bool {
	c := t.b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(t.lane.waiting, t)
	if i < 0 {
		return false
	}
	t.lane.waiting = slices.Delete(t.lane.waiting, i, i+1)
	t.lane.wanted -= float64(t.n)
	return true
}

// Spend takes n bytes out of the bucket without waiting, for messages that cannot wait.
// Later tickets pay for them in time, but never with more than their share and for no more
// than a second's worth.
func (b *Bucket) Spend(n int) {
	if !b.Limits() {
		return
	}
	b.common.mu.Lock()
	defer b.common.mu.Unlock()
	if !b.enter() {
		return
	}
	l := &b.flow.lanes[laneSpent]
	l.balance = max(l.balance-float64(n), -b.lowest()*debtMax.Seconds())
	b.pay()
}

// Owe is Spend for the flow that Take is meant for: later tickets pay for it before
// anything else. It returns what exceeds a second's worth. The caller has to add that to
// what it takes next.
func (b *Bucket) Owe(n int) (rest int) {
	if !b.Limits() {
		return 0
	}
	b.common.mu.Lock()
	defer b.common.mu.Unlock()
	if !b.enter() {
		return 0
	}
	l := &b.flow.lanes[laneMain]
	part := min(n, int(max(0, l.balance+b.lowest()*debtMax.Seconds())))
	l.balance -= float64(part)
	b.pay()
	return n - part
}

// take counts n bytes as wanted in a lane.
func (b *Bucket) take(i, n int, rank int64) *Ticket {
	c := b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.enter() {
		return nil
	}
	l := &b.flow.lanes[i]
	l.used = b.flow.used
	if len(l.waiting) == 0 && l.paid() {
		l.balance -= float64(n)
		b.pay()
		return nil
	}
	t := &Ticket{b: b, lane: l, n: n, rank: rank, ready: make(chan struct{})}
	at := sort.Search(len(l.waiting), func(i int) bool { return l.waiting[i].rank > rank })
	l.waiting = slices.Insert(l.waiting, at, t)
	l.wanted += float64(n)
	b.pay()
	c.wake()
	return t
}

// enter brings b up to date before a caller asks something of it. It reports false if
// there is no limit any more.
func (b *Bucket) enter() bool {
	c := b.common
	if b.lowest() == 0 {
		return false
	}
	f := b.flow
	if f == nil {
		f = new(flow)
		f.lanes[laneMain].share, f.lanes[laneAside].share = 1, c.aside
		f.lanes[laneSpent].share = spentShare
		b.flow = f
	}
	f.used = time.Now()
	c.share(f.used)
	if !f.busy {
		f.busy = true
		c.busy = append(c.busy, b)
		c.setRest()
	}
	if g := b.limitedGroup(); g != nil {
		g.accrue(c.at, c.at)
	}
	if b.rate.Load() == 0 { // it may have what nobody had room for
		more := min(c.spareFor(b), max(b.net(), 0))
		b.give(more)
		c.credit(b, -more)
	}
	return true
}

// net returns how many bytes are wanted or owed, less those that b was allowed. It is
// below 0 if some are left.
func (b *Bucket) net() float64 {
	n := -b.flow.extra
	for i := range b.flow.lanes {
		n += b.flow.lanes[i].wanted - b.flow.lanes[i].balance
	}
	return n
}

// weight returns the weight of b in sharing a rate. A bucket of rank 0 with something in its
// main lane weighs 1.
func (b *Bucket) weight() float64 { return b.wanting() * b.ranked() }

// wanting returns the weight of the lanes of b that want something, at most 1.
func (b *Bucket) wanting() float64 {
	w := 0.
	for i := range b.flow.lanes {
		if b.lacks(i) > 0 {
			w += b.flow.lanes[i].share
		}
	}
	if w == 0 || w > 1 {
		return 1
	}
	return w
}

// give allows b n bytes more, or takes back some that b cannot use.
func (b *Bucket) give(n float64) {
	b.flow.extra += n
	if main := &b.flow.lanes[laneMain]; b.flow.extra < 0 && main.balance > 0 {
		back := min(-b.flow.extra, main.balance)
		main.balance -= back
		b.flow.extra += back
	}
	b.pay()
}

// pay divides the bytes of b among the lanes that can use them.
func (b *Bucket) pay() {
	for range laneCount { // one that needs less than its share leaves the rest to others
		shares := 0.
		for i := range b.flow.lanes {
			if b.lacks(i) > 0 {
				shares += b.flow.lanes[i].share
			}
		}
		have := b.flow.extra
		if shares == 0 || have <= 0 {
			return
		}
		for i := range b.flow.lanes {
			part := min(b.lacks(i), have*b.flow.lanes[i].share/shares)
			b.flow.lanes[i].balance += part
			b.flow.extra -= part
		}
	}
}

// paid reports whether all spent bytes are paid for, except for rounding errors.
func (l *lane) paid() bool { return l.balance > -0.5 }

// admit wakes the tickets whose turn has come, and reports whether others still wait.
func (b *Bucket) admit() (more bool) {
	for i := range b.flow.lanes {
		l := &b.flow.lanes[i]
		n := 0
		for ; n < len(l.waiting) && l.paid(); n++ {
			t := l.waiting[n]
			l.balance -= float64(t.n)
			l.wanted -= float64(t.n)
			close(t.ready)
		}
		l.waiting = slices.Delete(l.waiting, 0, n)
		if len(l.waiting) == 0 {
			l.wanted = 0
			if i != laneMain { // it was for tickets that were given up
				b.flow.extra += max(l.balance, 0)
				l.balance = min(l.balance, 0)
			}
		}
		more = more || len(l.waiting) > 0
	}
	b.pay()
	return more
}

// idle reports whether b has nothing to pay for and no ticket waits in it.
func (b *Bucket) idle() bool {
	for i := range b.flow.lanes {
		if l := &b.flow.lanes[i]; !l.paid() || len(l.waiting) > 0 {
			return false
		}
	}
	return true
}

// clear takes back all bytes that b was allowed and did not use.
func (b *Bucket) clear() (left float64) {
	left = b.flow.extra
	b.flow.extra = 0
	for i := range b.flow.lanes {
		left += b.flow.lanes[i].balance
		b.flow.lanes[i].balance = 0
	}
	return left
}
