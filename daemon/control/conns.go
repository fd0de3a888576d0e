package control

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// socketConnsMax and tcpConnsMax bound the connections: those to the socket, and those to
	// all TCP addresses together. Strangers at the one leave room at the other.
	socketConnsMax = 64
	tcpConnsMax    = 192
)

// conns are the connections of one kind. When there are too many, the one that has been
// without a request for the longest time gives way: whoever connects and asks nothing locks
// nobody out. It is safe for concurrent use.
type conns struct {
	max int

	mu   sync.Mutex
	open map[*conn]struct{}
}

// A conn is a connection.
type conn struct {
	net.Conn
	table  *conns
	socket bool
	// identity and refused are those of the socket.
	identity Identity
	refused  *Refusal

	// Guarded by table.mu:
	busy  bool      // a handler runs
	since time.Time // when busy changed
}

// admit takes a connection in, in the place of another one if need be. It reports whether
// there was a place.
func (t *conns) admit(c *conn, now time.Time) bool {
	t.mu.Lock()
	var out *conn
	if len(t.open) >= t.max {
		for other := range t.open {
			if !other.busy && (out == nil || other.since.Before(out.since)) {
				out = other
			}
		}
		if out == nil {
			t.mu.Unlock()
			return false
		}
		delete(t.open, out)
	}
	c.since = now
	t.open[c] = struct{}{}
	t.mu.Unlock()
	if out != nil {
		out.Conn.Close()
	}
	return true
}

// count returns how many connections there are.
func (t *conns) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

// setBusy says whether a handler runs for c.
func (c *conn) setBusy(busy bool) {
	c.table.mu.Lock()
	defer c.table.mu.Unlock()
	c.busy, c.since = busy, time.Now()
}

// Close gives the place back.
func (c *conn) Close() error {
	c.table.mu.Lock()
	delete(c.table.open, c)
	c.table.mu.Unlock()
	return c.Conn.Close()
}

// connOf returns the connection of a request, or nil if it is not one of a Server.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey).(*conn)
	return c
}

// onSocket reports whether a request came by the socket.
func onSocket(r *http.Request) bool {
	c := connOf(r.Context())
	return c != nil && c.socket
}

// A gated is a listener that takes connections into a table.
type gated struct {
	net.Listener
	table   *conns
	members bool // of a group may connect to the socket
}

// Accept returns the next connection for which there is a place.
func (l *gated) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, table: l.table}
		if unix, ok := accepted.(*net.UnixConn); ok {
			c.socket = true
			c.identity, c.refused = socketLogin(unix, l.members)
		}
		if l.table.admit(c, time.Now()) {
			return c, nil
		}
		accepted.Close()
	}
}
