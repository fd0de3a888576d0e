package swarm

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"syscall"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/peer"
)

const (
	// netwatchEvery is how often we look at our own addresses. One look is one system
	// call, and a move is noticed within a second or so.
	netwatchEvery = time.Second
	// netwatchBurst is how many changes in a row the torrents are told of at once, and
	// netwatchPause how long it takes until they may be told of one more. So interfaces
	// that come and go do not keep the torrents from their work. One move may be several
	// changes.
	netwatchBurst = 4
	netwatchPause = 5 * time.Second
)

// errAddressGone ends a connection from an address that this machine no longer has.
var errAddressGone = errors.New("our address is gone")

// broken reports whether a connection that ended with err was lost, rather than closed
// by one of its sides.
func broken(err error) bool {
	var system syscall.Errno
	return errors.Is(err, errAddressGone) || errors.Is(err, peer.ErrStuck) ||
		errors.As(err, &system)
}

// An addressSet holds addresses of this machine.
type addressSet map[netip.Addr]bool

// without returns the addresses of s that other lacks.
func (s addressSet) without(other addressSet) addressSet {
	rest := maps.Clone(s)
	maps.DeleteFunc(rest, func(ip netip.Addr, _ bool) bool { return other[ip] })
	return rest
}

// A netwatch notices changes of our own addresses, and says which of them the torrents
// are told of. It belongs to one goroutine.
type netwatch struct {
	own    addressSet // as the torrents know them
	burst  int        // changes that they may be told of now
	filled time.Time  // when burst grew last, or would have
}

// newNetwatch returns a netwatch that starts with the addresses own.
func newNetwatch(now time.Time, own addressSet) *netwatch {
	return &netwatch{own: own, burst: netwatchBurst, filled: now}
}

// look compares our addresses at a moment with those that the torrents know. It returns
// which are gone and which are new if the torrents must be told now. A change that
// comes too soon is noticed by a later look. A nil set means that the system did not say.
func (w *netwatch) look(now time.Time, own addressSet) (gone, fresh addressSet) {
	for ; w.burst < netwatchBurst && now.Sub(w.filled) >= netwatchPause; w.burst++ {
		w.filled = w.filled.Add(netwatchPause)
	}
	if own == nil || w.burst == 0 {
		return nil, nil
	}
	gone, fresh = w.own.without(own), own.without(w.own)
	w.own = own
	if len(gone)+len(fresh) == 0 {
		return nil, nil
	}
	if w.burst == netwatchBurst {
		w.filled = now
	}
	w.burst--
	return gone, fresh
}

// watchNetwork tells the torrents when addresses of this machine come or go, until ctx
// ends.
func (e *Engine) watchNetwork(ctx context.Context) {
	tick := time.NewTicker(netwatchEvery)
	defer tick.Stop()
	watch := newNetwatch(time.Now(), e.machineAddresses())
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.public.changed():
			e.tellPublicPorts(time.Now())
			continue
		case <-tick.C:
		}
		e.tellPublicPorts(time.Now()) // those that had to wait
		e.asked.Tick(time.Now())
		gone, fresh := watch.look(time.Now(), e.machineAddresses())
		if len(gone)+len(fresh) == 0 {
			continue
		}
		e.log.Info("addresses of this machine have changed", "gone", len(gone), "new", len(fresh))
		e.web.Close()
		e.findPlace()
		if e.cfg.NetworkChanged != nil {
			e.cfg.NetworkChanged()
		}
		for _, t := range e.Torrents() {
			t.ask(func(at time.Time) { t.loop.networkChanged(at, gone) })
		}
	}
}

// machineAddresses returns the addresses of this machine that other machines may know,
// or nil if the system does not say.
func (e *Engine) machineAddresses() addressSet {
	list, err := e.cfg.Net.Addresses()
	if err != nil {
		return nil
	}
	own := make(addressSet, len(list))
	for _, ip := range list {
		if !ip.IsLinkLocalUnicast() {
			own[ip] = true
		}
	}
	return own
}

// findPlace is findOwn where the engine listens at another address, or the machine has others.
func (e *Engine) findPlace() {
	e.ownKnown.Lock()
	defer e.ownKnown.Unlock()
	e.observeBound(e.recordOwn())
}

// findOwn records the addresses at which peers reach the engine, as far as this machine
// knows them, and those at which others see it.
func (e *Engine) findOwn() {
	e.ownKnown.Lock()
	defer e.ownKnown.Unlock()
	e.recordOwn()
}

// recordOwn is findOwn, and returns the addresses of this machine. The caller holds ownKnown.
func (e *Engine) recordOwn() (machine addressSet) {
	machine = e.machineAddresses()
	var own []netip.AddrPort
	for _, addr := range e.Addrs() {
		if !addr.Addr().IsUnspecified() {
			own = append(own, addr)
			continue
		}
		for ip := range machine {
			if ip.Is4() == addr.Addr().Is4() {
				own = append(own, netip.AddrPortFrom(ip, addr.Port()))
			}
		}
	}
	own = append(own, e.seenAt()...)
	e.own.Store(&own)
	e.shelter.look(machine)
	return machine
}

// networkChanged closes the connections from addresses that are gone, which would
// otherwise be silent for minutes. It looks for other peers, and announces where we are
// now.
func (l *loop) networkChanged(now time.Time, gone addressSet) {
	for _, link := range l.links {
		if link.lost(gone) {
			link.stream.Close(errAddressGone)
		}
	}
	l.setOwn()
	l.core.Step(now, core.Event{Kind: core.Moved})
	if l.search.restart(l.t.ctx, now) {
		l.trackers.ownAddressChanged()
	}
}
