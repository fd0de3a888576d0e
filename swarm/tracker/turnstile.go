package tracker

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"swarmnode/swarm/limit"
)

// A turnstile is a listener that has a bounded number of connections open, and
// of those of one source. Its methods are safe for concurrent use.
type turnstile struct {
	Listener
	free    chan struct{} // one element for each connection that may be opened
	closed  chan struct{}
	once    sync.Once
	limited *atomic.Uint64 // counts connections of sources that have too many

	mu    sync.Mutex
	hosts map[netip.Addr]int // open connections by source, none of which is 0
}

func newTurnstile(l Listener, n int, limited *atomic.Uint64) *turnstile {
	t := &turnstile{
		Listener: l, free: make(chan struct{}, n), closed: make(chan struct{}), limited: limited,
		hosts: make(map[netip.Addr]int),
	}
	for range n {
		t.free <- struct{}{}
	}
	return t
}

// Accept waits for a connection to end when there are too many. Those of a
// source that has too many are closed.
func (t *turnstile) Accept() (net.Conn, error) {
	select {
	case <-t.free:
	case <-t.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := t.Listener.Accept()
		if err != nil {
			t.free <- struct{}{}
			return nil, err
		}
		host := sourceOf(conn)
		if t.enter(host) {
			return &counted{Conn: conn, turnstile: t, host: host}, nil
		}
		t.limited.Add(1)
		conn.Close()
	}
}

// sourceOf returns the source of a connection.
func sourceOf(conn net.Conn) netip.Addr {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return limit.SourceOf(addr.AddrPort().Addr())
}

// enter counts a connection, unless its source has too many.
func (t *turnstile) enter(host netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts[host] >= connectionsPerHost {
		return false
	}
	t.hosts[host]++
	return true
}

func (t *turnstile) leave(host netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts[host]--; t.hosts[host] == 0 {
		delete(t.hosts, host)
	}
}

// Addr completes net.Listener. Nobody asks.
func (t *turnstile) Addr() net.Addr { return &net.TCPAddr{} }

// Close makes Accept return.
func (t *turnstile) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.Listener.Close()
}

// A counted connection gives its place back when it is closed.
type counted struct {
	net.Conn
	turnstile *turnstile
	host      netip.Addr
	once      sync.Once
}

// Close closes the connection.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.turnstile.leave(c.host)
		c.turnstile.free <- struct{}{}
	})
	return c.Conn.Close()
}
