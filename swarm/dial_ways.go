package swarm

import (
	"context"
	"net"
	"net/netip"

	"swarmnode/swarm/transport"
)

// A way makes streams to peers by one means, such as TCP. It is safe for concurrent
// use.
type way interface {
	// reaches reports whether the way can lead to the peer at an address.
	reaches(to netip.AddrPort) bool
	// dial returns a stream to the peer at an address. It gives up when ctx ends.
	dial(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// overTCP is the way of plain TCP connections.
type overTCP struct {
	// local returns the address to connect to ip from, or the zero Addr to leave the
	// choice to the system.
	local func(ip netip.Addr) netip.Addr
}

func (w overTCP) reaches(netip.AddrPort) bool { return true }

func (w overTCP) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return transport.TCP{Local: w.local(to.Addr())}.Dial(ctx, to)
}
