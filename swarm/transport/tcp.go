package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/egress"
)

// DialTimeout bounds the time to make a stream. It is enough for two lost SYNs, which are
// repeated after 1 and 3 s, and a slow path. Most addresses of a swarm are dead, and time
// spent on them delays the others.
const DialTimeout = 5 * time.Second

// TCP makes streams over TCP. The zero value is ready for use.
type TCP struct {
	// Net makes the sockets; nil is the system's choice of everything.
	Net *egress.Net
	// Local is the address to dial from; the zero Addr leaves the choice to the system. An
	// address of the other family cannot be dialled from Local.
	Local netip.Addr
}

// Dial makes a stream to addr, tuned as Tune does, within DialTimeout.
func (t TCP) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	if !addr.IsValid() || addr.Port() == 0 {
		return nil, fmt.Errorf("dialling %v: no address to connect to", addr)
	}
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	conn, err := t.Net.DialTCP(ctx, t.Local, addr)
	if err != nil {
		return nil, err // it names the operation and the address
	}
	Tune(conn)
	return conn, nil
}

// Socket options of streams to peers.
const (
	// UserTimeout is how long sent data may stay unacknowledged before the
	// system gives a stream up (TCP_USER_TIMEOUT): a peer that has vanished
	// is found in this time instead of a quarter of an hour.
	UserTimeout = 20 * time.Second
	// NotSentLowat is how many bytes the system takes ahead of what the path carries
	// (TCP_NOTSENT_LOWAT). It keeps messages that were queued early from delaying urgent
	// ones. Eight blocks are enough to be sent while the writer wakes up.
	NotSentLowat = 128 << 10
)

// Tune sets the options of a stream to a peer: no Nagle delay, UserTimeout, NotSentLowat.
// The system sizes the buffers, which a fixed size would end. Tune ignores options that
// the system or the kind of stream does not have: a stream works without them.
func Tune(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	tcp.SetNoDelay(true)
	tune(tcp)
}

// A tcpListener is a Listener over TCP.
type tcpListener struct {
	l *net.TCPListener
}

// ListenTCP listens on addr over TCP by a socket of n, which may be nil. Port 0 chooses a free
// port. Errors are as for ListenPair.
func ListenTCP(ctx context.Context, n *egress.Net, addr netip.AddrPort) (Listener, error) {
	l, err := listenTCP(ctx, n, addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l, nil
}

func listenTCP(ctx context.Context, n *egress.Net, addr netip.AddrPort) (tcpListener, error) {
	l, err := n.ListenTCP(ctx, addr)
	if err != nil {
		return tcpListener{}, err
	}
	return tcpListener{l}, nil
}

// Accept implements Listener. Streams are tuned.
func (l tcpListener) Accept() (net.Conn, error) {
	conn, err := l.l.Accept()
	if err != nil {
		return nil, err
	}
	Tune(conn)
	return conn, nil
}

func (l tcpListener) AddrPort() netip.AddrPort { return addrPort(l.l.Addr()) }

func (l tcpListener) Close() error { return l.l.Close() }
