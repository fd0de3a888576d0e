package socks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// datagramMax is more than any datagram has with its header. One that was cut off would be
	// taken for another one: uTP would acknowledge what it has not received.
	datagramMax = 64 << 10
	// chatterMax bounds what a proxy may send on a control connection, where it has nothing
	// to say.
	chatterMax = 4 << 10

	// A proxy that has vanished is found out by keep-alives of the system on the control
	// connection: after half a minute.
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
)

// A Relay is one association with the proxy for datagrams (RFC 1928, section 7). It lasts
// until Close, or until the control connection ends. It is safe for concurrent use.
// Reading and writing allocate no memory.
type Relay struct {
	control net.Conn
	udp     net.Conn // connected to the relay, so that the system drops what others send
	done    chan struct{}
	watch   sync.WaitGroup

	reading sync.Mutex
	in      []byte
	writing sync.Mutex
	out     []byte
}

// Associate asks the proxy for a relay. Errors are *ServerError, or that of ctx. The
// *ServerError wraps ErrNoUDP if the proxy relays no datagrams for us.
func (c *Client) Associate(ctx context.Context) (*Relay, error) {
	// The zero address leaves it open from where we send: an address translation on the way
	// would make any other one wrong.
	control, bound, err := c.request(ctx, commandAssociate,
		address{ip: netip.IPv4Unspecified()})
	if err != nil {
		return nil, err
	}
	relay, err := relayAddress(bound, control.RemoteAddr())
	if err == nil {
		var udp net.Conn
		if udp, err = c.dialUDP(ctx, relay); err == nil {
			return newRelay(control, udp), nil
		}
	}
	control.Close()
	return nil, c.failure(ctx, err)
}

func (c *Client) dialUDP(ctx context.Context, relay netip.AddrPort) (net.Conn, error) {
	if c.cfg.DialUDP != nil {
		return c.cfg.DialUDP(ctx, relay)
	}
	return new(net.Dialer).DialContext(ctx, "udp", relay.String())
}

// relayAddress returns where to send datagrams to. A proxy that names no address of its
// relay, names it by a name, or names an address inside its own network although we reach
// it from outside, means the address at which we reach the proxy.
func relayAddress(bound address, proxy net.Addr) (netip.AddrPort, error) {
	with, ok := proxy.(interface{ AddrPort() netip.AddrPort })
	if !ok || bound.port == 0 {
		return netip.AddrPort{}, protocolError("no address of the UDP relay")
	}
	own := with.AddrPort().Addr().Unmap()
	ip := bound.ip
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || inside(ip) && !inside(own) {
		ip = own
	}
	return netip.AddrPortFrom(ip, bound.port), nil
}

// inside reports whether ip has a meaning in one machine or network only.
func inside(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
}

func newRelay(control, udp net.Conn) *Relay {
	r := &Relay{control: control, udp: udp, done: make(chan struct{}),
		in: make([]byte, datagramMax), out: make([]byte, 0, 2<<10)}
	if tcp, ok := control.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle,
			Interval: keepAliveInterval, Count: keepAliveCount})
	}
	r.watch.Go(func() {
		defer close(r.done)
		b := make([]byte, 256)
		for chatter := 0; chatter < chatterMax; {
			n, err := control.Read(b)
			if err != nil {
				break
			}
			chatter += n
		}
		control.Close()
		udp.Close()
	})
	return r
}

// Done returns a channel that is closed when the relay has ended.
func (r *Relay) Done() <-chan struct{} { return r.done }

// Close ends the relay, and waits for that. Reads and writes then return errors that are
// net.ErrClosed.
func (r *Relay) Close() error {
	r.control.Close()
	r.watch.Wait()
	return nil
}

// LocalAddr returns the address from which we send to the relay.
func (r *Relay) LocalAddr() net.Addr { return r.udp.LocalAddr() }

// Read reads the next datagram into b, and returns who sent it. Like a UDP socket it cuts
// off what b has no room for. Datagrams of anybody but the relay, fragments, and those whose
// header is not in order are skipped.
func (r *Relay) Read(b []byte) (n int, from netip.AddrPort, err error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	for {
		n, err := r.udp.Read(r.in)
		if err != nil {
			if wasRefused(err) { // nobody listened at the relay for an earlier datagram
				continue
			}
			return 0, netip.AddrPort{}, err
		}
		if from, payload, ok := parseDatagram(r.in[:n]); ok {
			return copy(b, payload), from, nil
		}
	}
}

// SetReadDeadline sets the moment at which Read gives up, with os.ErrDeadlineExceeded.
func (r *Relay) SetReadDeadline(t time.Time) error { return r.udp.SetReadDeadline(t) }

// Write sends a datagram to an address.
func (r *Relay) Write(b []byte, to netip.AddrPort) (int, error) {
	return r.write(b, address{ip: to.Addr().Unmap().WithZone(""), port: to.Port()})
}

// WriteTo sends a datagram to a port of a host, which is an address or a name. The proxy
// looks the name up.
func (r *Relay) WriteTo(b []byte, host string, port uint16) (int, error) {
	to, err := addressOf(host, port)
	if err != nil {
		return 0, err
	}
	return r.write(b, to)
}

func (r *Relay) write(b []byte, to address) (int, error) {
	if len(b) > datagramMax-headerMax {
		return 0, errTooLong
	}
	if !to.ip.IsValid() && to.name == "" || to.port == 0 {
		return 0, ErrName
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	r.out = append(appendHeader(r.out[:0], to), b...)
	if _, err := r.udp.Write(r.out); err != nil && !wasRefused(err) {
		return 0, err
	}
	return len(b), nil
}

var errTooLong = errors.New("the datagram is too long")
