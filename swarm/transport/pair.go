package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"swarmnode/swarm/egress"
)

// A Pair is a TCP listener and a UDP socket with one address and port: peers
// that learn the port from the DHT (UDP) connect to it (TCP).
type Pair struct {
	TCP Listener
	UDP *net.UDPConn // nil if there is none; see ListenStreams
}

// AddrPort returns the address and port of both.
func (p *Pair) AddrPort() netip.AddrPort { return p.TCP.AddrPort() }

// Close closes both.
func (p *Pair) Close() error {
	err := p.TCP.Close()
	if p.UDP != nil {
		err = errors.Join(err, p.UDP.Close())
	}
	return err
}

// pairAttempts bounds the search for a port that is free for both. An attempt fails only
// if something else has the same number in the other protocol.
const pairAttempts = 64

// ErrInUse, ErrPrivileged and ErrNoAddress are wrapped by the errors of listening that the
// user can remedy.
var (
	ErrInUse      = errors.New("the port is in use by another program")
	ErrPrivileged = errors.New("the port needs more privileges")
	ErrNoAddress  = errors.New("no interface of this machine has the address")
	ErrNoFamily   = errors.New("this machine does not speak the address's family")
)

// ListenPair listens on addr over both TCP and UDP by sockets of n, which may be nil. With
// port 0 it finds a port that is free for both. Errors name addr, and wrap ErrInUse,
// ErrPrivileged, ErrNoAddress or ErrNoFamily where one applies.
func ListenPair(ctx context.Context, n *egress.Net, addr netip.AddrPort) (*Pair, error) {
	return bindPair(ctx, n, addr, n.ListenUDP)
}

// ListenStreams does as ListenPair for a user of TCP alone. If only TCP can listen on addr, though
// nobody else uses the port, the Pair has no UDP socket.
func ListenStreams(ctx context.Context, n *egress.Net, addr netip.AddrPort) (*Pair, error) {
	return bindPair(ctx, n, addr, unlessInUse(n.ListenUDP))
}

// A listenUDP makes a UDP socket, or returns nil for none.
type listenUDP func(ctx context.Context, addr netip.AddrPort) (*net.UDPConn, error)

// unlessInUse returns a listenUDP that makes no socket where listen fails for another reason than
// a port that is in use.
func unlessInUse(listen listenUDP) listenUDP {
	return func(ctx context.Context, addr netip.AddrPort) (*net.UDPConn, error) {
		conn, err := listen(ctx, addr)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil
		}
		return conn, err
	}
}

func bindPair(ctx context.Context, n *egress.Net, addr netip.AddrPort,
	listen listenUDP) (*Pair, error) {
	if !addr.IsValid() {
		return nil, fmt.Errorf("listening on %v: no address", addr)
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	var err error
	for range pairAttempts {
		var tcp tcpListener
		if tcp, err = listenTCP(ctx, n, addr); err != nil {
			break
		}
		at := netip.AddrPortFrom(addr.Addr(), tcp.AddrPort().Port())
		var udp *net.UDPConn
		if udp, err = listen(ctx, at); err == nil {
			return &Pair{TCP: tcp, UDP: udp}, nil
		}
		tcp.Close()
		if addr.Port() != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, listenError(addr, err)
}

// listenError translates an error code of the system into words.
func listenError(addr netip.AddrPort, err error) error {
	for _, known := range []struct{ errno, means error }{
		{syscall.EADDRINUSE, ErrInUse},
		{syscall.EACCES, ErrPrivileged},
		{syscall.EPERM, ErrPrivileged},
		{syscall.EADDRNOTAVAIL, ErrNoAddress},
		{syscall.EAFNOSUPPORT, ErrNoFamily},
	} {
		if errors.Is(err, known.errno) {
			return fmt.Errorf("listening on %v: %w", addr, known.means)
		}
	}
	return fmt.Errorf("listening on %v: %w", addr, err)
}
