package udpmux

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	// queueMax is how many datagrams of the DHT wait to be read. A node reads them within
	// microseconds each; a flood fills any queue.
	queueMax = 256
	// queuedSizeMax bounds the bytes of a datagram that waits. The DHT's are shorter (BEP
	// 32), and what is longer is cut off, as a read of a socket would do.
	queuedSizeMax = 2048
)

// errNoAddress is the error of a write to an address that is not of UDP.
var errNoAddress = errors.New("not a UDP address")

// A queued datagram waits to be read. Its buffer is kept for the next one in its place.
type queued struct {
	from netip.AddrPort
	to   netip.Addr
	data []byte
}

// A dhtConn is the DHT's side of a Mux, a net.PacketConn. It is safe for concurrent use.
type dhtConn struct {
	m    *Mux
	wake chan struct{} // holds a token while something waits
	gone chan struct{} // closed by Close

	mu          sync.Mutex
	ring        []queued // of queueMax places once it was needed
	first, held int
	closed      bool
	timeout     deadline
}

// DHT returns the DHT's side of the socket: a net.PacketConn that yields the datagrams of
// the DHT (ClassDHT) and sends to anywhere. Each call returns another one, and ends the
// reads of the one before with net.ErrClosed. Datagrams are dropped before the first call,
// after the Close of what was returned last, and while 256 of them wait. Writing never
// waits: a datagram for which the system has no room is lost. Closing what DHT returns does
// not close the socket.
//
// The connection also has the methods ReadFromUDPAddrPort and WriteToUDPAddrPort of
// net.UDPConn, which do not allocate.
func (m *Mux) DHT() net.PacketConn {
	c := &dhtConn{m: m, wake: make(chan struct{}, 1), gone: make(chan struct{}),
		timeout: newDeadline()}
	if was := m.dht.Swap(c); was != nil {
		was.Close()
	}
	select {
	case <-m.closing: // Close may have missed c
		c.Close()
	default:
	}
	return c
}

// queue makes d wait to be read, and reports whether there was room.
func (c *dhtConn) queue(d Datagram) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.held == queueMax {
		return false
	}
	if c.ring == nil {
		c.ring = make([]queued, queueMax)
	}
	q := &c.ring[(c.first+c.held)%queueMax]
	q.from, q.to = d.From, d.To
	q.data = append(q.data[:0], d.Data[:min(len(d.Data), queuedSizeMax)]...)
	if c.held++; c.held == 1 {
		c.signal()
	}
	return true
}

// signal wakes one reader. It never blocks.
func (c *dhtConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take copies the first datagram that waits into b.
func (c *dhtConn) take(b []byte) (n int, from netip.AddrPort, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == 0 {
		return 0, netip.AddrPort{}, false
	}
	q := &c.ring[c.first]
	n, from = copy(b, q.data), q.from
	c.m.ways.note(q.from, q.to)
	c.first = (c.first + 1) % queueMax
	if c.held--; c.held > 0 {
		c.signal() // for another reader
	}
	return n, from, true
}

// ReadFromUDPAddrPort is the method of net.UDPConn.
func (c *dhtConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		c.mu.Lock()
		timeout := c.timeout.expired
		c.mu.Unlock()
		select {
		case <-c.gone:
			return 0, netip.AddrPort{}, c.fault("read", net.ErrClosed)
		case <-timeout:
			return 0, netip.AddrPort{}, c.fault("read", os.ErrDeadlineExceeded)
		default:
		}
		if n, from, ok := c.take(b); ok {
			return n, from, nil
		}
		select {
		case <-c.wake:
		case <-c.gone:
		case <-timeout:
		}
	}
}

// ReadFrom implements net.PacketConn.
func (c *dhtConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort is the method of net.UDPConn, but never waits for room.
func (c *dhtConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-c.gone:
		return 0, c.fault("write", net.ErrClosed)
	default:
	}
	if from, ok := c.m.ways.back(to); ok {
		if c.m.writeFrom(from, b, to) == nil {
			return len(b), nil
		}
		c.m.ways.forget(to) // the address may be gone
	}
	if err := c.m.WriteTo(b, to); err != nil {
		return 0, c.fault("write", err)
	}
	return len(b), nil
}

// WriteTo implements net.PacketConn.
func (c *dhtConn) WriteTo(b []byte, to net.Addr) (int, error) {
	addr := addrPortOf(to)
	if !addr.IsValid() {
		return 0, c.fault("write", errNoAddress)
	}
	return c.WriteToUDPAddrPort(b, addr)
}

// LocalAddr implements net.PacketConn.
func (c *dhtConn) LocalAddr() net.Addr { return c.m.LocalAddr() }

// Close implements net.PacketConn. It ends reads, drops what waits, and leaves the socket
// open.
func (c *dhtConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("close", net.ErrClosed)
	}
	c.closed = true
	close(c.gone)
	c.ring, c.held = nil, 0
	c.timeout.stop()
	return nil
}

// SetDeadline implements net.PacketConn.
func (c *dhtConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (c *dhtConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	c.timeout.set(&c.mu, t)
	return nil
}

// SetWriteDeadline implements net.PacketConn. Writes do not wait.
func (c *dhtConn) SetWriteDeadline(time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	return nil
}

// fault names the operation and the address with an error.
func (c *dhtConn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: c.m.LocalAddr(), Err: err}
}
