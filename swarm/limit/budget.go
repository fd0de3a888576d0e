package limit

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// The budgets of one process, unless configured otherwise.
const (
	// ConnectionsMax bounds the connections of all torrents together: what
	// home routers and default descriptor limits bear.
	ConnectionsMax = 500
	// ConnectionsPerAddressMax bounds the connections with one address, so
	// that one host cannot take every place.
	ConnectionsPerAddressMax = 4
	// HalfOpenMax bounds the handshakes under way, apart for each direction:
	// silence costs a place for ten seconds at most.
	HalfOpenMax = 64
	// DialRateMax bounds the dials per second; more looks like a scan.
	DialRateMax = 20
	// DialsPerAddressMax bounds the dials within dialWindow to one address,
	// so that rumours of an address cannot turn us against its owner.
	DialsPerAddressMax = 3

	dialWindow = time.Minute
)

// ErrTooOften is the error of a dial to an address that was dialled
// DialsPerAddressMax times within a minute.
var ErrTooOften = errors.New("dialled too often within a minute")

// Slots is a budget of equal places.
type Slots struct {
	free chan struct{}
}

// NewSlots returns a budget of n places, at least one.
func NewSlots(n int) *Slots {
	s := &Slots{free: make(chan struct{}, max(n, 1))}
	for range cap(s.free) {
		s.free <- struct{}{}
	}
	return s
}

// TryAcquire takes a place if one is free.
func (s *Slots) TryAcquire() bool {
	select {
	case <-s.free:
		return true
	default:
		return false
	}
}

// Acquire takes a place and waits for one as long as none is free. The error
// is that of ctx.
func (s *Slots) Acquire(ctx context.Context) error {
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release gives a place back.
func (s *Slots) Release() { s.free <- struct{}{} }

// Used returns how many places are taken.
func (s *Slots) Used() int { return cap(s.free) - len(s.free) }

// Cap returns the number of places.
func (s *Slots) Cap() int { return cap(s.free) }

// Dials is the budget for reaching out: how many attempts at a time, how many
// a second, and how often to one address.
type Dials struct {
	halfOpen *queue

	mu    sync.Mutex
	ahead time.Time // when the next dial is due by the rate; in the past when idle
	// recent holds when addresses were dialled within dialWindow, newest
	// last. By the rate it has at most DialRateMax x 60 s + burst entries, and
	// twice that before the old ones are swept out.
	recent map[netip.AddrPort][DialsPerAddressMax]time.Time
}

// NewDials returns the budget of a process with at most halfOpen attempts at a
// time; 0 means HalfOpenMax.
func NewDials(halfOpen int) *Dials {
	if halfOpen <= 0 {
		halfOpen = HalfOpenMax
	}
	return &Dials{
		halfOpen: newQueue(halfOpen),
		recent:   make(map[netip.AddrPort][DialsPerAddressMax]time.Time),
	}
}

// dialBurst is how many dials may go at once after a pause.
const dialBurst = DialRateMax

// recentMax is the size at which old entries of Dials.recent are swept out.
const recentMax = 2 * (DialRateMax*int(dialWindow/time.Second) + dialBurst)

// Acquire waits until addr may be dialled by owner, which is compared by ==: of
// those who wait, the owner with fewest attempts under way comes first. On success
// the caller dials, and calls Release when the attempt has ended, handshake and
// all. The error is ErrTooOften, ErrBusy or that of ctx.
//
// Loopback addresses are told apart by port, others are not: a host behind
// many ports is one host, but the nodes of one machine are many.
func (d *Dials) Acquire(ctx context.Context, owner any, addr netip.AddrPort) error {
	return d.acquire(ctx, owner, destination(addr))
}

// AcquireKnown is Acquire for an address at which a peer is known to be, so that
// nobody has named it to turn us against its owner: how often it may be dialled is
// for the caller to bound, and there is no ErrTooOften.
func (d *Dials) AcquireKnown(ctx context.Context, owner any, _ netip.AddrPort) error {
	return d.acquire(ctx, owner, netip.AddrPort{})
}

// acquire waits for a place and for the rate; to is not valid if dials to it are
// not to be counted.
func (d *Dials) acquire(ctx context.Context, owner any, to netip.AddrPort) error {
	if err := d.halfOpen.acquire(ctx, owner); err != nil {
		return err
	}
	wait, err := d.reserve(to)
	if err == nil && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		d.halfOpen.release(owner)
	}
	return err
}

// Release ends an attempt that Acquire allowed to owner.
func (d *Dials) Release(owner any) { d.halfOpen.release(owner) }

// HalfOpen returns how many attempts are under way.
func (d *Dials) HalfOpen() int { return d.halfOpen.used() }

func (d *Dials) reserve(to netip.AddrPort) (wait time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	past := d.recent[to]
	if oldest := past[0]; to.IsValid() && !oldest.IsZero() && now.Sub(oldest) < dialWindow {
		return 0, ErrTooOften
	}
	if earliest := now.Add(-(dialBurst - 1) * time.Second / DialRateMax); d.ahead.Before(earliest) {
		d.ahead = earliest
	}
	wait = max(0, d.ahead.Sub(now))
	d.ahead = d.ahead.Add(time.Second / DialRateMax)
	if !to.IsValid() {
		return wait, nil
	}
	copy(past[:], past[1:])
	past[len(past)-1] = now.Add(wait)
	d.recent[to] = past
	if len(d.recent) > recentMax {
		for a, times := range d.recent {
			if now.Sub(times[len(times)-1]) >= dialWindow {
				delete(d.recent, a)
			}
		}
	}
	return wait, nil
}

func destination(addr netip.AddrPort) netip.AddrPort {
	ip := addr.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return netip.AddrPortFrom(ip, addr.Port())
	}
	return netip.AddrPortFrom(ip, 0)
}

// Connections is the budget for holding connections.
type Connections struct {
	max, perAddress int

	mu   sync.Mutex
	held int // as many as there were when memory became short; 0 while it is not
	used int
	by   map[netip.Addr]int // connections by address; values > 0, sum = used
}

// NewConnections returns a budget of at most total connections, at most
// perAddress with one address; 0 means ConnectionsMax and
// ConnectionsPerAddressMax.
func NewConnections(total, perAddress int) *Connections {
	if total <= 0 {
		total = ConnectionsMax
	}
	if perAddress <= 0 {
		perAddress = ConnectionsPerAddressMax
	}
	return &Connections{max: total, perAddress: perAddress, by: make(map[netip.Addr]int)}
}

// TryAcquire takes a place for a connection with ip if there is one. The bound
// for one address does not hold for loopback, where all nodes of a machine
// meet.
func (c *Connections) TryAcquire(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used >= c.bound() || c.by[ip] >= c.perAddress && !ip.IsLoopback() {
		return false
	}
	c.used++
	c.by[ip]++
	return true
}

// Release gives back a place that TryAcquire took for ip.
func (c *Connections) Release(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[ip] == 0 {
		panic("limit: a connection was released that was not acquired")
	}
	c.used--
	if c.by[ip]--; c.by[ip] == 0 {
		delete(c.by, ip)
	}
}

// Used returns how many connections there are.
func (c *Connections) Used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// Full tells whether no further connection fits, whatever its address.
func (c *Connections) Full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used >= c.bound()
}

// heldLeast is how many connections there may be however short memory is.
const heldLeast = 8

// Hold says whether memory is short. While it is, there are no more connections
// than there were when it became so: others may come only in their place.
func (c *Connections) Hold(short bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !short:
		c.held = 0
	case c.held == 0:
		c.held = max(c.used, heldLeast)
	}
}

// bound returns how many connections there may be now. c.mu is held.
func (c *Connections) bound() int {
	if c.held > 0 {
		return min(c.held, c.max)
	}
	return c.max
}
