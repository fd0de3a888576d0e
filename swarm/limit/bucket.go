// Package limit holds the budgets that connections share: token buckets for
// bytes per second, and counts for connections, handshakes and dials.
//
// It knows nothing of peers or torrents, moves no bytes, and starts no
// goroutine: whoever wants to spend asks here first, and waits in its own.
// Every type is safe for concurrent use.
//
// Its nouns: a Bucket is a rate, possibly below a parent that limits it and
// its siblings together; a Ticket is a place in the queue of a bucket; Dials
// and Connections are the budgets for reaching out and for holding on.
package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// burstTime is how much unused rate a bucket keeps, as time: enough to
	// make up for wake-ups that come late on a busy machine, too little to
	// be seen in a rate measured over a second.
	burstTime = 60 * time.Millisecond
	// waitMin is the shortest time to sleep: a few long rests cost less than
	// many short ones, since each wakes everyone on the way of a block. What is
	// lost by sleeping longer than needed comes back through burstTime.
	waitMin = 25 * time.Millisecond
	// waitMax is how long a waiter sleeps before it looks at the rate again,
	// so that a raised limit is felt at once.
	waitMax = 250 * time.Millisecond

	// quantumTime is how much of a second one step of a transfer should take
	// under a limit, so that a low rate flows and does not come in gulps.
	quantumTime = 50 * time.Millisecond
	quantumMin  = 2 << 10
	quantumMax  = 256 << 10
)

// A Bucket limits a flow to a number of bytes per second, first come first
// served. A nil Bucket limits nothing and costs nothing.
type Bucket struct {
	parent *Bucket // limits this bucket and its siblings together; may be nil

	rate atomic.Int64 // bytes per second; 0 is no limit

	mu       sync.Mutex
	reserved float64   // bytes asked for while there was a rate
	served   float64   // bytes that the rate has allowed; <= reserved + burst
	at       time.Time // when served was right
}

// NewBucket returns a bucket of rate bytes per second below parent, which may
// be nil. A rate of 0 or less does not limit; it can be set later.
func NewBucket(rate int64, parent *Bucket) *Bucket {
	b := &Bucket{parent: parent, at: time.Now()}
	b.rate.Store(max(rate, 0))
	return b
}

// SetRate changes the rate, in bytes per second; 0 or less is no limit. Those
// who wait feel it within a fraction of a second.
func (b *Bucket) SetRate(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	b.rate.Store(max(rate, 0))
	if rate <= 0 {
		b.served = b.reserved // whoever waits may go
	}
}

// Rate returns the rate in bytes per second, 0 being no limit. It does not
// regard the parent.
func (b *Bucket) Rate() int64 {
	if b == nil {
		return 0
	}
	return b.rate.Load()
}

// Limited tells whether the bucket or one above it has a rate.
func (b *Bucket) Limited() bool {
	for ; b != nil; b = b.parent {
		if b.Rate() > 0 {
			return true
		}
	}
	return false
}

// Quantum returns how many bytes to move at a time so that the flow is even:
// a small part of a second's worth of the lowest rate, between 2 KiB and
// 256 KiB.
func (b *Bucket) Quantum() int {
	n := float64(quantumMax)
	for ; b != nil; b = b.parent {
		if rate := b.Rate(); rate > 0 {
			n = min(n, float64(rate)*quantumTime.Seconds())
		}
	}
	return int(max(n, quantumMin))
}

// WaitN takes n bytes out of the bucket and those above it, and returns when
// what was taken before has been paid for. The error is that of ctx; the bytes
// count as spent all the same.
func (b *Bucket) WaitN(ctx context.Context, n int) error {
	if b == nil {
		return nil
	}
	ticket := b.Take(n)
	wait := ticket.Delay()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if wait = ticket.Delay(); wait <= 0 {
			return nil
		}
		timer.Reset(wait)
	}
}

// A Ticket is a place in the queue of a bucket, for those who have something
// else to wait for as well. It is for one goroutine.
type Ticket struct {
	b  *Bucket
	at float64
	n  int
}

// Take takes n bytes out of the bucket. They may be spent when Delay of the
// ticket says 0.
func (b *Bucket) Take(n int) Ticket {
	if b == nil {
		return Ticket{}
	}
	return Ticket{b: b, at: b.take(n), n: n}
}

// Delay returns how long to wait before asking again, 0 when the turn has
// come. It must be asked until it says 0.
func (t *Ticket) Delay() time.Duration {
	for t.b != nil {
		if wait := t.b.delay(t.at); wait > 0 {
			return min(max(wait, waitMin), waitMax)
		}
		if t.b = t.b.parent; t.b != nil {
			t.at = t.b.take(t.n)
		}
	}
	return 0
}

// Spend takes n bytes out of the bucket and those above it without waiting,
// for what cannot wait; whoever comes next pays for it in time.
func (b *Bucket) Spend(n int) {
	for ; b != nil; b = b.parent {
		b.take(n)
	}
}

// take queues n bytes and returns how much must have been served before them.
func (b *Bucket) take(n int) float64 {
	if b.rate.Load() == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	at := b.reserved
	b.reserved += float64(n)
	return at
}

func (b *Bucket) delay(at float64) time.Duration {
	if b.rate.Load() == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	rate := float64(b.rate.Load())
	if rate == 0 || b.served >= at {
		return 0
	}
	// A wait beyond waitMax is cut by the caller; the bound here keeps the
	// conversion in range for absurdly low rates.
	seconds := min((at-b.served)/rate, 3600)
	return max(1, time.Duration(seconds*float64(time.Second)))
}

// advance serves what the time since the last call allows.
func (b *Bucket) advance() {
	now := time.Now()
	if rate := float64(b.rate.Load()); rate > 0 {
		b.served += rate * now.Sub(b.at).Seconds()
		b.served = min(b.served, b.reserved+rate*burstTime.Seconds())
	}
	b.at = now
}
