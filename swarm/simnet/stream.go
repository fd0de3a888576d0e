package simnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// segmentMax is how many bytes of a stream travel together.
	segmentMax = 16 << 10
	// windowMax is how many bytes of a stream may be under way or unread; a
	// writer waits beyond it.
	windowMax = 256 << 10
	// retransmit is how late a lost segment is, besides one more round trip.
	retransmit = 200 * time.Millisecond
	// backlog is how many streams a listener holds that were not accepted.
	backlogMax = 128
)

// A half is one direction of a stream.
type half struct {
	mu       sync.Mutex
	segments []segment
	bytes    int       // in segments; 0 <= bytes <= windowMax + segmentMax
	last     time.Time // arrival of the last segment; arrivals do not go back
	ended    bool      // the writer closed: EOF comes at last
	gone     bool      // the reader closed
	changed  chan struct{}
}

type segment struct {
	data []byte
	at   time.Time
}

func newHalf() *half { return &half{changed: make(chan struct{})} }

// change wakes all who wait for the half. The caller holds mu.
func (h *half) change() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *half) end(ended, gone bool, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = h.ended || ended
	h.gone = h.gone || gone
	if at.After(h.last) {
		h.last = at
	}
	h.change()
}

// A Conn is one end of a stream.
type Conn struct {
	host, peer    *Host
	local, remote netip.AddrPort
	in, out       *half
	readBy        deadline
	writeBy       deadline
	closing       sync.Once
	closed        chan struct{}
}

var _ net.Conn = (*Conn)(nil)

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		expired := c.readBy.wait()
		if err := usable(c.closed, expired); err != nil {
			return 0, c.failed("read", err)
		}
		n, wait, changed, err := c.in.take(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		pause(wait, changed, expired, c.closed)
	}
}

// take copies what has arrived to p. Else it returns how long to wait for the
// next segment, 0 if there is none, and what is closed when that changes.
func (h *half) take(p []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for len(h.segments) > 0 && n < len(p) {
		s := &h.segments[0]
		if s.at.After(now) {
			break
		}
		k := copy(p[n:], s.data)
		n += k
		if s.data = s.data[k:]; len(s.data) == 0 {
			h.segments[0] = segment{}
			h.segments = h.segments[1:]
		}
	}
	if n > 0 {
		h.bytes -= n
		h.change()
		return n, 0, nil, nil
	}
	if len(h.segments) > 0 {
		return 0, h.segments[0].at.Sub(now), h.changed, nil
	}
	if h.ended {
		if wait := h.last.Sub(now); wait > 0 {
			return 0, wait, h.changed, nil
		}
		return 0, 0, nil, io.EOF
	}
	return 0, 0, h.changed, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	for n < len(p) || len(p) == 0 {
		expired := c.writeBy.wait()
		if err := usable(c.closed, expired); err != nil {
			return n, c.failed("write", err)
		}
		k, changed, err := c.put(p[n:])
		n += k
		if err != nil {
			return n, c.failed("write", err)
		}
		if k > 0 {
			continue
		}
		if len(p) == 0 {
			return 0, nil
		}
		pause(0, changed, expired, c.closed)
	}
	return n, nil
}

// put sends one segment if the window allows.
func (c *Conn) put(p []byte) (n int, changed <-chan struct{}, err error) {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return 0, nil, syscall.ECONNRESET
	}
	if h.bytes >= windowMax {
		return 0, h.changed, nil
	}
	n = min(len(p), segmentMax)
	if n == 0 {
		return 0, nil, nil
	}
	at := c.arrival(n)
	if at.Before(h.last) {
		at = h.last
	}
	h.last = at
	h.segments = append(h.segments, segment{append([]byte(nil), p[:n]...), at})
	h.bytes += n
	h.change()
	return n, nil, nil
}

func (c *Conn) arrival(n int) time.Time {
	network := c.host.net
	network.mu.Lock()
	defer network.mu.Unlock()
	at := network.arrival(c.host, c.peer, n)
	// A link that loses everything makes a stream as late as ten losses do.
	for range 10 {
		if !network.lost(c.host, c.peer) {
			break
		}
		at = at.Add(retransmit + 2*(c.host.link.Latency+c.peer.link.Latency))
	}
	return at
}

// Close implements net.Conn. What was written still arrives.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		network := c.host.net
		network.mu.Lock()
		at := time.Now().Add(network.latency(c.host, c.peer))
		network.mu.Unlock()
		c.out.end(true, false, at)
		c.in.end(false, true, time.Time{})
	})
	return nil
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { c.readBy.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writeBy.set(t); return nil }

func (c *Conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "sim", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// A Listener accepts streams at one port of a host.
type Listener struct {
	host    *Host
	addr    netip.AddrPort
	queue   chan *Conn
	closing sync.Once
	closed  chan struct{}
}

var _ net.Listener = (*Listener)(nil)

// Listen accepts streams at port; 0 chooses one.
func (h *Host) Listen(port uint16) (*Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port, err := h.port(port, func(p uint16) bool { return h.listeners[p] != nil })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "sim", Err: err}
	}
	l := &Listener{
		host: h, addr: netip.AddrPortFrom(h.addr, port),
		queue: make(chan *Conn, backlogMax), closed: make(chan struct{}),
	}
	h.listeners[port] = l
	return l, nil
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "sim", Err: net.ErrClosed}
	}
}

// Close implements net.Listener. Streams that were not accepted are closed.
func (l *Listener) Close() error {
	l.closing.Do(func() {
		l.host.net.mu.Lock()
		delete(l.host.listeners, l.addr.Port())
		close(l.closed)
		l.host.net.mu.Unlock()
		for {
			select {
			case c := <-l.queue:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// AddrPort returns where l listens.
func (l *Listener) AddrPort() netip.AddrPort { return l.addr }

// Dial makes a stream to addr, which takes a round trip. Where nobody listens
// it is refused, and where no host is it goes on until ctx ends.
func (h *Host) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "sim", Addr: net.TCPAddrFromAddrPort(addr),
			Err: err}
	}
	n := h.net
	n.mu.Lock()
	port, err := h.port(0, func(uint16) bool { return false })
	if err != nil {
		n.mu.Unlock()
		return fail(err)
	}
	local := netip.AddrPortFrom(h.addr, port)
	to, seen, at := n.route(h, local, addr)
	if to != nil && to.nat != nil && to.nat != h.nat {
		to = nil
	}
	var wait time.Duration
	if to != nil {
		wait = n.latency(h, to)
	}
	n.mu.Unlock()
	if to == nil {
		<-ctx.Done()
		return fail(ctx.Err())
	}
	if err := sleep(ctx, wait); err != nil {
		return fail(err)
	}
	there, back := newHalf(), newHalf()
	near := &Conn{host: h, peer: to, local: local, remote: addr, in: back, out: there,
		closed: make(chan struct{})}
	far := &Conn{host: to, peer: h, local: at, remote: seen, in: there, out: back,
		closed: make(chan struct{})}
	n.mu.Lock()
	taken := false
	if l := to.listeners[at.Port()]; l != nil {
		select {
		case l.queue <- far:
			taken = true
		default: // too many were not accepted
		}
	}
	wait = n.latency(to, h)
	n.mu.Unlock()
	if err := sleep(ctx, wait); err != nil {
		near.Close()
		return fail(err)
	}
	if !taken {
		return fail(syscall.ECONNREFUSED)
	}
	return near, nil
}

// pause waits for the first of its channels, and for no longer than wait if
// that is not 0.
func pause(wait time.Duration, changed, expired, closed <-chan struct{}) {
	var late <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-late:
	case <-changed:
	case <-expired:
	case <-closed:
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
