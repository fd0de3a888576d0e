package mse

import (
	"crypto/rc4"
	"net"
	"sync"
)

// A Conn is the stream behind the dialogue. Like any net.Conn it may be read by
// one goroutine and written by another; unlike others, a Write that was cut
// short has to be followed by one of what was left, since those bytes are
// encrypted already.
type Conn struct {
	net.Conn
	method Method

	initial []byte      // read before anything else
	in      *rc4.Cipher // nil for plain text

	out     *rc4.Cipher // nil for plain text
	pending []byte      // encrypted and not yet written
	scratch *[scratchSize]byte
}

// scratchSize is how many bytes are encrypted at a time: enough for few calls,
// little enough to stay in the cache.
const scratchSize = 32 << 10

var scratches = sync.Pool{New: func() any { return new([scratchSize]byte) }}

func newConn(conn net.Conn, m Method, initial []byte, in, out *rc4.Cipher) *Conn {
	c := &Conn{Conn: conn, method: m, initial: initial}
	if m == RC4 {
		c.in, c.out = in, out
	}
	return c
}

// Method returns the method that was agreed upon: Plain or RC4.
func (c *Conn) Method() Method { return c.method }

// Bare returns the connection below if nothing stands between it and the
// stream any more, and otherwise c.
func (c *Conn) Bare() net.Conn {
	if c.in == nil && len(c.initial) == 0 {
		return c.Conn
	}
	return c
}

// Below returns the connection below, for its options.
func (c *Conn) Below() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.initial) > 0 {
		n := copy(b, c.initial)
		c.initial = c.initial[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b)
	if c.in != nil {
		c.in.XORKeyStream(b[:n], b[:n])
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (n int, err error) {
	if c.out == nil {
		return c.Conn.Write(b)
	}
	for n < len(b) && err == nil {
		if len(c.pending) == 0 {
			c.scratch = scratches.Get().(*[scratchSize]byte)
			c.pending = c.scratch[:min(len(b)-n, scratchSize)]
			c.out.XORKeyStream(c.pending, b[n:n+len(c.pending)])
		}
		var k int
		k, err = c.Conn.Write(c.pending[:min(len(c.pending), len(b)-n)])
		n += k
		if c.pending = c.pending[k:]; len(c.pending) == 0 {
			scratches.Put(c.scratch)
			c.pending, c.scratch = nil, nil
		}
	}
	return n, err
}
