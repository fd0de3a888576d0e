// Package limit holds the budgets that connections share: token buckets for
// bytes per second, and counts for connections, handshakes and dials.
//
// It knows nothing of peers or torrents, moves no bytes, and starts no
// goroutine: whoever wants to spend asks here first, and waits in its own.
// Every type is safe for concurrent use.
//
// Its nouns: a Bucket is a rate, of a torrent for one; a Common is a rate that
// several buckets share evenly; a Ticket is a place in the queue of a bucket;
// Dials and Connections are the budgets for reaching out and for holding on.
package limit

import (
	"context"
	"time"
)

const (
	// quantumTime is how much of a second one step of a transfer should take
	// under a limit, so that a low rate flows and does not come in gulps.
	quantumTime = 50 * time.Millisecond
	quantumMin  = 2 << 10
	quantumMax  = 256 << 10
)

// A Bucket limits a flow to a number of bytes per second, first come first
// served. A nil Bucket limits nothing and costs nothing.
type Bucket struct {
	common *Common
	rate   float64 // bytes per second, besides what common allows; 0 is no limit

	// Guarded by common.mu.
	reserved float64 // bytes asked for
	served   float64 // bytes allowed; <= reserved + its part of a burst
	waiting  []*Ticket
	busy     bool      // in common.busy; else served = reserved, and nobody waits
	room     float64   // how much more it may have; of share
	used     time.Time // when something was asked for last
}

// NewBucket returns a bucket of rate bytes per second that shares common with
// others. A rate of 0 or less does not limit, and neither does a common of nil.
func NewBucket(rate int64, common *Common) *Bucket {
	if rate <= 0 && common == nil {
		return nil
	}
	b := &Bucket{common: common, rate: float64(max(rate, 0))}
	if common == nil {
		b.common = newCommon(0, restOf(b.rate))
	}
	return b
}

// Quantum returns how many bytes to move at a time so that the flow is even:
// a small part of a second's worth of the lowest rate, between 2 KiB and
// 256 KiB.
func (b *Bucket) Quantum() int {
	if b == nil {
		return quantumMax
	}
	n := float64(quantumMax)
	for _, rate := range [...]float64{b.rate, b.common.rate} {
		if rate > 0 {
			n = min(n, rate*quantumTime.Seconds())
		}
	}
	return int(max(n, quantumMin))
}

// WaitN takes n bytes out of the bucket, and returns when what was taken before
// has been paid for. The error is that of ctx; the bytes count as spent all the
// same.
func (b *Bucket) WaitN(ctx context.Context, n int) error {
	ticket := b.Take(n)
	if ticket == nil {
		return nil
	}
	select {
	case <-ticket.Ready():
		return nil
	case <-ctx.Done():
		ticket.Leave()
		return ctx.Err()
	}
}

// A Ticket is a place in the queue of a bucket, for those who have something
// else to wait for as well.
type Ticket struct {
	b     *Bucket
	at    float64       // how much b must have served before
	ready chan struct{} // closed when it is its turn
}

// Take takes n bytes out of the bucket. They may be spent when the ticket is
// ready, or at once if there is none.
func (b *Bucket) Take(n int) *Ticket {
	if b == nil {
		return nil
	}
	c := b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	at := b.take(n)
	if b.served >= at && len(b.waiting) == 0 {
		return nil
	}
	t := &Ticket{b: b, at: at, ready: make(chan struct{})}
	b.waiting = append(b.waiting, t)
	c.wake()
	return t
}

// Ready returns a channel that is closed when it is the ticket's turn.
func (t *Ticket) Ready() <-chan struct{} { return t.ready }

// Leave gives the place up; the bytes count as spent.
func (t *Ticket) Leave() {
	c := t.b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range t.b.waiting {
		if other == t {
			t.b.dequeue(i, i+1)
			return
		}
	}
}

// Spend takes n bytes out of the bucket without waiting, for what cannot wait;
// whoever comes next pays for it in time.
func (b *Bucket) Spend(n int) {
	if b == nil {
		return
	}
	b.common.mu.Lock()
	defer b.common.mu.Unlock()
	b.take(n)
}

// take counts n bytes as asked for, and returns how much must have been served
// before them.
func (b *Bucket) take(n int) float64 {
	c := b.common
	b.used = time.Now()
	c.share(b.used)
	if !b.busy {
		b.busy = true
		c.busy = append(c.busy, b)
	}
	if b.rate == 0 { // it may have what nobody had room for
		more := min(c.spare, max(b.reserved-b.served, 0))
		b.served += more
		c.spare -= more
	}
	at := b.reserved
	b.reserved += float64(n)
	return at
}

// admit tells those whose turn has come.
func (b *Bucket) admit() {
	n := 0
	for n < len(b.waiting) && b.waiting[n].at <= b.served {
		close(b.waiting[n].ready)
		n++
	}
	b.dequeue(0, n)
}

// dequeue takes those from i up to j out of those who wait.
func (b *Bucket) dequeue(i, j int) {
	rest := i + copy(b.waiting[i:], b.waiting[j:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
}
