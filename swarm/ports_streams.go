package swarm

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// errNoDatagrams is the error of sending by a port that has no UDP socket.
var errNoDatagrams = errors.New("this port has no UDP socket")

// noDatagrams stands for the UDP socket of a port that has none: nothing arrives, and nothing can
// be sent. It is safe for concurrent use.
type noDatagrams struct {
	at     netip.AddrPort
	closed chan struct{}
	close  sync.Once
}

func newNoDatagrams(at netip.AddrPort) *noDatagrams {
	return &noDatagrams{at: at, closed: make(chan struct{})}
}

// ReadFrom waits for Close.
func (n *noDatagrams) ReadFrom([]byte) (int, net.Addr, error) {
	<-n.closed
	return 0, nil, net.ErrClosed
}

// WriteTo fails.
func (n *noDatagrams) WriteTo([]byte, net.Addr) (int, error) { return 0, errNoDatagrams }

// LocalAddr returns where the port is.
func (n *noDatagrams) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(n.at) }

// Close ends ReadFrom.
func (n *noDatagrams) Close() error {
	n.close.Do(func() { close(n.closed) })
	return nil
}

// SetDeadline does nothing: no datagram ever comes, and none waits to leave.
func (n *noDatagrams) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (n *noDatagrams) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (n *noDatagrams) SetWriteDeadline(time.Time) error { return nil }
