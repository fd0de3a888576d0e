package dht

import (
	"net/netip"
	"time"
)

const (
	// pingbackGap is the least time between two pings to an endpoint.
	pingbackGap = 20 * time.Second

	// pingbacksPerSource bounds the pings to all endpoints of one source within
	// pingbackWindow, so that a forged sender cannot make us flood its victim. More
	// than one ping is allowed, so a query with a forged port does not prevent a
	// ping to the true port.
	pingbacksPerSource = 3
	pingbackWindow     = time.Minute

	// pingbackRate bounds all pings to askers per second, with a burst that
	// lets the first nodes of a new network meet at once.
	pingbackRate, pingbackBurst = 50, 500

	// pingbacksMax bounds the endpoints and the sources that are remembered. The
	// rate keeps both below the bound; at the bound, no new node is pinged.
	pingbacksMax = 4096
)

// ownerPings bounds the pings to one owner of addresses: a tenth of all.
var ownerPings = newPace(pingbackRate/10, pingbackBurst/10)

// pingback decides which senders of queries are pinged. Only an answer to a ping
// proves a sender's address, so that it can enter the table.
type pingback struct {
	bucket  bucket
	last    map[endpoint]instant
	sources map[netip.Addr][pingbacksPerSource]instant // the last pings, oldest first
	owners  map[netip.Prefix]lane
}

func newPingback() pingback {
	return pingback{
		last:    make(map[endpoint]instant),
		sources: make(map[netip.Addr][pingbacksPerSource]instant),
		owners:  make(map[netip.Prefix]lane),
	}
}

// allow reports whether to ping the node at to now, and counts the ping if so.
func (p *pingback) allow(now instant, to netip.AddrPort) bool {
	key := pack(to)
	if at, ok := p.last[key]; ok && now-at < pingbackGap {
		return false
	}
	if len(p.last) >= pingbacksMax {
		return false
	}
	if isLocal(to.Addr()) {
		if !p.bucket.take(now, pingbackRate, pingbackBurst, 1) {
			return false
		}
		p.last[key] = now
		return true
	}
	src, own := source(to.Addr()), owner(to.Addr())
	pings, known := p.sources[src]
	if pings[0] != 0 && now-pings[0] < pingbackWindow || !known && len(p.sources) >= pingbacksMax {
		return false
	}
	lane := p.owners[own]
	if !lane.take(now, ownerPings) || !p.bucket.take(now, pingbackRate, pingbackBurst, 1) {
		return false
	}
	copy(pings[:], pings[1:])
	pings[len(pings)-1] = now
	p.last[key], p.sources[src], p.owners[own] = now, pings, lane
	return true
}

// expire removes records that no longer affect any decision.
func (p *pingback) expire(now instant) {
	for to, at := range p.last {
		if now-at >= pingbackGap {
			delete(p.last, to)
		}
	}
	for src, pings := range p.sources {
		if now-pings[len(pings)-1] >= pingbackWindow {
			delete(p.sources, src)
		}
	}
	for own, paid := range p.owners {
		if now >= instant(paid) {
			delete(p.owners, own)
		}
	}
	p.last, p.sources, p.owners = rebuilt(p.last), rebuilt(p.sources), rebuilt(p.owners)
}

// probe owns a ping whose outcome matters only to the table, which the core tells.
type probe struct{}

func (probe) answered(instant, *query, *message) {}
func (probe) stalled(instant, *query)            {}
func (probe) failed(instant, *query, error)      {}

// ping asks the node at to for a sign of life; the answer goes to the table. Without
// budget the ping is left out, since upkeep repeats it.
func (c *core) ping(now instant, to netip.AddrPort) {
	_ = c.ask(now, to, &request{method: methodPing}, &query{owner: probe{}})
}
