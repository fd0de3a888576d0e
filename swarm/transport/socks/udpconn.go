package socks

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A udpConn is a net.Conn for datagrams to and from one host, over a Relay of its own.
type udpConn struct {
	relay *Relay
	to    address
	// peer is who answers. It is known from the beginning, unless the host is a name: then it
	// is the first that answers from the port that was written to.
	peer atomic.Pointer[netip.AddrPort]
}

// DialUDP returns a connection for datagrams to a port of a host, which is an address or a
// name. It has a relay of its own, and fails for good when that one ends. Datagrams of
// others are skipped. If the host is a name, its address is that of the first datagram from
// the right port, and until then RemoteAddr has the name: what comes in has to prove by its
// content that it is an answer. Errors are as for Associate, or ErrName.
func (c *Client) DialUDP(ctx context.Context, host string, port uint16) (net.Conn, error) {
	to, err := addressOf(host, port)
	if err != nil {
		return nil, err
	}
	relay, err := c.Associate(ctx)
	if err != nil {
		return nil, err
	}
	u := &udpConn{relay: relay, to: to}
	if to.ip.IsValid() {
		peer := netip.AddrPortFrom(to.ip, port)
		u.peer.Store(&peer)
	}
	return u, nil
}

// Read implements net.Conn.
func (u *udpConn) Read(b []byte) (int, error) {
	for {
		n, from, err := u.relay.Read(b)
		if err != nil {
			return 0, err
		}
		if u.from(from) {
			return n, nil
		}
	}
}

// from reports whether a datagram from there is one of the host's.
func (u *udpConn) from(addr netip.AddrPort) bool {
	if peer := u.peer.Load(); peer != nil {
		return *peer == addr
	}
	return addr.Port() == u.to.port && u.peer.CompareAndSwap(nil, &addr)
}

// Write implements net.Conn.
func (u *udpConn) Write(b []byte) (int, error) { return u.relay.write(b, u.to) }

// RemoteAddr returns a *net.UDPAddr, or a Name while only the name is known.
func (u *udpConn) RemoteAddr() net.Addr {
	if peer := u.peer.Load(); peer != nil {
		return net.UDPAddrFromAddrPort(*peer)
	}
	return Name{u.to.name, u.to.port}
}

// LocalAddr returns the address from which we send to the relay.
func (u *udpConn) LocalAddr() net.Addr { return u.relay.LocalAddr() }

// Close gives the relay back.
func (u *udpConn) Close() error { return u.relay.Close() }

// SetDeadline implements net.Conn.
func (u *udpConn) SetDeadline(t time.Time) error { return u.relay.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn.
func (u *udpConn) SetReadDeadline(t time.Time) error { return u.relay.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes do not wait.
func (u *udpConn) SetWriteDeadline(time.Time) error { return nil }

// A Name is a net.Addr of a host of which we know the name alone.
type Name struct {
	Host string
	Port uint16
}

// Network returns "udp".
func (Name) Network() string { return "udp" }

func (n Name) String() string { return Server{Host: n.Host, Port: n.Port}.address() }
