package relay

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// inboxMax is how many datagrams wait to be read. A reader takes them within microseconds
// each.
const inboxMax = 256

// An inbox holds datagrams until they are read, and drops those that find it full. It is safe
// for concurrent use.
type inbox struct {
	wake chan struct{} // holds a token while something waits
	gone chan struct{} // closed by close

	mu          sync.Mutex
	ring        []letter // of inboxMax places once it was needed
	first, held int
	closed      bool
	expired     chan struct{} // closed once the deadline has passed
	timer       *time.Timer   // of the deadline; nil without one to come
}

// A letter is a datagram that waits. Its buffer is kept for the next one in its place.
type letter struct {
	from netip.AddrPort
	data []byte
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), gone: make(chan struct{}),
		expired: make(chan struct{})}
}

// put copies a datagram into the inbox.
func (q *inbox) put(from netip.AddrPort, data []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.held == inboxMax {
		return
	}
	if q.ring == nil {
		q.ring = make([]letter, inboxMax)
	}
	l := &q.ring[(q.first+q.held)%inboxMax]
	l.from, l.data = from, append(l.data[:0], data...)
	if q.held++; q.held == 1 {
		q.signal()
	}
}

// signal wakes one reader. It never blocks.
func (q *inbox) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take copies the first datagram into b.
func (q *inbox) take(b []byte) (n int, from netip.AddrPort, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == 0 {
		return 0, netip.AddrPort{}, false
	}
	l := &q.ring[q.first]
	n, from = copy(b, l.data), l.from
	q.first = (q.first + 1) % inboxMax
	if q.held--; q.held > 0 {
		q.signal() // for another reader
	}
	return n, from, true
}

// get waits for a datagram and copies it into b. The error is net.ErrClosed or
// os.ErrDeadlineExceeded.
func (q *inbox) get(b []byte) (int, netip.AddrPort, error) {
	for {
		q.mu.Lock()
		expired := q.expired
		q.mu.Unlock()
		select {
		case <-q.gone:
			return 0, netip.AddrPort{}, net.ErrClosed
		case <-expired:
			return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
		default:
		}
		if n, from, ok := q.take(b); ok {
			return n, from, nil
		}
		select {
		case <-q.wake:
		case <-q.gone:
		case <-expired:
		}
	}
}

// setDeadline moves the deadline of get, the zero Time for none.
func (q *inbox) setDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopTimer()
	select {
	case <-q.expired:
		q.expired = make(chan struct{})
	default:
	}
	if t.IsZero() || q.closed {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		close(q.expired)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timer == timer { // it was not moved meanwhile
			q.timer = nil
			close(q.expired)
		}
	})
	q.timer = timer
}

// stopTimer keeps the deadline from coming. The caller holds mu.
func (q *inbox) stopTimer() {
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
}

// close ends the reads, and drops what waits. Only the first call has an effect.
func (q *inbox) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	close(q.gone)
	q.ring, q.held = nil, 0
	q.stopTimer()
}
