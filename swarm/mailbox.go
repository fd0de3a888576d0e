package swarm

import (
	"sync"

	"swarmnode/swarm/core"
)

const (
	// eventsMax is how many events may wait for a loop before their senders wait. It is
	// larger than a batch, so that the loop finds a full one.
	eventsMax = 1024
	// eventsKept is the capacity for events that an idle loop keeps.
	eventsKept = 16
)

// A mailbox holds the events that wait for the loop of a torrent. It needs no memory
// without events: most torrents of a large seeder have none. It is safe for concurrent use
// by many goroutines that put and one that takes.
type mailbox struct {
	wake chan struct{} // has a token when the mailbox is not empty any more
	room chan struct{} // has a token when it is not full any more

	mu    sync.Mutex
	queue []core.Event // len(queue) <= eventsMax
}

func (m *mailbox) init() {
	m.wake = make(chan struct{}, 1)
	m.room = make(chan struct{}, 1)
}

// arrived returns a channel that has a token once there are events.
func (m *mailbox) arrived() <-chan struct{} { return m.wake }

// put adds e, and waits while the mailbox is full. It reports false if stop is closed
// before.
func (m *mailbox) put(e *core.Event, stop <-chan struct{}) bool {
	for waited := false; ; waited = true {
		m.mu.Lock()
		n := len(m.queue)
		if n < eventsMax {
			m.queue = append(m.queue, *e)
		}
		m.mu.Unlock()
		if n < eventsMax {
			if n == 0 {
				token(m.wake)
			}
			if waited {
				token(m.room) // others may wait as well
			}
			return true
		}
		select {
		case <-m.room:
		case <-stop:
			return false
		}
	}
}

// take returns the events, and leaves the memory of buf in exchange.
func (m *mailbox) take(buf []core.Event) []core.Event {
	m.mu.Lock()
	taken := m.queue
	m.queue = buf[:0]
	m.mu.Unlock()
	if len(taken) == eventsMax {
		token(m.room)
	}
	return taken
}

// shrink gives up memory that an idle torrent does not need.
func (m *mailbox) shrink() {
	m.mu.Lock()
	if len(m.queue) == 0 && cap(m.queue) > eventsKept {
		m.queue = nil
	}
	m.mu.Unlock()
}

// token leaves a token in c if there is none.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
