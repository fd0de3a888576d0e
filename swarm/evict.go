package swarm

import (
	"context"
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// evictWaitersMax bounds the connections that wait for others to be evicted when
	// the engine has as many as it may. If one source or network has too many of the
	// waiting ones, they make room for those of others.
	evictWaitersMax = 16
	// evictCrowd is the size from which a network is a crowd: its connections are
	// evicted before useless ones. Fewer may be a coincidence.
	evictCrowd = 8
	// evictWait is how long a connection waits for the place of an evicted one, and
	// evictLook how often it looks.
	evictWait = time.Second
	evictLook = 10 * time.Millisecond
)

// A place says whether a link counts as one of the engine's connections, before the loop
// accepts it. One goroutine at a time has the link.
type place struct {
	waited bool // the link has waited for the place of an evicted one
	taken  bool
}

// isTaken reports whether the link has a place already.
func (p *place) isTaken() bool { return p.taken }

// awaitPlace evicts a connection of some torrent in favour of link, which found no place,
// and hands link to the loop again: when there is a place, after evictWait, or earlier
// when others that wait need its turn. It reports false if link has had its chance, or
// if its source has no place left.
func (l *loop) awaitPlace(link *link) bool {
	e, ip := l.t.engine, link.endpoint.Host()
	if link.place.waited || !e.conns.Full() || e.conns.HasAll(ip) {
		return false
	}
	link.place.waited = true
	ctx, giveUp := context.WithCancel(l.t.ctx)
	turn := e.evictWaiters.Admit(ip, giveUp)
	l.wait.Go(func() {
		defer turn.Keep()
		defer giveUp()
		link.place.taken = e.evictAndTake(ctx, ip)
		select {
		case l.t.joins <- link:
		case <-l.t.ctx.Done():
			link.abandon()
		}
	})
	return true
}

// evictAndTake evicts one connection in favour of one with ip, waits until there is its
// place, and takes the place. It reports whether it did. It blocks, so the loop of a
// torrent must not call it.
func (e *Engine) evictAndTake(ctx context.Context, ip netip.Addr) bool {
	e.conns.Claim() // otherwise the next connection to come would take the place
	if !e.evictFor(ip) {
		e.conns.Disclaim()
		return false
	}
	late := time.NewTimer(evictWait)
	defer late.Stop()
	look := time.NewTicker(evictLook)
	defer look.Stop()
	for !e.conns.Redeem(ip) {
		select {
		case <-look.C:
			continue
		case <-late.C:
		case <-ctx.Done():
		}
		e.conns.Disclaim()
		return false
	}
	return true
}

// evictFor evicts a connection in favour of one with ip, and reports whether there was
// one to evict. It chooses
//
//  1. one of the network with most connections, if that network is a crowd;
//  2. else a useless one, unless its network has fewer connections than that of ip would
//     have then: otherwise the owner of one network could drive out all others;
//  3. else one of the network with most connections.
func (e *Engine) evictFor(ip netip.Addr) bool {
	mine := e.conns.Neighbours(ip) + 1
	network, most := e.conns.Largest()
	if most >= evictCrowd && most > mine && e.evictFrom(network) {
		return true
	}
	own := limit.NetworkOf(ip)
	may := func(other netip.Addr) bool {
		return limit.NetworkOf(other) == own || max(e.conns.Neighbours(other), 1) >= mine
	}
	return e.evictUseless(may) || most > mine && e.evictFrom(network)
}

// evictFrom evicts a connection of a network, and reports whether there was one.
func (e *Engine) evictFrom(network netip.Prefix) bool {
	return e.evict(func(t *Torrent, now time.Time) bool {
		return t.loop.core.EvictFrom(now, network)
	})
}

// evictUseless evicts one useless connection of any torrent whose address may allows, and
// reports whether there was one. A nil may allows every address.
func (e *Engine) evictUseless(may func(netip.Addr) bool) bool {
	return e.evict(func(t *Torrent, now time.Time) bool { return t.loop.core.Evict(now, may) })
}

// evict asks the torrents one after the other to evict a connection, until one does. It
// reports whether one did.
func (e *Engine) evict(from func(t *Torrent, now time.Time) bool) bool {
	for _, t := range e.Torrents() {
		evicted := make(chan bool, 1)
		if t.ask(func(now time.Time) { evicted <- from(t, now) }) && <-evicted {
			return true
		}
	}
	return false
}
