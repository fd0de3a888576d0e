package swarm

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/utp"
)

// A way makes streams to peers by one means, such as TCP. It is safe for concurrent
// use.
type way interface {
	// transport names the means.
	transport() endpoint.Transport
	// reaches reports whether the way can lead to the peer at an endpoint.
	reaches(to endpoint.Endpoint) bool
	// dial returns a stream to the peer at an endpoint. It gives up when ctx ends, and
	// after transport.DialTimeout.
	dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error)
}

// overTCP is the way of plain TCP connections.
type overTCP struct {
	net *egress.Net // may be nil
	// local returns the address to connect to ip from, or the zero Addr to leave the
	// choice to the system.
	local func(ip netip.Addr) netip.Addr
}

// newTCP returns the way of TCP by sockets of n. local returns the address to connect from.
func newTCP(n *egress.Net, local func(netip.Addr) netip.Addr) way { return overTCP{n, local} }

func (w overTCP) transport() endpoint.Transport { return endpoint.TransportTCP }

func (w overTCP) reaches(to endpoint.Endpoint) bool {
	return to.Dialable() && w.net.Refuses(to.Host()) == nil
}

func (w overTCP) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	return transport.TCP{Net: w.net, Local: w.local(to.Host())}.Dial(ctx, to.Addr)
}

// overUTP is the way of uTP (BEP 29), by the sockets on which we accept it as well.
type overUTP struct {
	// socket returns the socket for streams to ip, or nil if there is none of its family.
	socket func(ip netip.Addr) *utp.Socket
}

// newUTP returns the way of uTP. socket returns the socket for streams to an address.
func newUTP(socket func(netip.Addr) *utp.Socket) way { return overUTP{socket} }

func (w overUTP) transport() endpoint.Transport { return endpoint.TransportUTP }

func (w overUTP) reaches(to endpoint.Endpoint) bool {
	return to.Dialable() && w.socket(to.Host()) != nil
}

func (w overUTP) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	return w.open(ctx, to, false)
}

// open is dial, or punch.
func (w overUTP) open(ctx context.Context, to endpoint.Endpoint, punch bool) (net.Conn, error) {
	socket := w.socket(to.Host())
	if socket == nil { // it was given up meanwhile
		return nil, errNoWay
	}
	ctx, cancel := context.WithTimeout(ctx, transport.DialTimeout)
	defer cancel()
	if punch {
		return socket.Punch(ctx, to.Addr)
	}
	return socket.Dial(ctx, to.Addr)
}

// ways returns the ways to peers, in the order in which a peer is tried of which nothing is
// known. TCP comes first: where both lead to a peer, TCP costs a fraction of the work for
// each byte, and its handshake is as fast. A peer behind a router, which TCP does not reach,
// is met by uTP a quarter of a second later. Engine.firstBy has the exceptions.
func (e *Engine) ways() (list []way) {
	if !e.cfg.NoTCP {
		list = append(list, newTCP(e.cfg.Net, e.local))
	}
	if !e.cfg.NoUTP {
		list = append(list, newUTP(e.ports.socket))
	}
	if !e.relays.isOff() {
		list = append(list, overRelay{e.relays})
	}
	return list
}

// ordered returns those of ways that lead to an endpoint: the one of the transport first,
// if that is known, and then the others in their own order.
func ordered(ways []way, to endpoint.Endpoint, first endpoint.Transport) []way {
	var list []way
	for _, w := range ways {
		switch {
		case !w.reaches(to):
		case first != endpoint.TransportUnknown && w.transport() == first:
			list = slices.Insert(list, 0, w)
		default:
			list = append(list, w)
		}
	}
	return list
}
