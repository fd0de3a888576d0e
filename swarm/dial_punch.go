package swarm

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// A puncher is a way on which both ends can connect to each other at the same moment, so that
// the routers of both let the other in (BEP 55).
type puncher interface {
	// punch is dial for such a moment: it tries more often.
	punch(ctx context.Context, to endpoint.Endpoint) (net.Conn, error)
	// hasten makes attempts that are under way try again at once, and more often.
	hasten(to endpoint.Endpoint)
}

func (w overUTP) punch(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	return w.open(ctx, to, true)
}

func (w overUTP) hasten(to endpoint.Endpoint) {
	if socket := w.socket(to.Host()); socket != nil {
		socket.Hasten(to.Addr)
	}
}

// A zeal says that the peer of a call dials us at this moment.
type zeal struct {
	told  chan struct{} // capacity 1
	known atomic.Bool
}

func newZeal() *zeal { return &zeal{told: make(chan struct{}, 1)} }

// wanted returns what is ready each time that there is more reason for zeal.
func (z *zeal) wanted() <-chan struct{} { return z.told }

// has reports whether the peer dials us.
func (z *zeal) has() bool { return z.known.Load() }

// tell says that the peer dials us now.
func (z *zeal) tell() {
	z.known.Store(true)
	select {
	case z.told <- struct{}{}:
	default:
	}
}

// underway finds the calls that are under way. It is safe for concurrent use.
type underway struct {
	mu    sync.Mutex
	calls map[calling]*zeal
}

// A calling is whose call it is, and to where. There is one at a time: the core of a torrent
// awaits the outcome.
type calling struct {
	owner any
	to    netip.AddrPort
}

// begin notes a call, until the function that it returns is called.
func (u *underway) begin(c *call) (end func()) {
	c.zeal = newZeal()
	if c.told == limit.Introduced {
		c.zeal.known.Store(true)
	}
	key := calling{c.owner, c.to.Addr}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls = make(map[calling]*zeal)
	}
	u.calls[key] = c.zeal
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.calls[key] == c.zeal {
			delete(u.calls, key)
		}
	}
}

// find returns the zeal of the call that is under way, or nil.
func (u *underway) find(owner any, to endpoint.Endpoint) *zeal {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls[calling{owner, to.Addr}]
}

// hasten tells a call that is under way that its peer dials us at this moment. It reports
// whether there is such a call. A call that was hastened too often lately goes on as it is.
func (d *dialer) hasten(owner any, to endpoint.Endpoint) bool {
	z := d.under.find(owner, to)
	if z == nil {
		return false
	}
	if d.budget.Again(limit.Destination{Addr: to.Addr, Told: limit.Introduced}) == nil {
		z.tell()
	}
	return true
}

// hasten starts all ways at once, and has those that are under way try again.
func (r *race) hasten(ctx context.Context) {
	begun := len(r.lanes)
	for r.startNext(ctx) {
	}
	if r.winner != nil {
		return
	}
	for _, l := range r.lanes[:begun] {
		if w, ok := l.way.(puncher); ok && !l.connected {
			w.hasten(r.call.to)
		}
	}
}

// dial makes a stream by the way of the lane.
func (l *lane) dial(ctx context.Context) (net.Conn, error) {
	if w, ok := l.way.(puncher); ok && l.race.call.zeal.has() {
		return w.punch(ctx, l.race.call.to)
	}
	return l.way.dial(ctx, l.race.call.to)
}
