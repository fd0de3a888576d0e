package portmap

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/egress"
)

const (
	// leaseDefault is the lifetime of a mapping that is asked for. It is how long a mapping
	// outlives a process that was killed, and half of it is the time between renewals.
	leaseDefault = time.Hour
	leaseMin     = 10 * time.Second
	// wantsMax bounds the ports of one Mapper, so that its removals fit into closeTime.
	wantsMax = 16
	// closeTime is how long Close waits for the routers.
	closeTime = time.Second
)

// Config describes a Mapper. The zero value is ready for use.
type Config struct {
	// Net makes the sockets; nil leaves them to the system. With a device, only the gateways of
	// that interface are asked. Behind a proxy, nobody is.
	Net *egress.Net
	// Log receives an Info line for each port that is mapped, or is not any more, and Debug
	// lines. It may be nil.
	Log *slog.Logger
	// Changed is called after the answer of State has changed in more than Until, until Close
	// is called. It is called from the goroutine of the Mapper: it must not block, and not call
	// Close. It may be nil.
	Changed func()
	// Lease is the lifetime of mappings that is asked for, an hour if it is zero, and at least
	// ten seconds. Mappings are renewed at half of what the router grants.
	Lease time.Duration
	// Secret makes the nonces of PCP, with which a later Mapper can take over the mappings of
	// this one. Without a secret that is kept between runs, a process that was killed leaves
	// mappings behind that PCP changes for nobody else until they end.
	Secret []byte

	without []Method // for tests
}

// A Mapper keeps ports mapped at the gateways of this machine. Its methods are safe for
// concurrent use, and none but Close waits for anything.
type Mapper struct {
	cfg    Config
	ctx    context.Context // of the loop
	cancel context.CancelFunc
	done   chan struct{} // closed when all goroutines have ended
	poke   chan struct{} // wakes the loop to read the orders
	events chan event
	wait   sync.WaitGroup // for the readers and requests

	mu     sync.Mutex
	orders orders
	rows   []Mapping // as the gateways say
	shown  bool      // rows is of the wants of the last Set
	closed bool      // Close was called
}

// orders are what the loop has to do next.
type orders struct {
	wants   []Want // all that are wanted
	set     bool   // wants has changed
	network bool   // the network has changed
	close   bool
}

// New returns a Mapper and starts its goroutine. It sends nothing while nothing is wanted.
func New(cfg Config) *Mapper {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lease == 0 {
		cfg.Lease = leaseDefault
	}
	cfg.Lease = min(max(cfg.Lease, leaseMin), lifetimeMax)
	m := &Mapper{cfg: cfg, done: make(chan struct{}), poke: make(chan struct{}, 1),
		events: make(chan event, 64)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if !cfg.Net.Local() {
		close(m.done) // nobody is asked
		return m
	}
	go m.run()
	return m
}

// Set replaces the ports that are wanted. Mappings of ports that are not wanted any more are
// removed. At most 16 ports are mapped, the first ones.
func (m *Mapper) Set(want []Want) {
	m.order(func(o *orders) {
		o.wants, o.set = slices.Clone(want), true
		m.shown = false
	})
}

// NetworkChanged says that addresses or routes of this machine have changed, or that the
// router may have started again. All gateways are asked again at once.
func (m *Mapper) NetworkChanged() { m.order(func(o *orders) { o.network = true }) }

// order changes the orders and wakes the loop.
func (m *Mapper) order(change func(*orders)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	change(&m.orders)
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// State returns what has become of each port that is wanted, in the order of Set: one Mapping
// for each gateway, or one that says why there is none.
func (m *Mapper) State() []Mapping {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Mapping
	for i, w := range m.orders.wants {
		before := len(list)
		for _, row := range m.rows {
			if row.Want == w {
				list = append(list, row)
			}
		}
		if len(list) > before {
			continue
		}
		none := Mapping{Want: w, Err: ErrNoGateway}
		switch {
		case !m.cfg.Net.Local():
			none.Err = egress.ErrProxied
		case m.closed:
			none.Err = ErrClosed
		case !w.valid():
			none.Err = ErrWant
		case i >= wantsMax:
			none.Err = ErrTooMany
		case !m.shown:
			none.Err = nil // the loop has not seen it yet
		}
		list = append(list, none)
	}
	return list
}

// Leave begins to remove all mappings, and does not wait for that. The routers have a second
// from then on. Nothing is mapped any more afterwards, and Close ends the goroutines.
func (m *Mapper) Leave() {
	m.order(func(o *orders) { o.close = true })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

// Close removes all mappings, and ends all goroutines. It waits at most a second for the
// routers, or until ctx ends. Mappings of a router that has not answered by then remain until
// their lifetime ends. Close may be called more than once.
func (m *Mapper) Close(ctx context.Context) {
	m.Leave()
	select {
	case <-m.done:
	case <-ctx.Done():
		m.cancel()
		<-m.done
	}
	m.cancel()
}

// newGateway returns a new gateway of a place.
func (m *Mapper) newGateway(now time.Time, at place, onLink []netip.Prefix) *gateway {
	return newGateway(now, at, onLink, &m.cfg, rand.Uint64)
}
