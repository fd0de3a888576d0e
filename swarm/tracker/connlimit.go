package tracker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"swarmnode/swarm/limit"
)

// A connLimit is a listener that bounds the open connections, in all and of each
// source. It accepts every newcomer. Beyond a bound it closes a connection: of the
// network with the most connections that wait for a complete request, the one that
// has waited longest. So silent or slow clients cannot keep out those that send their
// request at once. Its methods are safe for concurrent use.
type connLimit struct {
	Listener
	openMax   int
	sourceMax int
	addrOf    func(net.Conn) netip.Addr
	limited   *atomic.Uint64 // counts connections closed for others

	mu       sync.Mutex
	open     []*limitedConn // in no order, len(open) <= openMax
	sources  map[netip.Addr]*connCount
	networks map[network]*connCount
	turn     uint64 // counts the waits that have begun
}

// A connCount counts the connections of a source or a network.
type connCount struct{ open, waiting int }

// of returns the number of waiting connections, or of all.
func (c *connCount) of(waits bool) int {
	if waits {
		return c.waiting
	}
	return c.open
}

func newConnLimit(l Listener, openMax int, limited *atomic.Uint64) *connLimit {
	return &connLimit{
		Listener: l, openMax: openMax, sourceMax: max(1, min(connectionsPerSource, openMax/8)),
		addrOf: remoteAddr, limited: limited,
		sources: make(map[netip.Addr]*connCount), networks: make(map[network]*connCount),
	}
}

// remoteAddr returns the address of the other end of a connection.
func remoteAddr(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Accept returns the next connection. It may close another one to make room, or to
// free a file descriptor.
func (t *connLimit) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	for errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		gone := t.sacrifice()
		if gone == nil {
			break
		}
		t.limited.Add(1)
		gone.Close()
		conn, err = t.Listener.Accept()
	}
	if err != nil {
		return nil, err
	}
	v, gone := t.enter(conn)
	for _, g := range gone {
		t.limited.Add(1)
		g.Close()
	}
	return v, nil
}

// enter adds a connection, and returns those to close.
func (t *connLimit) enter(conn net.Conn) (v *limitedConn, gone []*limitedConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ip := t.addrOf(conn)
	v = &limitedConn{Conn: conn, limit: t, host: limit.SourceOf(ip), net: networkOf(ip)}
	if v.source = t.sources[v.host]; v.source == nil {
		v.source = new(connCount)
		t.sources[v.host] = v.source
	}
	if v.network = t.networks[v.net]; v.network == nil {
		v.network = new(connCount)
		t.networks[v.net] = v.network
	}
	v.slot = len(t.open)
	t.open = append(t.open, v)
	v.source.open++
	v.network.open++
	t.wait(v)
	if v.source.open > t.sourceMax {
		gone = append(gone, t.victim(func(w *limitedConn) bool { return w.source == v.source }))
	} else if len(t.open) > t.openMax {
		gone = append(gone, t.victim(func(w *limitedConn) bool { return w != v }))
	}
	for _, g := range gone {
		t.remove(g)
	}
	return v, gone
}

// sacrifice removes the connection to close first, and returns it, or nil.
func (t *connLimit) sacrifice() *limitedConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone := t.victim(func(*limitedConn) bool { return true })
	if gone != nil {
		t.remove(gone)
	}
	return gone
}

// victim returns the connection to close among those for which may reports true.
func (t *connLimit) victim(may func(*limitedConn) bool) (worst *limitedConn) {
	for _, v := range t.open {
		if may(v) && (worst == nil || v.before(worst)) {
			worst = v
		}
	}
	return worst
}

// wait records that v waits for a complete request from now on.
func (t *connLimit) wait(v *limitedConn) {
	t.turn++
	v.since, v.waits = t.turn, true
	v.source.waiting++
	v.network.waiting++
}

// serve records that the request of v is complete.
func (t *connLimit) serve(v *limitedConn) {
	v.waits = false
	v.source.waiting--
	v.network.waiting--
}

// remove forgets v. Further calls do nothing.
func (t *connLimit) remove(v *limitedConn) {
	if v.gone {
		return
	}
	v.gone = true
	if v.waits {
		t.serve(v)
	}
	last := t.open[len(t.open)-1]
	t.open[v.slot], last.slot = last, v.slot
	t.open[len(t.open)-1] = nil
	t.open = t.open[:len(t.open)-1]
	if v.source.open--; v.source.open == 0 {
		delete(t.sources, v.host)
	}
	if v.network.open--; v.network.open == 0 {
		delete(t.networks, v.net)
	}
}

// Addr completes net.Listener; http.Server does not use it.
func (t *connLimit) Addr() net.Addr { return &net.TCPAddr{} }

// A limitedConn is a connection of a connLimit, which owns its fields.
type limitedConn struct {
	net.Conn
	limit           *connLimit
	host            netip.Addr
	net             network
	source, network *connCount
	slot            int    // in open
	since           uint64 // turn of the connLimit at which its wait began
	waits           bool   // no complete request is being answered
	gone            bool
}

// before reports whether v is closed before w.
func (v *limitedConn) before(w *limitedConn) bool {
	if v.waits != w.waits {
		return v.waits
	}
	if m, n := v.network.of(v.waits), w.network.of(v.waits); m != n {
		return m > n
	}
	if m, n := v.source.of(v.waits), w.source.of(v.waits); m != n {
		return m > n
	}
	return v.since < w.since
}

// Close closes the connection and frees its place.
func (v *limitedConn) Close() error {
	v.limit.mu.Lock()
	v.limit.remove(v)
	v.limit.mu.Unlock()
	return v.Conn.Close()
}

// connKey is the key of the limitedConn in its requests' contexts.
type connKey struct{}

// withLimitedConn is the ConnContext of an http.Server on a connLimit.
func withLimitedConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// onComplete records that the request r is complete. A request with a body does not
// count: a tracker never needs a body, and a sender could keep its connection by
// never finishing one.
func onComplete(r *http.Request) {
	v, ok := r.Context().Value(connKey{}).(*limitedConn)
	if !ok || r.ContentLength != 0 {
		return
	}
	v.limit.mu.Lock()
	defer v.limit.mu.Unlock()
	if !v.gone && v.waits {
		v.limit.serve(v)
	}
}

// onState is the ConnState of an http.Server on a connLimit: a connection whose
// request is answered waits for the next one.
func onState(conn net.Conn, state http.ConnState) {
	v, ok := conn.(*limitedConn)
	if !ok || state != http.StateIdle {
		return
	}
	v.limit.mu.Lock()
	defer v.limit.mu.Unlock()
	if !v.gone && !v.waits {
		v.limit.wait(v)
	}
}
