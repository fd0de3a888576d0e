package swarm

import (
	"net/netip"
	"time"

	"swarmnode/swarm/reach"
)

const (
	// outsideBurst is how many changes of our external address in a row the torrents are
	// told of at once, and outsidePause how long it takes until they may be told of one
	// more. A carrier that changes addresses all the time, or voters that lie, do not keep
	// them from their work.
	outsideBurst = 3
	outsidePause = time.Minute
)

// An outsideWatch notices when our external address becomes another one although nothing has
// changed at this machine: the router has got it. It belongs to one goroutine.
type outsideWatch struct {
	addrs  [2]netip.Addr // not valid while unknown
	burst  int           // changes that the torrents may be told of now
	filled time.Time     // when burst grew last, or would have
}

// look compares the addresses of a standing with those of before, and reports whether the
// torrents must be told. A change of our own addresses makes the external one unknown
// first, and does not count: the torrents hear of it by watchNetwork.
func (w *outsideWatch) look(now time.Time, is reach.Standing) bool {
	moved := false
	for i, addr := range []netip.Addr{is.External4.Addr(), is.External6.Addr()} {
		moved = moved || w.addrs[i].IsValid() && addr.IsValid() && addr != w.addrs[i]
		w.addrs[i] = addr
	}
	if w.filled.IsZero() {
		w.burst, w.filled = outsideBurst, now
	}
	for ; w.burst < outsideBurst && now.Sub(w.filled) >= outsidePause; w.burst++ {
		w.filled = w.filled.Add(outsidePause)
	}
	if !moved || w.burst == 0 {
		return false
	}
	if w.burst == outsideBurst {
		w.filled = now
	}
	w.burst--
	return true
}

// followOutside records our external addresses, and tells all torrents and the driver when one
// has become another: peers know us by the old one.
func (e *Engine) followOutside() {
	var watch outsideWatch
	e.OnReach(func(is reach.Standing) {
		e.external.set(is.External4.Addr())
		e.external.set(is.External6.Addr())
		if !watch.look(time.Now(), is) {
			return
		}
		e.log.Info("our external address has changed", "ipv4", is.External4, "ipv6", is.External6)
		if e.cfg.NetworkChanged != nil {
			e.cfg.NetworkChanged()
		}
		for _, t := range e.Torrents() {
			t.ask(func(at time.Time) { t.loop.networkChanged(at, nil) })
		}
	})
}
