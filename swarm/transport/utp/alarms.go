package utp

import (
	"container/heap"
	"sync"
	"time"
)

// alarms wakes connections at their deadlines, by one goroutine for all of them. A deadline
// that was moved to a later time stays where it is: the connection is looked at early, and
// says when it is due. So a connection that is busy costs nothing here.
type alarms struct {
	done  chan struct{}
	timer *time.Timer
	ended sync.WaitGroup

	mu      sync.Mutex
	heap    alarmHeap
	at      time.Time // when timer fires, zero if it does not
	stopped bool
}

// alarm is the place of a connection in the heap. It is guarded by alarms.mu.
type alarm struct {
	due   time.Time
	index int // in the heap, plus one; 0 outside
}

// start starts the goroutine.
func (a *alarms) start() {
	a.done = make(chan struct{})
	a.timer = time.NewTimer(time.Hour)
	a.timer.Stop()
	a.ended.Go(a.run)
}

// stop ends the goroutine, and waits for it.
func (a *alarms) stop() {
	a.mu.Lock()
	if !a.stopped {
		a.stopped = true
		close(a.done)
	}
	a.mu.Unlock()
	a.ended.Wait()
}

// set makes the goroutine wake c at due, or never by this call if due is zero.
func (a *alarms) set(c *Conn, due time.Time) {
	if due.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return
	case c.alarm.index == 0:
		c.alarm.due = due
		heap.Push(&a.heap, c)
	case due.Before(c.alarm.due):
		c.alarm.due = due
		heap.Fix(&a.heap, c.alarm.index-1)
	default:
		return
	}
	a.arm()
}

// drop forgets a connection.
func (a *alarms) drop(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.alarm.index > 0 {
		heap.Remove(&a.heap, c.alarm.index-1)
	}
}

// arm sets the timer for the first connection. a.mu is held.
func (a *alarms) arm() {
	if len(a.heap) == 0 {
		return
	}
	if first := a.heap[0].alarm.due; a.at.IsZero() || first.Before(a.at) {
		a.at = first
		a.timer.Reset(time.Until(first))
	}
}

// run wakes connections until stop.
func (a *alarms) run() {
	var due []*Conn
	for {
		select {
		case <-a.timer.C:
		case <-a.done:
			a.timer.Stop()
			return
		}
		now := time.Now()
		due = a.take(now, due[:0])
		for i, c := range due {
			c.wake(now)
			due[i] = nil
		}
	}
}

// take removes the connections that are due, and appends them to list.
func (a *alarms) take(now time.Time, list []*Conn) []*Conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.heap) > 0 && !a.heap[0].alarm.due.After(now) {
		list = append(list, heap.Pop(&a.heap).(*Conn))
	}
	a.at = time.Time{}
	a.arm()
	return list
}

// alarmHeap has the connection that is due first at its front.
type alarmHeap []*Conn

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].alarm.due.Before(h[j].alarm.due) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].alarm.index, h[j].alarm.index = i+1, j+1
}

// Push implements heap.Interface.
func (h *alarmHeap) Push(x any) {
	c := x.(*Conn)
	*h = append(*h, c)
	c.alarm.index = len(*h)
}

// Pop implements heap.Interface.
func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.alarm.index = 0
	return c
}
