package utp

import (
	"net"
	"sync"
	"time"
)

// CloseWrite ends our direction: the other end reads io.EOF after what was written. Reading
// goes on.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.finished {
		return c.fault("close", net.ErrClosed)
	}
	if err := c.over(); err != nil {
		return c.fault("close", err)
	}
	c.finished = true
	now := time.Now()
	c.m.end(now)
	c.update(now)
	c.writable.Broadcast()
	return nil
}

// Close implements net.Conn. It returns at once; what was written is still delivered, as long
// as the other end takes it, for half a minute at most. What comes is dropped.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("close", net.ErrClosed)
	}
	c.closed = true
	c.read.stop()
	c.write.stop()
	now := time.Now()
	c.lingers = now.Add(lingerMax)
	if c.over() == nil {
		if !c.m.connected() {
			c.m.abort(now)
		} else {
			c.m.end(now)
			c.m.forget(now)
			c.socket.linger(c)
		}
	}
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.update(now)
	return nil
}

// kill ends the connection at once, for a reason that its user is told. The other end is
// sent a RESET.
func (c *Conn) kill(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over() != nil {
		return
	}
	c.failure = why
	now := time.Now()
	c.m.abort(now)
	c.update(now)
}

// abandon ends a connection that nobody gets, and gives its memory back.
func (c *Conn) abandon(why error) {
	c.kill(why)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.end()
}

// A deadline of a Conn is guarded by the mutex of the Conn.
type deadline struct {
	timer   *time.Timer
	expired bool
}

// set moves the deadline to t, the zero Time for none, and wakes those that wait at cond when
// it has come. The mutex of cond is held.
func (d *deadline) set(t time.Time, cond *sync.Cond) {
	d.stop()
	if d.expired = false; t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		cond.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if d.timer == timer { // it was not moved meanwhile
			d.timer, d.expired = nil, true
			cond.Broadcast()
		}
	})
	d.timer = timer
}

// stop keeps the deadline from coming.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline implements net.Conn. A write that ends at its deadline may have written a
// part, which it says.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	if read {
		c.read.set(t, &c.readable)
	}
	if write {
		c.write.set(t, &c.writable)
	}
	return nil
}
