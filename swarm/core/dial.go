package core

import (
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// dialEvery and dialBurst pace the Dials of a torrent: 20 a second.
	dialEvery = 50 * time.Millisecond
	dialBurst = 20
	// putOffFor is how long a Dial waits that a limit of all torrents together
	// was in the way of.
	putOffFor = 10 * time.Second

	// replaceEvery is how often it is looked for a connection to be replaced by
	// another one when there are as many as there may be.
	replaceEvery = 10 * time.Second

	// WantPeers is given at most so often, and less often in vain.
	wantFirst = 15 * time.Second
	wantLast  = 2 * time.Minute
)

// A dialer paces connection attempts.
type dialer struct {
	tokens  int
	filled  time.Duration
	rumours *limit.Rumours
	window  time.Duration      // since when faithful counts
	counts  map[netip.Addr]int // dials to faithful addresses, by source
	asked   time.Duration      // when WantPeers was given last
	askWait time.Duration
}

// ready reports whether a Dial may go out now, or from when on.
func (d *dialer) ready(now time.Duration) (from time.Duration, ok bool) {
	if n := int((now - d.filled) / dialEvery); n > 0 {
		d.tokens = min(dialBurst, d.tokens+n)
		d.filled += time.Duration(n) * dialEvery
	}
	if now-d.window >= faithfulWindow || d.counts == nil {
		d.window, d.counts = now, map[netip.Addr]int{}
	}
	return d.filled + dialEvery, d.tokens > 0
}

// insists reports whether an address at which blocks moved lately may be dialled more
// often than one that is known by rumour.
func (d *dialer) insists(ip netip.Addr) bool { return d.counts[limit.SourceOf(ip)] < faithfulDials }

// told returns how e is known.
func (t *Torrent) told(e *entry) limit.Told {
	switch {
	case e.faithful(t.now) && t.dialer.insists(e.endpoint.Host()):
		return limit.ByItself
	case e.source == SourceUser:
		return limit.ByUser
	}
	return limit.ByRumour
}

// spend counts a dial to e.
func (t *Torrent) spend(e *entry, told limit.Told) {
	d := &t.dialer
	d.tokens--
	e.counted = told == limit.ByRumour
	switch told {
	case limit.ByRumour:
		d.rumours.Dialled(t.now, e.endpoint.Host())
	case limit.ByItself:
		d.counts[limit.SourceOf(e.endpoint.Host())]++
	}
}

// dialMet takes back what the dial counted for by which a peer was met at that stays.
func (t *Torrent) dialMet(at endpoint.Endpoint) {
	if e := t.book.byEndpoint[at]; e != nil && e.counted {
		e.counted = false
		t.dialer.rumours.Met(at.Host())
	}
}

// onFound takes in an address, and dials if there is room. A peer of an earlier
// run is known to have been there.
func (t *Torrent) onFound(e *Event) {
	if e.Source >= sourceCount {
		return
	}
	r := rumour{endpoint: e.Endpoint, sources: 1 << e.Source, source: e.Source}
	if e.Vouched {
		r.sources |= 1 << SourceTracker
	}
	known := t.note(r)
	if known != nil && e.Source == SourceResume && !known.good {
		known.said = e.Met
		t.book.prove(known, true)
	}
}

// note puts an address into the book, if it may be there, and returns its entry.
func (t *Torrent) note(r rumour) *entry {
	if t.cfg.PeersOnly && !r.sources.has(SourceUser) {
		return nil
	}
	if !usable(r.endpoint) || !r.source.MayName(r.endpoint.Addr) || t.book.banned(r.endpoint,
		t.now) ||
		t.isPrivate() && !r.sources.vouched() {
		return nil
	}
	e, fresh := t.book.add(r, t.rng.IntN)
	if !fresh {
		return e
	}
	e.priority = t.priorityOf(e.endpoint)
	if r.source != SourceIncoming { // that one is connected
		t.dialer.askWait = 0
		t.timers.by(timerDial, t.now)
	}
	return e
}

func (t *Torrent) onDialFailed(at endpoint.Endpoint, fault DialFault) {
	e := t.book.byEndpoint[at]
	switch {
	case e == nil:
	case e.state == entryConnected:
		t.probed(e)
	case e.state == entryDialling:
		t.book.setState(e, entryIdle)
		e.fault = fault
		t.book.failed(e, t.now, time.Duration(t.rng.Int64N(int64(time.Minute))))
	}
	t.timers.by(timerDial, t.now)
}

// onDialPutOff records that a limit of our own was in the way of a Dial, which
// says nothing of the address.
func (t *Torrent) onDialPutOff(at endpoint.Endpoint) {
	e := t.book.byEndpoint[at]
	switch {
	case e == nil:
	case e.state == entryConnected:
		t.probed(e)
	case e.state == entryDialling:
		t.book.setState(e, entryIdle)
		e.next = t.now + putOffFor + time.Duration(t.rng.Int64N(int64(putOffFor/4)))
	}
	t.timers.by(timerDial, t.now)
}

// dial gives out as many Dials as limits allow.
func (t *Torrent) dial() {
	if t.standing.isUnusable() {
		return
	}
	for {
		if t.book.dialling >= t.cfg.Limits.HalfOpenMax {
			return // an answer comes first
		}
		if over := t.peers.count() + t.book.dialling - t.dialTarget(); over >= 0 &&
			!t.mayReplace(over) {
			return // the end of a connection comes first, or its uselessness
		}
		from, ok := t.dialer.ready(t.now)
		if !ok {
			t.timers.by(timerDial, from)
			return
		}
		e, next := t.choose()
		if e == nil {
			t.timers.by(timerDial, next)
			t.wantPeers()
			return
		}
		t.book.setState(e, entryDialling)
		told := t.told(e)
		t.spend(e, told)
		t.out.do(Action{Kind: Dial, Endpoint: e.endpoint, Told: told})
	}
}

// mayReplace reports whether one more peer may be dialled when there are over more
// connections than dialTarget: only at the target itself, and only if one of them is
// useless. A download in which every place is taken by those who promise and do not
// give would never end. If not, the torrent looks again later.
func (t *Torrent) mayReplace(over int) bool {
	if t.seeding() {
		return false
	}
	t.timers.by(timerDial, t.now+replaceEvery)
	return over == 0 && t.book.dialling == 0 &&
		t.peers.eviction(t.now, t.priorityOf).leastUseful(nil, nil) != nil
}

// dialTarget is how many connections are worth making: when seeding some room
// is left for those who come by themselves.
func (t *Torrent) dialTarget() int {
	if t.seeding() {
		return t.cfg.Limits.PeersMax * 3 / 4
	}
	return t.cfg.Limits.PeersMax
}

// choose returns the address to dial, or when there may be one.
func (t *Torrent) choose() (best *entry, next time.Duration) {
	next = never
	if len(t.book.list) == 0 {
		return nil, next
	}
	start := t.rng.IntN(len(t.book.list))
	for i := range t.book.list {
		e := t.book.list[(start+i)%len(t.book.list)]
		if e.state != entryIdle {
			continue
		}
		at := e.next
		if at <= t.now { // what costs more to find out matters for few
			if best != nil && !t.better(e, best) {
				continue
			}
			if e.seed && t.seeding() || !t.mayDial(e) || t.book.banned(e.endpoint, t.now) {
				continue
			}
			if e.source != SourceUser && t.book.byDial[e.source] >= t.sourceDials() {
				continue // an answer comes first
			}
			at = t.hostReady(e)
		}
		if at > t.now {
			next = min(next, at)
			continue
		}
		best = e
	}
	return best, next
}

// hostReady returns from when on e may be dialled as far as its host and network are
// concerned. What the user names has a pace of its own (namedWait).
func (t *Torrent) hostReady(e *entry) (at time.Duration) {
	if t.told(e) != limit.ByRumour {
		return 0
	}
	if !e.good {
		at = e.host.rests()
	}
	return max(at, t.dialer.rumours.Ready(t.now, e.endpoint.Host()))
}

// sourceDials is how many addresses of one source may be dialled at a time, so
// that some places stay for the others when one names none but dead addresses.
func (t *Torrent) sourceDials() int { return max(1, t.cfg.Limits.HalfOpenMax*3/4) }

// better reports whether e goes before o when dialling. Equals go at random. A
// proven address goes before others; of seeds that others tell of, a seed that needs
// none dials last. The source of which fewest are being dialled comes next, so
// that the many addresses of one do not keep out the few of another; then whom
// the canonical priority prefers (BEP 40).
func (t *Torrent) better(e, o *entry) bool {
	dials := &t.book.byDial
	switch {
	case (e.source == SourceUser) != (o.source == SourceUser):
		return e.source == SourceUser
	case e.good != o.good:
		return e.good
	case t.seeding() && e.rumour != o.rumour:
		return o.rumour
	case e.failures != o.failures:
		return e.failures < o.failures
	case dials[e.source] != dials[o.source]:
		return dials[e.source] < dials[o.source]
	}
	return e.priority > o.priority
}

// wantPeers asks for addresses when none is left to try.
func (t *Torrent) wantPeers() {
	d := &t.dialer
	if t.seeding() || t.standing.isUnusable() {
		return
	}
	if t.peers.count() >= t.cfg.Limits.PeersMax/2 && t.down.rate(t.now) > 0 {
		return
	}
	if at := d.asked + max(d.askWait, wantFirst); d.asked > 0 && t.now < at {
		t.timers.by(timerDial, at)
		return
	}
	d.asked = max(t.now, 1)
	d.askWait = min(max(wantFirst, 2*d.askWait), wantLast)
	t.out.do(Action{Kind: WantPeers})
	t.timers.by(timerDial, t.now+d.askWait)
}
