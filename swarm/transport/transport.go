// Package transport makes streams to peers: over TCP now, and over anything else that can
// carry the peer protocol behind the same two interfaces.
//
// It owns sockets until it hands them out. It never speaks to a peer: the caller decides
// what goes over a stream, and how many streams there are.
//
// Its nouns: a Dialer makes a stream to an address; a Listener yields the
// streams that others make; a Pair is a TCP listener and a UDP socket on one
// port number, by which peers know a node.
package transport

import (
	"context"
	"net"
	"net/netip"
)

// A Dialer makes streams to peers. It is safe for concurrent use.
type Dialer interface {
	// Dial returns a stream to addr. It ends with ctx.
	Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
}

// A Listener yields streams that peers make. It is safe for concurrent use.
type Listener interface {
	// Accept waits for the next stream. After Close it returns an error that is
	// net.ErrClosed.
	Accept() (net.Conn, error)
	// AddrPort returns where it listens, with the port that is in use.
	AddrPort() netip.AddrPort
	Close() error
}

// RemoteAddrPort returns the address of the other end of conn, an IPv4 address as such, or
// the zero AddrPort if conn has none.
func RemoteAddrPort(conn net.Conn) netip.AddrPort {
	return addrPort(conn.RemoteAddr())
}

// LocalAddr returns the address of our own end of conn, an IPv4 address as such, or the
// zero Addr if conn has none.
func LocalAddr(conn net.Conn) netip.Addr { return addrPort(conn.LocalAddr()).Addr() }

// LocalAddrPort returns the address and port of our own end of conn, an IPv4 address as such,
// or the zero AddrPort if conn has none.
func LocalAddrPort(conn net.Conn) netip.AddrPort { return addrPort(conn.LocalAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	with, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := with.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
