package utp

import "context"

// Drain waits until the other ends have acknowledged everything that was written to
// connections which their users have closed, with the end of the stream, or until ctx ends. It
// does not wait for connections that are in use, nor for other ends that have been silent
// while two timeouts passed.
func (s *Socket) Drain(ctx context.Context) {
	s.mu.Lock()
	all := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.drain(ctx)
	}
}

// drain waits until nothing that was written is outstanding, or ctx ends.
func (c *Conn) drain(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outstanding() {
		return
	}
	c.draining++
	defer func() { c.draining-- }()
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writable.Broadcast()
	})
	defer stop()
	for c.outstanding() && ctx.Err() == nil {
		c.writable.Wait()
	}
}

// outstanding reports whether the connection was closed by its user, and an answer to what
// was written may still come. c.mu is held.
func (c *Conn) outstanding() bool {
	return c.closed && c.over() == nil && !c.m.written()
}

// written reports whether the peer has acknowledged everything of our direction, or is
// not likely to do so any more.
func (m *machine) written() bool {
	return m.finish.acked || m.timers.expired >= drainTimeouts
}

// drainTimeouts is how many timeouts in a row mean that nobody waits for the peer.
const drainTimeouts = 2
