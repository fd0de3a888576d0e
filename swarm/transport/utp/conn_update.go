package utp

import (
	"errors"
	"net"
	"sync"
	"time"

	"swarmnode/swarm/transport/udpmux"
)

const (
	// joinedMax and joinedSizeMax bound the datagrams that go out as one element, and
	// their bytes.
	joinedMax     = 64
	joinedSizeMax = 64000
	// retryFull is how long a connection waits for room in the system's send buffer before
	// it tries again, unless something else wakes it.
	retryFull = time.Millisecond
	// keptMax bounds the connections of a socket that keep datagrams which the system has
	// no room for, up to outboxMax bytes each. The others make none before there is room.
	keptMax = 8
)

// outboxes are lent to connections while they send.
var outboxes = sync.Pool{New: func() any { return &sending{} }}

// sending is what one call of flush works with.
type sending struct {
	out   outbox
	batch []udpmux.Outgoing
	sent  int // elements of batch
}

// update sends what is due, and tells everybody who has to know how the connection stands. It
// follows each call that may change that. c.mu is held.
func (c *Conn) update(now time.Time) {
	late := !now.Before(c.lingers) || c.ousted.Load()
	if c.closed && !c.lingers.IsZero() && late && c.over() == nil {
		c.m.abort(now)
	}
	full := c.flush(now)
	over := c.over() != nil
	if c.place != nil && (over || c.m.connected()) {
		c.prove(now, over)
		over = c.over() != nil
	}
	if c.reading > 0 && (over || c.m.readable() > 0 || c.m.eof()) {
		c.readable.Broadcast()
	}
	if c.writing > 0 && (over || c.hasRoom()) || c.dialling && (over || c.m.connected()) ||
		c.draining > 0 && !c.outstanding() {
		c.writable.Broadcast()
	}
	if over {
		c.end()
		return
	}
	due := c.m.deadline()
	if !due.IsZero() && !due.After(now) {
		due = now.Add(retryFull) // a deadline that output does not meet must not make a loop
	}
	if full {
		due = earlier(due, now.Add(retryFull))
	}
	if c.closed {
		due = earlier(due, c.lingers)
	}
	c.socket.alarms.set(c, due)
}

// earlier returns the earlier one of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// prove gives the place among the unproven connections back, and the connection to Accept if
// it is one.
func (c *Conn) prove(now time.Time, over bool) {
	place := c.place
	c.place = nil
	if over {
		place.Leave()
		return
	}
	place.Keep()
	c.present(now)
}

// present hands the connection to Accept, now that its other end has answered. If there is no
// room for it, it ends.
func (c *Conn) present(now time.Time) {
	if !c.socket.proven(c) {
		c.closed = true // nobody gets it, and so nobody closes it
		c.failure = errEvicted
		c.m.abort(now)
		c.flush(now)
	}
}

// end takes the connection out of the table when nothing can happen to it any more.
func (c *Conn) end() {
	if c.linked {
		c.linked = false
		c.keep(nil)
		c.socket.unlink(c)
		c.socket.alarms.drop(c)
	}
	if c.closed {
		c.m.free()
	}
}

// wake does what is due.
func (c *Conn) wake(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.m.deadline(); !at.IsZero() && !at.After(now) {
		c.m.tick(now)
	}
	c.update(now)
}

// flush sends what is due, and reports whether the system has no room for it. What it has no
// room for is kept, and goes first the next time.
func (c *Conn) flush(now time.Time) (full bool) {
	s := c.unsent
	switch {
	case s == nil && c.socket.kept.Load() >= keptMax:
		return true
	case s == nil:
		s = outboxes.Get().(*sending)
	case !s.send(c.socket.carrier):
		return true
	}
	c.keep(nil)
	for more := true; more; {
		s.out.reset()
		more = c.m.output(now, &s.out)
		s.batch, s.sent = s.batch[:0], 0
		c.traffic.sent += int64(len(s.out.data))
		s.out.runs(joinedMax, joinedSizeMax, func(r run) bool {
			s.batch = append(s.batch, udpmux.Outgoing{To: c.key.remote, Data: r.data,
				Segment: r.size, Whole: !r.fragment, From: c.local})
			return true
		})
		if len(s.batch) > 0 && !s.send(c.socket.carrier) {
			c.keep(s)
			return true
		}
	}
	outboxes.Put(s)
	return false
}

// keep keeps what the system has no room for, nil for nothing.
func (c *Conn) keep(s *sending) {
	if (s == nil) != (c.unsent == nil) {
		more := int32(1)
		if s == nil {
			more = -1
		}
		c.socket.kept.Add(more)
	}
	c.unsent = s
}

// send sends what is left of the batch, and reports whether the system had room for all of it.
func (s *sending) send(to carrier) bool {
	n, err := to.Send(s.batch[s.sent:])
	if s.sent += n; errors.Is(err, net.ErrClosed) {
		s.sent = len(s.batch)
	}
	clear(s.batch[:s.sent])
	return s.sent == len(s.batch)
}
