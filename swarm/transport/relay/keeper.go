package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

const (
	// keeperTick is how often the keeper looks whether something is due.
	keeperTick = 250 * time.Millisecond
	// silence is how long the server may send nothing while we send, before it is asked
	// whether it is there.
	silence = 750 * time.Millisecond
	// probeWait is how long it may take to answer that, with four sendings: the keeper finds
	// a dead server within silence, a tick, and this.
	probeWait = 2250 * time.Millisecond
	// refusedWait is the same when the system has reported that nobody listens there, and the
	// server does not usually take long.
	refusedWait = 500 * time.Millisecond
	// idleProbe is how often the server is asked otherwise. It also keeps the mapping of a
	// NAT open, which may last 30 seconds.
	idleProbe = 20 * time.Second
	// failuresMax is how many requests of the keeper in a row may fail although the server
	// sends something.
	failuresMax = 3
	// permitsAtOnce is how many permits we ask for at once, and how many within a second: our
	// servers refuse more as if the hosts were forbidden.
	permitsAtOnce = 8
)

// keep refreshes what the server forgets: the allocation, the permits and the channels. It
// also asks a server that has gone silent whether it is there.
func (a *Allocation) keep() {
	tick := time.NewTicker(keeperTick)
	defer tick.Stop()
	for {
		select {
		case <-a.done:
			return
		case <-tick.C:
		case <-a.wake:
		}
		if err := a.maintain(); err != nil {
			a.fail(err)
			return
		}
	}
}

// maintain does what is due. The error says that the server is lost.
func (a *Allocation) maintain() error {
	now := a.now()
	heard, spoken := time.Duration(a.heard.Load()), time.Duration(a.spoken.Load())
	switch {
	case a.faulty.Load():
		a.faulty.Store(false)
		if err := a.refresh(a.refusedPatience()); err != nil {
			return err
		}
	case spoken != 0 && now-max(heard, spoken) >= silence:
		wait := probeWait
		if a.leg.reliable() { // a broken connection is reported; a slow one repeats packets
			wait = a.patience
		}
		if err := a.refresh(wait); err != nil {
			return err
		}
	case now-a.refreshed >= a.lifetime/2, now-heard >= idleProbe:
		if err := a.refresh(a.patience); err != nil {
			return err
		}
	}
	if err := a.listen(now); err != nil {
		return err
	}
	if hosts := a.peers.aging(now, permitsAtOnce); len(hosts) != 0 {
		if err := a.judge(now, a.permit(a.ctx, hosts)); err != nil {
			return err
		}
	}
	if to, channel, ok := a.peers.unbound(a.now()); ok {
		return a.judge(now, a.bindOne(to, channel))
	}
	return nil
}

// bindOne asks for a channel. Some servers refuse one as if they did not know us, so the
// allocation is looked at then.
func (a *Allocation) bindOne(to netip.AddrPort, channel uint16) error {
	switch err := a.bind(to, channel); {
	case err == nil:
		a.signal() // there may be another one
		return nil
	case errors.Is(err, ErrCredentials):
		return a.refresh(a.patience)
	default:
		return err
	}
}

// refusedPatience returns how long the server is asked while the system reports that nobody
// listens there.
func (a *Allocation) refusedPatience() time.Duration {
	return min(max(refusedWait, 3*time.Duration(a.took.Load())), a.patience)
}

// judge returns err if it means that the server is lost: it does not answer a request that
// began at a time, and has sent nothing else since; or it says so.
func (a *Allocation) judge(since time.Duration, err error) error {
	var refusal *ServerError
	switch {
	case err == nil || a.Err() != nil:
		a.failures = 0
		return nil
	case errors.Is(err, ErrBusy): // it was not asked
		return nil
	case errors.As(err, &refusal):
		a.failures = 0
		if refusal.Code == mismatch || refusal.Code == 401 { // it does not know us any more
			return err
		}
		return nil
	}
	if a.failures++; a.failures < failuresMax && time.Duration(a.heard.Load()) > since {
		return nil
	}
	return err
}

// refresh asks the server to keep the allocation (RFC 8656, section 8), which shows whether it
// still has it.
func (a *Allocation) refresh(patience time.Duration) error {
	began := a.now()
	m, err := a.request(a.ctx, patience, stun.MethodRefresh, lifetimeOf(askedLifetime))
	if err == nil {
		a.refreshed, a.lifetime = a.now(), lifetimeIn(m)
		a.took.Store(int64(a.refreshed - began))
	}
	return a.judge(began, err)
}

// askedLifetime is the lifetime that a refresh asks for, the default of RFC 8656.
const askedLifetime = 10 * time.Minute

// Permit lets hosts through, in both directions and whatever their ports, and keeps that up
// for ten minutes after the last traffic or the last call. It waits for the server. At most
// PermitsMax hosts have permits at a time. The error wraps ErrForbidden if the server relays
// to none of some hosts, which then are the only ones without a permit; or ErrPermits,
// ErrNoAnswer, ErrBusy, net.ErrClosed, ErrGone, or that of the context.
func (a *Allocation) Permit(ctx context.Context, hosts []netip.Addr) error {
	plain := make([]netip.Addr, 0, len(hosts))
	for _, host := range hosts {
		if host.IsUnspecified() { // it is how the keeper asks for knocks
			return fmt.Errorf("permit for every host: %w", ErrForbidden)
		}
		if host = host.Unmap(); host.Is4() == a.relayed.Addr().Is4() && host.IsValid() {
			plain = append(plain, host)
		} else {
			return fmt.Errorf("permit for a host of another family: %w", ErrForbidden)
		}
	}
	if len(plain) > PermitsMax {
		return ErrPermits
	}
	lack, err := a.peers.lacking(a.now(), plain)
	if err != nil {
		return err
	}
	var refused error
	for len(lack) != 0 {
		some := lack[:min(len(lack), permitsAtOnce)]
		lack = lack[len(some):]
		err := a.permitInTurn(ctx, some)
		if errors.Is(err, ErrForbidden) && len(some) > 1 {
			err = a.permitEach(ctx, some)
		}
		if errors.Is(err, ErrForbidden) {
			refused = err
		} else if err != nil {
			return err
		}
	}
	return refused
}

// A pacer spreads requests for permits over time. It is safe for concurrent use.
type pacer struct {
	mu    sync.Mutex
	until time.Duration // when what was asked for will have taken its time
}

// wait returns how long to wait before n more may be asked for.
func (p *pacer) wait(now time.Duration, n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = max(p.until, now) + time.Duration(n)*time.Second/permitsAtOnce
	return p.until - now - time.Second
}

// permitInTurn asks for permits when it is their turn.
func (a *Allocation) permitInTurn(ctx context.Context, hosts []netip.Addr) error {
	if wait := a.asks.wait(a.now(), len(hosts)); wait > 0 {
		if err := a.pause(ctx, wait); err != nil {
			return err
		}
	}
	return a.permit(ctx, hosts)
}

// pause waits for as long as d, unless ctx or the allocation ends.
func (a *Allocation) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-a.done:
		return a.Err()
	}
}

// permitEach asks for permits one by one, because one of several was refused.
func (a *Allocation) permitEach(ctx context.Context, hosts []netip.Addr) (refused error) {
	for i := range hosts {
		err := a.permitInTurn(ctx, hosts[i:i+1])
		if errors.Is(err, ErrForbidden) {
			refused = err
		} else if err != nil {
			return err
		}
	}
	return refused
}

// permit asks for permits (RFC 8656, section 10.1).
func (a *Allocation) permit(ctx context.Context, hosts []netip.Addr) error {
	attrs := make([]stun.Setter, len(hosts))
	for i, host := range hosts {
		attrs[i] = peerAddress(netip.AddrPortFrom(host, 0))
	}
	began := a.now()
	_, err := a.request(ctx, a.patience, stun.MethodCreatePermission, attrs...)
	if err == nil {
		a.peers.granted(began, hosts)
		a.admit(hosts)
	}
	return err
}

// bind asks for a channel (RFC 8656, section 12.1).
func (a *Allocation) bind(to netip.AddrPort, channel uint16) error {
	began := a.now()
	number := binary.BigEndian.AppendUint16(nil, channel)
	_, err := a.request(a.ctx, a.patience, stun.MethodChannelBind,
		stun.RawAttribute{Type: stun.AttrChannelNumber, Value: append(number, 0, 0)},
		peerAddress(to))
	var refusal *ServerError
	if err == nil || errors.As(err, &refusal) {
		a.peers.bound(began, to, channel, err != nil)
	}
	return err
}
