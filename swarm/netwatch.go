package swarm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport"
)

const (
	// addressesEvery is how often our own addresses are looked at: one system
	// call, for a move that is noticed within a second or so.
	addressesEvery = time.Second
	// movesEvery is how often the torrents are told for long, and movesBurst how
	// often in a row, so that interfaces that come and go do not keep them from
	// their work. One move may be several changes.
	movesEvery = 5 * time.Second
	movesBurst = 4
)

// errMoved is why a connection ends whose own address is gone.
var errMoved = errors.New("our address is gone")

// broken reports whether a connection that ended with err was lost, and not closed
// by either side.
func broken(err error) bool {
	var system syscall.Errno
	return errors.Is(err, errMoved) || errors.Is(err, peer.ErrStuck) || errors.As(err, &system)
}

// watchAddresses tells the torrents when addresses of this machine come or go,
// until ctx ends.
func (e *Engine) watchAddresses(ctx context.Context) {
	tick := time.NewTicker(addressesEvery)
	defer tick.Stop()
	own := ownAddresses()
	left, filled := movesBurst, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := ownAddresses()
		for ; left < movesBurst && time.Since(filled) >= movesEvery; left++ {
			filled = filled.Add(movesEvery)
		}
		if now == nil || left == 0 {
			continue // the system may not say; that does not mean that there are none
		}
		gone, fresh := missing(own, now), missing(now, own)
		own = now
		if len(gone)+len(fresh) == 0 {
			continue
		}
		if left == movesBurst {
			filled = time.Now()
		}
		left--
		e.log.Info("addresses of this machine have changed", "gone", len(gone), "new", len(fresh))
		e.web.Close()
		e.findOwn()
		for _, t := range e.Torrents() {
			t.ask(func(at time.Time) { t.loop.addressesChanged(at, gone) })
		}
	}
}

// ownAddresses returns the addresses of this machine that others may know, nil if
// they cannot be had.
func ownAddresses() map[netip.Addr]bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	own := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := prefix.Addr().Unmap(); !ip.IsLinkLocalUnicast() {
			own[ip] = true
		}
	}
	return own
}

// missing returns what is in a and not in b.
func missing(a, b map[netip.Addr]bool) map[netip.Addr]bool {
	m := make(map[netip.Addr]bool)
	for ip := range a {
		if !b[ip] {
			m[ip] = true
		}
	}
	return m
}

// addressesChanged ends the connections from addresses that are gone, which would otherwise
// be silent for minutes, looks for others, and tells where we are now.
func (l *loop) addressesChanged(now time.Time, gone map[netip.Addr]bool) {
	for _, link := range l.links {
		if link.conn != nil && gone[transport.LocalAddr(link.conn)] {
			link.stream.Close(errMoved)
		}
	}
	l.core.SetOwn(*l.t.engine.own.Load())
	l.core.Step(now, core.Event{Kind: core.Moved})
	if l.search.cancel == nil {
		return
	}
	l.search.start(l.t.ctx, now, l.search.seed)
	if l.tracker != nil {
		l.tracker.Moved()
	}
}
