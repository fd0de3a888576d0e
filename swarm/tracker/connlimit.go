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

// A turnstile is a listener that has a bounded number of connections open, and
// of those of one source. It accepts every newcomer: when there are too many, it
// closes the connection that has waited longest for a complete request, of the
// network with the most such connections. Silent or slow clients therefore cannot
// keep out those that send their request at once. Its methods are safe for
// concurrent use.
type turnstile struct {
	Listener
	openMax   int
	sourceMax int
	addrOf    func(net.Conn) netip.Addr
	limited   *atomic.Uint64 // counts connections that had to go

	mu       sync.Mutex
	open     []*visitor // in no order, len(open) <= openMax
	sources  map[netip.Addr]*crowd
	networks map[network]*crowd
	turn     uint64 // how often a wait has begun
}

// A crowd counts the connections of a source or a network.
type crowd struct{ open, waiting int }

// of returns the number of connections that wait, or of all.
func (c *crowd) of(waits bool) int {
	if waits {
		return c.waiting
	}
	return c.open
}

func newTurnstile(l Listener, openMax int, limited *atomic.Uint64) *turnstile {
	return &turnstile{
		Listener: l, openMax: openMax, sourceMax: max(1, min(connectionsPerSource, openMax/8)),
		addrOf: remoteAddr, limited: limited,
		sources: make(map[netip.Addr]*crowd), networks: make(map[network]*crowd),
	}
}

// remoteAddr returns where a connection comes from.
func remoteAddr(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Accept returns the next connection. It may close another one to make room for
// it, or to free a descriptor.
func (t *turnstile) Accept() (net.Conn, error) {
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
func (t *turnstile) enter(conn net.Conn) (v *visitor, gone []*visitor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ip := t.addrOf(conn)
	v = &visitor{Conn: conn, gate: t, host: limit.SourceOf(ip), net: networkOf(ip)}
	if v.source = t.sources[v.host]; v.source == nil {
		v.source = new(crowd)
		t.sources[v.host] = v.source
	}
	if v.network = t.networks[v.net]; v.network == nil {
		v.network = new(crowd)
		t.networks[v.net] = v.network
	}
	v.slot = len(t.open)
	t.open = append(t.open, v)
	v.source.open++
	v.network.open++
	t.wait(v)
	if v.source.open > t.sourceMax {
		gone = append(gone, t.victim(func(w *visitor) bool { return w.source == v.source }))
	} else if len(t.open) > t.openMax {
		gone = append(gone, t.victim(func(w *visitor) bool { return w != v }))
	}
	for _, g := range gone {
		t.remove(g)
	}
	return v, gone
}

// sacrifice removes and returns the connection to close first, or nil.
func (t *turnstile) sacrifice() *visitor {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone := t.victim(func(*visitor) bool { return true })
	if gone != nil {
		t.remove(gone)
	}
	return gone
}

// victim returns the connection to close, of those that may accepts.
func (t *turnstile) victim(may func(*visitor) bool) (worst *visitor) {
	for _, v := range t.open {
		if may(v) && (worst == nil || v.before(worst)) {
			worst = v
		}
	}
	return worst
}

// wait records that v has no complete request from now on.
func (t *turnstile) wait(v *visitor) {
	t.turn++
	v.since, v.waits = t.turn, true
	v.source.waiting++
	v.network.waiting++
}

// serve records that the request of v is complete.
func (t *turnstile) serve(v *visitor) {
	v.waits = false
	v.source.waiting--
	v.network.waiting--
}

// remove forgets v, once.
func (t *turnstile) remove(v *visitor) {
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

// Addr completes net.Listener. Nobody asks.
func (t *turnstile) Addr() net.Addr { return &net.TCPAddr{} }

// A visitor is a connection that came through a turnstile, which owns its fields.
type visitor struct {
	net.Conn
	gate            *turnstile
	host            netip.Addr
	net             network
	source, network *crowd
	slot            int    // in open
	since           uint64 // turn of the turnstile at which its wait began
	waits           bool   // it has no complete request that is not answered yet
	gone            bool
}

// before reports whether v goes rather than w.
func (v *visitor) before(w *visitor) bool {
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

// Close closes the connection and gives its place back.
func (v *visitor) Close() error {
	v.gate.mu.Lock()
	v.gate.remove(v)
	v.gate.mu.Unlock()
	return v.Conn.Close()
}

// visitorKey is the key of the visitor in the context of its requests.
type visitorKey struct{}

// withVisitor is the ConnContext of an http.Server on a turnstile.
func withVisitor(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, conn)
}

// onComplete records that the request r is complete. A request with a body does not
// count: a tracker never needs one, and waiting for it would let its sender keep the
// connection.
func onComplete(r *http.Request) {
	v, ok := r.Context().Value(visitorKey{}).(*visitor)
	if !ok || r.ContentLength != 0 {
		return
	}
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	if !v.gone && v.waits {
		v.gate.serve(v)
	}
}

// onState is the ConnState of an http.Server on a turnstile: a connection whose
// request is answered waits for the next one.
func onState(conn net.Conn, state http.ConnState) {
	v, ok := conn.(*visitor)
	if !ok || state != http.StateIdle {
		return
	}
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	if !v.gone && !v.waits {
		v.gate.wait(v)
	}
}
