package swarm

import (
	"context"
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// roomWaitersMax bounds the connections that wait for others to end when
	// the engine has as many as it may. More of one source or network make room for
	// those of others.
	roomWaitersMax = 16
	// roomCrowd is how many connections a network has when it has to make room for
	// others before those that are of no use: fewer are a coincidence.
	roomCrowd = 8
	// roomWait is how long one waits, and roomLook how often it looks.
	roomWait = time.Second
	roomLook = 10 * time.Millisecond
)

// makeRoom ends one connection in favour of one with ip, waits until there is its place,
// and takes it. It reports whether it has, and is not for the goroutine of a torrent.
func (e *Engine) makeRoom(ctx context.Context, ip netip.Addr) bool {
	e.conns.Claim() // or the next that comes would have the place
	if !e.evictFor(ip) {
		e.conns.Disclaim()
		return false
	}
	late := time.NewTimer(roomWait)
	defer late.Stop()
	look := time.NewTicker(roomLook)
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

// evictFor ends a connection in favour of one with ip: one with the network that has
// most, if that is a crowd; else one that is of no use, but none of a network that has
// fewer than that of ip would have, or whoever owns one would drive out all others; else
// again one with the network that has most. It reports whether there was one to end.
func (e *Engine) evictFor(ip netip.Addr) bool {
	mine := e.conns.Neighbours(ip) + 1
	network, most := e.conns.Largest()
	if most >= roomCrowd && most > mine && e.evictFrom(network) {
		return true
	}
	own := limit.NetworkOf(ip)
	may := func(other netip.Addr) bool {
		return limit.NetworkOf(other) == own || max(e.conns.Neighbours(other), 1) >= mine
	}
	return e.evictOne(may) || most > mine && e.evictFrom(network)
}

// evictFrom ends a connection with a network, and reports whether there was one.
func (e *Engine) evictFrom(network netip.Prefix) bool {
	return e.evict(func(t *Torrent, now time.Time) bool {
		return t.loop.core.EvictFrom(now, network)
	})
}

// evictOne ends one connection of no use, of any torrent, whose address may allows, and
// reports whether there was one. may can be nil.
func (e *Engine) evictOne(may func(netip.Addr) bool) bool {
	return e.evict(func(t *Torrent, now time.Time) bool { return t.loop.core.Evict(now, may) })
}

// evict asks one torrent after the other to end a connection, until one does.
func (e *Engine) evict(from func(t *Torrent, now time.Time) bool) bool {
	for _, t := range e.Torrents() {
		evicted := make(chan bool, 1)
		if t.ask(func(now time.Time) { evicted <- from(t, now) }) && <-evicted {
			return true
		}
	}
	return false
}
