package utp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// wakeRoom is how much room there must be in the send buffer before a writer that
	// waits for it is woken, in bytes: a few large writes cost less than many small ones.
	wakeRoom = 32 << 10
	// lingerMax bounds how long a connection goes on after Close, for what was written to
	// be acknowledged.
	lingerMax = 30 * time.Second
)

// errEvicted ends an unproven connection to us whose place another one takes.
var errEvicted = errors.New("utp: too many attempts to connect")

// A Conn is a connection. It implements net.Conn; its methods are safe for concurrent use.
type Conn struct {
	socket   *Socket
	key      connKey
	accepted bool  // the other end has dialled
	alarm    alarm // of socket.alarms

	mu       sync.Mutex
	m        *machine
	local    netip.Addr // the address of ours that the other end has sent to, once known
	traffic  traffic
	readable sync.Cond
	writable sync.Cond // also: connected
	reading  int       // how many wait at readable
	writing  int       // how many wait at writable
	dialling bool      // Dial waits at writable
	draining int       // how many wait at writable for the end of what was written
	read     deadline
	write    deadline
	place    *limit.Place // among the unproven connections; nil if it is not one of them
	unsent   *sending     // what the system had no room for
	failure  error        // why it ended before its machine did
	finished bool         // CloseWrite was called
	closed   bool         // Close was called
	lingers  time.Time    // when it ends at the latest after Close
	linked   bool         // it is in the table, or about to be
	touched  bool         // it is in socket.touched
	ousted   atomic.Bool  // others need its place: it lingers no longer
}

// newConn returns a connection without its machine.
func newConn(s *Socket, key connKey) *Conn {
	c := &Conn{socket: s, key: key, linked: true}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	return c
}

// ids reports whether an id is one of the two of the connection.
func (c *Conn) ids(id uint16) bool {
	if c.accepted {
		return id == c.key.id || id == c.key.id-1
	}
	return id == c.key.id || id == c.key.id+1
}

// over returns why nothing can be sent or received any more, nil if that is not so. c.mu is
// held.
func (c *Conn) over() error {
	if c.failure != nil {
		return c.failure
	}
	if closed, err := c.m.closed(); closed {
		if err == nil {
			return net.ErrClosed
		}
		return err
	}
	return nil
}

// Read implements net.Conn. It returns what there is, without waiting for more.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.awaitReadable(); err != nil || len(p) == 0 {
		return 0, c.fault("read", err)
	}
	now := time.Now()
	n := c.m.read(now, p)
	c.afterRead(now)
	return n, nil
}

// ReadBuffers waits until there is something to read, then calls room and fills the buffers
// that it returns, one after the other, with what there is. It calls idle before it waits, so
// that a reader needs memory only when something has come. Both may use the connection, but
// not read from it.
func (c *Conn) ReadBuffers(room func() [][]byte, idle func()) (n int, err error) {
	for {
		if !c.hasBytes() {
			idle()
		}
		if err := c.await(); err != nil {
			return 0, c.fault("read", err)
		}
		n, asked := c.fill(room())
		if n > 0 || asked == 0 {
			return n, nil
		}
	}
}

// hasBytes reports whether there is something to read.
func (c *Conn) hasBytes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.readable() > 0
}

// await waits until there is something to read.
func (c *Conn) await() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaitReadable()
}

// fill reads what there is into buffers, and returns how many bytes they have room for.
func (c *Conn) fill(buffers [][]byte) (n, asked int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, p := range buffers {
		asked += len(p)
		k := c.m.read(now, p)
		if n += k; k < len(p) {
			break
		}
	}
	c.afterRead(now)
	return n, asked
}

// awaitReadable waits until there is something to read. c.mu is held.
func (c *Conn) awaitReadable() error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.read.expired:
			return os.ErrDeadlineExceeded
		case c.m.readable() > 0:
			return nil
		case c.m.eof():
			return io.EOF
		}
		if err := c.over(); err != nil {
			return err
		}
		c.reading++
		c.readable.Wait()
		c.reading--
	}
}

// afterRead tells the peer of the room that a read has made, if it is time to.
func (c *Conn) afterRead(now time.Time) {
	if c.m.ack.now {
		c.update(now)
	}
}

// Write implements net.Conn. It returns when everything is in the send buffer.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.awaitWritable(len(p) > n); err != nil {
			return n, c.fault("write", err)
		}
		now := time.Now()
		n += c.m.write(now, p[n:])
		c.update(now)
		if n == len(p) {
			return n, nil
		}
	}
}

// WriteBuffers writes all of v as Write would its parts, and drops from v what was taken. It
// returns the number of bytes.
func (c *Conn) WriteBuffers(v *net.Buffers) (n int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.awaitWritable(len(*v) > 0); err != nil {
			return n, c.fault("write", err)
		}
		now := time.Now()
		for len(*v) > 0 {
			k := c.m.write(now, (*v)[0])
			n += int64(k)
			if k < len((*v)[0]) {
				(*v)[0] = (*v)[0][k:]
				break
			}
			(*v)[0] = nil
			*v = (*v)[1:]
		}
		c.update(now)
		if len(*v) == 0 {
			return n, nil
		}
	}
}

// awaitWritable waits until there is room in the send buffer, if there must be some. c.mu is
// held.
func (c *Conn) awaitWritable(room bool) error {
	for {
		switch {
		case c.closed, c.finished:
			return net.ErrClosed
		case c.write.expired:
			return os.ErrDeadlineExceeded
		}
		if err := c.over(); err != nil {
			return err
		}
		if !room || c.hasRoom() {
			return nil
		}
		c.writing++
		c.writable.Wait()
		c.writing--
	}
}

// hasRoom reports whether a write should go on. c.mu is held.
func (c *Conn) hasRoom() bool {
	room := c.m.writable()
	return room >= wakeRoom || room > 0 && c.m.flight.packets() == 0
}

// fault names the operation and the addresses with an error, unless it is io.EOF.
func (c *Conn) fault(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return c.socket.fault(op, c.RemoteAddr(), err)
}

// reached records the address of ours that a packet was sent to, if it is known. The first one
// stays: the other end knows us by it. c.mu is held.
func (c *Conn) reached(at netip.Addr) {
	if !c.local.IsValid() {
		c.local = at
	}
}

// LocalAddr implements net.Conn. It is a *net.UDPAddr, with the address that the other end
// reaches us at if the system says which it is, and that of the socket otherwise.
func (c *Conn) LocalAddr() net.Addr {
	at := c.socket.AddrPort()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.local.IsValid() {
		at = netip.AddrPortFrom(c.local, at.Port())
	}
	return net.UDPAddrFromAddrPort(at)
}

// RemoteAddr implements net.Conn. It is a *net.UDPAddr.
func (c *Conn) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.key.remote) }
