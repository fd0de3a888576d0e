package swarm

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/utp"
)

const (
	// relayDialsMax bounds the connections through relays that we made, of all torrents
	// together.
	relayDialsMax = 4
	// relayAfter is how long the other ways to a peer are tried alone, and relayVitalAfter
	// the same where nothing else lets most peers in.
	relayAfter      = 6 * time.Second
	relayVitalAfter = 500 * time.Millisecond
)

// overRelay is the way of uTP from an address that a relay lends us. It is tried last and late:
// a relay is slow, and somebody else pays for it. It helps where our own packets do not get
// out, and where the peer's NAT knows the relayed address already because the peer dials it.
type overRelay struct{ relays *relayKeeper }

func (w overRelay) transport() endpoint.Transport { return endpoint.TransportRelay }

func (w overRelay) reaches(to endpoint.Endpoint) bool {
	return to.Dialable() && w.relays.find(to.Host()) != nil &&
		!w.relays.carriesTo(to.Host()) && !w.relays.refuses(to.Host())
}

func (w overRelay) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	k := w.relays
	after := relayAfter
	if k.needs() == relayVital {
		after = relayVitalAfter
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l := k.find(to.Host())
	if l == nil || k.carriesTo(to.Host()) {
		return nil, errNoWay
	}
	select {
	case k.dials <- struct{}{}:
	default:
		return nil, errNoWay // there are enough
	}
	done := func() { <-k.dials }
	if err := l.permit(ctx, []netip.Addr{to.Host()}); err != nil {
		done()
		return nil, err
	}
	conn, err := l.utp.Dial(ctx, to.Addr)
	if err != nil {
		done()
		return nil, err
	}
	return k.carry(conn, done), nil
}

// A relayListener accepts the connections that peers make to a relayed address. Its end leaves
// those that there are.
type relayListener struct {
	utpListener
	relays *relayKeeper
}

// Accept implements transport.Listener.
func (l relayListener) Accept() (net.Conn, error) {
	conn, err := l.utpListener.Accept()
	if err != nil {
		return nil, err
	}
	l.relays.name(time.Now(), transport.RemoteAddrPort(conn).Addr())
	return l.relays.carry(conn, func() {}), nil
}

// A relayedConn is a connection through a relay, which counts until it is closed.
type relayedConn struct {
	relayedStream
	ended func() // may be called again
}

// A relayedStream is what package peer uses of a *utp.Conn.
type relayedStream interface {
	net.Conn
	ReadBuffers(room func() [][]byte, idle func()) (int, error)
	WriteBuffers(v *net.Buffers) (int64, error)
	Overhead() (sent, received int64)
}

var _ relayedStream = (*utp.Conn)(nil)

// Close implements net.Conn.
func (c *relayedConn) Close() error {
	c.ended()
	return c.relayedStream.Close()
}

// carry counts a connection of a uTP socket over a relay. done is called when it is closed.
func (k *relayKeeper) carry(conn net.Conn, done func()) net.Conn {
	host := transport.RemoteAddrPort(conn).Addr()
	k.count(host, 1)
	return &relayedConn{conn.(relayedStream), sync.OnceFunc(func() {
		k.count(host, -1)
		done()
	})}
}

// count adds n to the number of relayed connections with a host.
func (k *relayKeeper) count(host netip.Addr, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns[host] += n; k.conns[host] == 0 {
		delete(k.conns, host)
	}
	k.poke()
}

// carriesTo reports whether there is a relayed connection with a host.
func (k *relayKeeper) carriesTo(host netip.Addr) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conns[host] > 0
}
