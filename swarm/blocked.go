package swarm

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"swarmnode/swarm/blocklist"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
)

// errBlocked is the outcome of a call to a host that the user blocks.
var errBlocked = errors.New("the address is blocked by your blocklist")

// blocked holds the addresses that the user blocks. It is safe for concurrent use.
type blocked struct {
	list    atomic.Pointer[blocklist.List] // nil for none
	refused atomic.Int64
}

// newBlocked returns a blocked with a list, which may be nil.
func newBlocked(list *blocklist.List) *blocked {
	b := new(blocked)
	b.set(list)
	return b
}

// set replaces the list.
func (b *blocked) set(list *blocklist.List) { b.list.Store(list) }

// has reports whether addr is blocked.
func (b *blocked) has(addr netip.Addr) bool { return b.list.Load().Contains(addr) }

// refuses is has for an address that somebody offers or that connects. It counts.
func (b *blocked) refuses(addr netip.Addr) bool {
	if !b.has(addr) {
		return false
	}
	b.refused.Add(1)
	return true
}

// SetBlocklist sets the addresses with which no torrent exchanges anything from now on; nil
// blocks nobody. They are not dialled, also if the user has named them as peers; what others
// tell of them is ignored, and connections from them are closed before any handshake. Running
// connections with them end. The list applies to peers: trackers and web seeds are asked even
// so, and a DHT node has a list of its own (dht.Config.Blocked).
func (e *Engine) SetBlocklist(list *blocklist.List) {
	e.blocked.set(list)
	if list.Len() > 0 {
		e.tellAll((*loop).endBlocked)
	}
}

// Blocked returns how often an address was refused because it is blocked: a connection from
// it or to it, or the news of it from a source.
func (e *Engine) Blocked() int64 { return e.blocked.refused.Load() }

// endBlocked ends the connections with addresses that are blocked.
func (l *loop) endBlocked(now time.Time) {
	for ref, link := range l.links {
		if l.t.engine.blocked.refuses(link.endpoint.Host()) {
			l.core.Step(now, core.Event{Kind: core.Blocked, Peer: ref})
		}
	}
}

// turnAway closes a link whose address was blocked during the handshake, and reports whether
// it was.
func (l *loop) turnAway(now time.Time, link *link) bool {
	if !l.t.engine.blocked.refuses(link.endpoint.Host()) {
		return false
	}
	link.abandon()
	if link.outgoing {
		l.core.Step(now, core.Event{Kind: core.DialFailed, Endpoint: link.endpoint,
			Err: errBlocked, Fault: book.FaultBlocked})
	}
	return true
}
