package book

import (
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// returnsMax is how often endpoints at which blocks moved may be dialled within
	// returnsWindow, of one source. They are no innocent hosts that a liar has named.
	returnsMax    = 20
	returnsWindow = time.Minute
)

// returns counts the dials to endpoints at which blocks moved lately. They are apart
// from the budget of rumours.
type returns struct {
	since time.Duration      // when counting began
	dials map[netip.Addr]int // by source; nil before the first
}

// allow reports whether one more dial to the source of ip is within bounds.
func (r *returns) allow(now time.Duration, ip netip.Addr) bool {
	if now-r.since >= returnsWindow {
		r.since = now
		clear(r.dials)
	}
	return r.dials[limit.SourceOf(ip)] < returnsMax
}

// count counts a dial to the source of ip.
func (r *returns) count(ip netip.Addr) {
	if r.dials == nil {
		r.dials = map[netip.Addr]int{}
	}
	r.dials[limit.SourceOf(ip)]++
}

// A Dial is an endpoint to be dialled.
type Dial struct {
	Endpoint endpoint.Endpoint
	Told     limit.Told         // how it is known, which says what limits apply
	First    endpoint.Transport // to try first, if it is known
}

// A Wish says what a torrent wants to dial.
type Wish struct {
	// Seeding leaves out seeds, and prefers endpoints that nobody calls seeds.
	Seeding bool
	// DialsMax is how many attempts the torrent may have under way.
	DialsMax int
}

// perSource is how many endpoints of one source may be dialled at a time, so that some
// places stay for the others when one source names only dead addresses.
func (w *Wish) perSource() int32 { return max(1, int32(w.DialsMax)*3/4) }

// Next returns the endpoint to dial now, and counts it as being dialled: Connected,
// Failed or PutOff ends that. If there is none, ok is false and at says when there may
// be one.
func (b *Book) Next(now time.Duration, w Wish) (d Dial, at time.Duration, ok bool) {
	e, at := b.choose(now, &w)
	if e == nil {
		return Dial{}, at, false
	}
	b.setState(e, stateDialling)
	told := b.told(e, now)
	b.spend(e, told, now)
	return Dial{e.endpoint, told, e.reach.first()}, now, true
}

// Again returns the Dial that looks for another path to the peer that is connected at
// an endpoint. There is none if the book does not know the peer by it, or if too many
// such dials went to its host lately.
func (b *Book) Again(now time.Duration, at endpoint.Endpoint, conn Conn) (d Dial, ok bool) {
	e := b.byEndpoint[at]
	if e == nil || e.state != stateConnected || e.conn != conn ||
		!b.returns.allow(now, at.Host()) {
		return Dial{}, false
	}
	e.delivered = max(now, 1)
	b.spend(e, limit.ByItself, now)
	return Dial{at, limit.ByItself, e.reach.first()}, true
}

// Stays records that the peer that was met at an endpoint is one of the swarm: the dial
// that met it no longer counts as one by rumour, or by introduction.
func (b *Book) Stays(at endpoint.Endpoint) {
	if e := b.byEndpoint[at]; e != nil && e.counted {
		e.counted = false
		b.rumours.Met(at.Host())
	}
	if e := b.byEndpoint[at]; e != nil && e.lent {
		e.lent = false
		b.introduced.Met(at.Host())
	}
}

// Moved records that our own addresses have changed. Connections may be dead without a
// word, and those who know us by an address may not find us, so peers that are known
// to be there are dialled at once, and so are those of which no dial has failed. A dial
// under way that is put off is tried again at once as well.
func (b *Book) Moved(now time.Duration) {
	clear(b.returns.dials)
	b.rumours, b.introduced = limit.NewRumours(b.cfg.Home), limit.NewRumours(b.cfg.Home)
	for _, e := range b.list {
		e.again = e.state == stateDialling
		if e.state == stateIdle && (e.proven || e.failures == 0) || e.faithful(now) {
			e.next, e.tries = min(e.next, now), 0
		}
	}
}

// told returns how e is known.
func (b *Book) told(e *entry, now time.Duration) limit.Told {
	switch {
	case e.faithful(now) && b.returns.allow(now, e.endpoint.Host()):
		return limit.ByItself
	case e.source == SourceUser:
		return limit.ByUser
	}
	return limit.ByRumour
}

// spend counts a dial to e.
func (b *Book) spend(e *entry, told limit.Told, now time.Duration) {
	e.counted, e.arranged, e.lent = told == limit.ByRumour, false, false
	switch told {
	case limit.ByRumour:
		b.rumours.Dialled(now, e.endpoint.Host())
	case limit.ByItself:
		b.returns.count(e.endpoint.Host())
	}
}

// choose returns the entry to dial, or when there may be one.
func (b *Book) choose(now time.Duration, w *Wish) (best *entry, next time.Duration) {
	next = never
	if len(b.list) == 0 {
		return nil, next
	}
	start := b.cfg.Rand.IntN(len(b.list))
	for i := range b.list {
		e := b.list[(start+i)%len(b.list)]
		if e.state != stateIdle {
			continue
		}
		at := e.next
		if at <= now { // checks that cost more are for few
			if best != nil && !b.better(e, best, w.Seeding) {
				continue
			}
			if e.seed && w.Seeding || b.private && !e.vouched || b.own.is(e.endpoint) ||
				b.Banned(now, e.endpoint) {
				continue
			}
			if e.source != SourceUser && b.byDial[e.source] >= w.perSource() {
				continue // an answer comes first
			}
			at = b.hostReady(e, now)
		}
		if at > now {
			next = min(next, at)
			continue
		}
		best = e
	}
	return best, next
}

// hostReady returns when the host and the network of e allow a dial. What the user
// named has a pace of its own (namedWait).
func (b *Book) hostReady(e *entry, now time.Duration) (at time.Duration) {
	if b.told(e, now) != limit.ByRumour {
		return 0
	}
	if !e.proven {
		at = e.host.rests()
	}
	return max(at, b.rumours.Ready(now, e.endpoint.Host()))
}

// better reports whether e goes before o: the order of doc.go's last item. Equals go at
// random. A torrent that is seeding dials those last that others call seeds, since a
// seed needs none.
func (b *Book) better(e, o *entry, seeding bool) bool {
	dials := &b.byDial
	switch {
	case (e.source == SourceUser) != (o.source == SourceUser):
		return e.source == SourceUser
	case e.proven != o.proven:
		return e.proven
	case seeding && e.rumouredSeed != o.rumouredSeed:
		return o.rumouredSeed
	case e.failures != o.failures:
		return e.failures < o.failures
	case dials[e.source] != dials[o.source]:
		return dials[e.source] < dials[o.source]
	}
	return e.priority > o.priority
}
