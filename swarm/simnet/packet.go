package simnet

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// packetMax is the longest datagram, in bytes.
	packetMax = 65507
	// packetsMax is how many datagrams a socket holds unread; more are lost.
	packetsMax = 1024
)

// A PacketConn sends and receives datagrams at one port of a host.
type PacketConn struct {
	host    *Host
	addr    netip.AddrPort
	readBy  deadline
	closing sync.Once
	closed  chan struct{}

	mu      sync.Mutex
	packets []packet // by ascending at
	changed chan struct{}
}

type packet struct {
	data []byte
	from netip.AddrPort
	at   time.Time
}

var _ net.PacketConn = (*PacketConn)(nil)

// ListenPacket opens a socket for datagrams at port; 0 chooses one.
func (h *Host) ListenPacket(port uint16) (*PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port, err := h.port(port, func(p uint16) bool { return h.packets[p] != nil })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "sim", Err: err}
	}
	c := &PacketConn{
		host: h, addr: netip.AddrPortFrom(h.addr, port),
		closed: make(chan struct{}), changed: make(chan struct{}),
	}
	h.packets[port] = c
	return c, nil
}

// WriteToUDPAddrPort sends a datagram. That it does not arrive is no error.
func (c *PacketConn) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	select {
	case <-c.closed:
		return 0, &net.OpError{Op: "write", Net: "sim", Err: net.ErrClosed}
	default:
	}
	if len(p) > packetMax {
		return 0, &net.OpError{Op: "write", Net: "sim", Err: syscall.EMSGSIZE}
	}
	n := c.host.net
	n.mu.Lock()
	to, seen, at := n.route(c.host, c.addr, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	if to == nil || n.lost(c.host, to) {
		n.mu.Unlock()
		return len(p), nil
	}
	arrival := n.arrival(c.host, to, len(p))
	dest := to.packets[at.Port()]
	n.mu.Unlock()
	if dest != nil {
		dest.deliver(packet{append([]byte(nil), p...), seen, arrival})
	}
	return len(p), nil
}

// deliver queues a datagram by its arrival, for late ones are overtaken.
func (c *PacketConn) deliver(p packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.packets) >= packetsMax {
		return
	}
	i := len(c.packets)
	for i > 0 && c.packets[i-1].at.After(p.at) {
		i--
	}
	c.packets = append(c.packets, packet{})
	copy(c.packets[i+1:], c.packets[i:])
	c.packets[i] = p
	close(c.changed)
	c.changed = make(chan struct{})
}

// ReadFromUDPAddrPort waits for a datagram; what of it does not fit p is lost.
func (c *PacketConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	fail := func(err error) (int, netip.AddrPort, error) {
		return 0, netip.AddrPort{}, &net.OpError{Op: "read", Net: "sim", Err: err}
	}
	for {
		expired := c.readBy.wait()
		if err := usable(c.closed, expired); err != nil {
			return fail(err)
		}
		first, wait, changed := c.next()
		if first != nil {
			return copy(p, first.data), first.from, nil
		}
		pause(wait, changed, expired, c.closed)
	}
}

// next takes the first datagram if it has arrived. Else it returns how long
// to wait for it, 0 if there is none, and what is closed when that changes.
func (c *PacketConn) next() (*packet, time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.packets) == 0 {
		return nil, 0, c.changed
	}
	first := c.packets[0]
	if wait := time.Until(first.at); wait > 0 {
		return nil, wait, c.changed
	}
	c.packets[0] = packet{}
	c.packets = c.packets[1:]
	return &first, 0, nil
}

// ReadFrom implements net.PacketConn.
func (c *PacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(p)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn. addr is a *net.UDPAddr.
func (c *PacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "sim", Addr: addr, Err: syscall.EAFNOSUPPORT}
	}
	return c.WriteToUDPAddrPort(p, u.AddrPort())
}

// Close implements net.PacketConn.
func (c *PacketConn) Close() error {
	c.closing.Do(func() {
		c.host.net.mu.Lock()
		delete(c.host.packets, c.addr.Port())
		c.host.net.mu.Unlock()
		close(c.closed)
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (c *PacketConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

// SetDeadline implements net.PacketConn.
func (c *PacketConn) SetDeadline(t time.Time) error { c.readBy.set(t); return nil }

// SetReadDeadline implements net.PacketConn.
func (c *PacketConn) SetReadDeadline(t time.Time) error { c.readBy.set(t); return nil }

// SetWriteDeadline implements net.PacketConn. Writing never waits.
func (c *PacketConn) SetWriteDeadline(time.Time) error { return nil }
