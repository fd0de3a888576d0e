package limit

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// ErrTooOften is the error of a dial to an address that was dialled too often within the
// last minute.
var ErrTooOften = errors.New("dialled too often within a minute")

const (
	// DialsNamedMax bounds the dials within a minute to one address with its port that the
	// user named. It amounts to one dial a second for all torrents together.
	DialsNamedMax = 60
	// dialBurst is how many dials may go at once after a pause.
	dialBurst = DialRateMax
	// recentMax is the size at which a window drops its old entries.
	recentMax = 2 * (DialRateMax*int(dialWindow/time.Second) + dialBurst)
)

// Told says how an address is known.
type Told uint8

// The ways in which addresses are known.
const (
	// ByRumour: a stranger named it, such as a peer, a tracker or a link. Rumours bounds
	// how often it is dialled.
	ByRumour Told = iota
	// ByUser: the user named it, and is responsible for it.
	ByUser
	// ByItself: a peer was there a moment ago, so nobody has named it to turn us against
	// its owner. The caller bounds how often it is dialled.
	ByItself
	// Introduced: a peer told both sides of each other at the same moment (BEP 55), or one says
	// so that both do not know. It has a budget of its own, as large as that of ByRumour.
	Introduced
)

// A Destination is an address to be dialled.
type Destination struct {
	Addr netip.AddrPort
	Told Told
}

// Dials is the budget for making connections: how many attempts at a time, how many per
// second, and how many to one source and network. It is safe for concurrent use.
type Dials struct {
	halfOpen *queue
	start    time.Time

	mu         sync.Mutex
	ahead      time.Duration // when the next dial is due by the rate; in the past when idle
	rumours    *Rumours
	introduced *Rumours
	named      window[netip.AddrPort]
}

// NewDials returns the budget of a process that listens at home, with at most halfOpen
// attempts at a time. 0 means HalfOpenMax.
func NewDials(halfOpen int, home Home) *Dials {
	if halfOpen <= 0 {
		halfOpen = HalfOpenMax
	}
	return &Dials{
		halfOpen: newQueue(halfOpen), start: time.Now(), ahead: -time.Minute,
		rumours: NewRumours(home), introduced: NewRumours(home),
		named: window[netip.AddrPort]{},
	}
}

// Acquire waits until owner may dial to. Owners are compared by ==; among those that wait,
// the one with fewest attempts under way comes first. After success the caller dials, and
// calls Release when the attempt has ended, handshake included. The error is ErrTooOften,
// ErrBusy or that of ctx.
func (d *Dials) Acquire(ctx context.Context, owner any, to Destination) error {
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

// Again counts one more connection of an attempt to the same destination. The error is
// ErrTooOften if there may be none: one attempt must not make many connections to a host.
func (d *Dials) Again(to Destination) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count(time.Since(d.start), to, 0)
}

// Met records that a peer was met at to. The connections of the attempt no longer count.
func (d *Dials) Met(to Destination, connections int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range connections {
		switch to.Told {
		case ByRumour:
			d.rumours.Met(to.Addr.Addr())
		case Introduced:
			d.introduced.Met(to.Addr.Addr())
		}
	}
}

// Release ends an attempt of owner that Acquire allowed.
func (d *Dials) Release(owner any) { d.halfOpen.release(owner) }

// HalfOpen returns how many attempts are under way.
func (d *Dials) HalfOpen() int { return d.halfOpen.used() }

// reserve takes the next dial of the rate, and returns the time until then.
func (d *Dials) reserve(to Destination) (wait time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Since(d.start)
	ahead := max(d.ahead, now-(dialBurst-1)*time.Second/DialRateMax)
	wait = max(0, ahead-now)
	if err := d.count(now, to, wait); err != nil {
		return 0, err
	}
	d.ahead = ahead + time.Second/DialRateMax
	return wait, nil
}

// count counts a dial that starts after wait, unless the address was dialled too often.
// d.mu is held.
func (d *Dials) count(now time.Duration, to Destination, wait time.Duration) error {
	switch to.Told {
	case ByRumour, Introduced:
		budget := d.rumours
		if to.Told == Introduced {
			budget = d.introduced
		}
		if budget.Ready(now, to.Addr.Addr()) > now {
			return ErrTooOften
		}
		budget.Dialled(now+wait, to.Addr.Addr())
	case ByUser:
		addr := netip.AddrPortFrom(to.Addr.Addr().Unmap(), to.Addr.Port())
		if d.named.ready(now, addr, DialsNamedMax) > now {
			return ErrTooOften
		}
		d.named.add(now+wait, addr, DialsNamedMax)
	}
	return nil
}
