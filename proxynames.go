package swarmnode

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm/transport/socks"
)

const (
	// A DHT node that is known by name is asked pingsMax times, each pingEvery after the one
	// before, as long as the caller waits.
	pingsMax  = 3
	pingEvery = 1500 * time.Millisecond
	// transactionBytes is the length of the random transaction of a ping, by which its answer
	// is known. Nobody guesses it within the time of a ping.
	transactionBytes = 8
)

// errNoAnswer is why a DHT node that is known by name has no address.
var errNoAnswer = errors.New("no node of that name answers through the proxy")

// A lookUp returns the addresses of a host, as in dht.Config.
type lookUp = func(ctx context.Context, host string) ([]netip.Addr, error)

// A namingConn is a PacketConn of a proxy that finds out the addresses of DHT nodes known by
// name. Such a name must not be looked up here, and a proxy has no way to ask it for an
// address. But it looks up the names that datagrams are sent to: the node is pinged by its
// name, and its answer comes with its address.
type namingConn struct {
	conn  *socks.PacketConn
	pings atomic.Int32 // how many wait

	mu      sync.Mutex
	waiting map[[transactionBytes]byte]chan netip.AddrPort
}

func newNamingConn(conn *socks.PacketConn) *namingConn {
	return &namingConn{conn: conn,
		waiting: make(map[[transactionBytes]byte]chan netip.AddrPort)}
}

// ReadFromUDPAddrPort reads the next datagram, and looks whether it answers a ping.
func (c *namingConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err == nil && n > 0 && b[0] == 'd' && c.pings.Load() > 0 {
		c.heard(b[:n], from)
	}
	return n, from, err
}

// ReadFrom is ReadFromUDPAddrPort for readers that know no better.
func (c *namingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort sends a datagram.
func (c *namingConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.conn.WriteToUDPAddrPort(b, to)
}

// WriteTo implements net.PacketConn, as do the following methods.
func (c *namingConn) WriteTo(b []byte, to net.Addr) (int, error) { return c.conn.WriteTo(b, to) }

func (c *namingConn) LocalAddr() net.Addr                { return c.conn.LocalAddr() }
func (c *namingConn) SetDeadline(t time.Time) error      { return c.conn.SetDeadline(t) }
func (c *namingConn) SetReadDeadline(t time.Time) error  { return c.conn.SetReadDeadline(t) }
func (c *namingConn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }
func (c *namingConn) Close() error                       { return c.conn.Close() }

// Up reports whether the proxy relays datagrams now.
func (c *namingConn) Up() bool { return c.conn.Up() }

// heard tells a ping that its answer has come.
func (c *namingConn) heard(b []byte, from netip.AddrPort) {
	mark := fmt.Appendf(nil, "1:t%d:", transactionBytes)
	at := bytes.LastIndex(b, mark)
	if at < 0 || len(b) < at+len(mark)+transactionBytes || !bytes.Contains(b, []byte("1:y1:r")) {
		return
	}
	id := [transactionBytes]byte(b[at+len(mark):])
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.waiting[id]; answer != nil {
		delete(c.waiting, id)
		answer <- from
	}
}

// lookUp returns a function that finds the hosts of a bootstrap list, HOST:PORT each.
func (c *namingConn) lookUp(bootstrap []string) lookUp {
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		if !c.conn.Await(ctx) {
			return nil, dht.ErrNotNow
		}
		for _, known := range bootstrap {
			name, service, err := net.SplitHostPort(known)
			if err != nil || !strings.EqualFold(name, host) {
				continue
			}
			port, err := strconv.ParseUint(service, 10, 16)
			if err != nil {
				continue
			}
			ip, err := c.find(ctx, host, uint16(port))
			if err != nil {
				return nil, err
			}
			return []netip.Addr{ip}, nil
		}
		return nil, errNoAnswer
	}
}

// find returns the address of the DHT node at a port of the host of that name.
func (c *namingConn) find(ctx context.Context, host string, port uint16) (netip.Addr, error) {
	var random [20 + transactionBytes]byte
	rand.Read(random[:])
	id := [transactionBytes]byte(random[20:])
	// A node that only asks (BEP 43): nobody keeps the address that the ping comes from.
	ping := fmt.Appendf(nil, "d1:ad2:id20:%se1:q4:ping2:roi1e1:t%d:%s1:y1:qe", random[:20],
		transactionBytes, id[:])
	answer := make(chan netip.AddrPort, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	c.mu.Unlock()
	c.pings.Add(1)
	defer func() {
		c.pings.Add(-1)
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for range pingsMax {
		if _, err := c.conn.WriteToHost(ping, host, port); err != nil {
			return netip.Addr{}, err
		}
		select {
		case from := <-answer:
			return from.Addr(), nil
		case <-tick.C:
		case <-ctx.Done():
			return netip.Addr{}, ctx.Err()
		}
	}
	return netip.Addr{}, errNoAnswer
}
