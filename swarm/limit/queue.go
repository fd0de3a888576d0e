package limit

import (
	"context"
	"errors"
	"sync"
)

// waitersMax bounds the waiters for a place. Beyond it, an owner may have one waiter only.
// It is several times what gets a place in the time of one attempt.
const waitersMax = 1024

// ErrBusy is the error of a caller that asks for a place for which too many wait.
var ErrBusy = errors.New("too many wait for their turn")

// A queue is a budget of equal places for several owners. A free place goes to the owner
// that holds fewest, so that an owner which wants many places, and holds them for long,
// keeps nobody from a first one.
type queue struct {
	max int

	mu      sync.Mutex
	free    int
	held    map[any]int // places by owner; values > 0, sum = max - free
	queued  map[any]int // waiting by owner; values > 0, sum = len(waiting)
	waiting []*waiter   // the oldest first; empty while free > 0
}

// A waiter waits for a place for its owner.
type waiter struct {
	owner any
	ready chan struct{} // closed when it has a place
}

func newQueue(n int) *queue {
	return &queue{max: n, free: n, held: make(map[any]int), queued: make(map[any]int)}
}

// acquire takes a place for owner and waits until there is one. The error is
// ErrBusy or that of ctx.
func (q *queue) acquire(ctx context.Context, owner any) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.held[owner]++
		q.mu.Unlock()
		return nil
	}
	if len(q.waiting) >= waitersMax && q.held[owner]+q.queued[owner] > 0 {
		q.mu.Unlock()
		return ErrBusy
	}
	mine := &waiter{owner, make(chan struct{})}
	q.waiting = append(q.waiting, mine)
	q.queued[owner]++
	q.mu.Unlock()
	select {
	case <-mine.ready:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-mine.ready: // just now
		q.giveBack(owner)
	default:
		for i, w := range q.waiting {
			if w == mine {
				q.dequeue(i)
				break
			}
		}
	}
	return ctx.Err()
}

// release gives a place of owner back.
func (q *queue) release(owner any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.giveBack(owner)
}

func (q *queue) giveBack(owner any) {
	if q.held[owner] == 0 {
		panic("limit: a place was released that was not acquired")
	}
	if q.held[owner]--; q.held[owner] == 0 {
		delete(q.held, owner)
	}
	next := -1
	for i, w := range q.waiting {
		if next < 0 || q.held[w.owner] < q.held[q.waiting[next].owner] {
			next = i
		}
	}
	if next < 0 {
		q.free++
		return
	}
	w := q.waiting[next]
	q.dequeue(next)
	q.held[w.owner]++
	close(w.ready)
}

// dequeue removes waiter i.
func (q *queue) dequeue(i int) {
	owner := q.waiting[i].owner
	if q.queued[owner]--; q.queued[owner] == 0 {
		delete(q.queued, owner)
	}
	copy(q.waiting[i:], q.waiting[i+1:])
	q.waiting[len(q.waiting)-1] = nil
	q.waiting = q.waiting[:len(q.waiting)-1]
}

// used returns how many places are taken.
func (q *queue) used() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.max - q.free
}
