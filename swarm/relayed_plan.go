package swarm

import (
	"errors"
	"net"
	"strconv"
	"time"

	"swarmnode/swarm/transport/relay"
)

const (
	// relaysMax bounds the servers that are known at a time, and relaysSpare is how many that
	// could be asked at once there should be besides those in use.
	relaysMax   = 16
	relaysSpare = 2
	// relayHedge is how long one server is asked alone before the next one is asked as well.
	relayHedge = 1500 * time.Millisecond
	// relayAskingMax bounds the servers that are asked at a time.
	relayAskingMax = 3
	// relayRetry is the wait after the first failure of a server. It doubles with each up to
	// relayRetryMax. A server without room is left alone for relayFullWait at least, and one
	// that refuses our credentials for relayRefusedWait.
	relayRetry       = 5 * time.Second
	relayRetryMax    = 10 * time.Minute
	relayFullWait    = time.Minute
	relayRefusedWait = 5 * time.Minute
	// relaySearch is the wait between the first two searches for servers. It doubles with each
	// search that has found none, up to relaySearchMax.
	relaySearch    = 5 * time.Second
	relaySearchMax = 5 * time.Minute
	// relaySteady is how long a server must lend us an address until its failures count no more:
	// one that takes each address back at once is asked ever more seldom.
	relaySteady = time.Minute
	// relayLinger is how long an allocation is kept that is no longer needed.
	relayLinger = 2 * time.Minute
)

// A relayState is what a relayPlan does with a server.
type relayState uint8

const (
	relayIdle   relayState = iota
	relayAsking            // it is asked for an allocation
	relayHeld              // it lends us an address
)

// A relayEntry is a server that a relayPlan knows.
type relayEntry struct {
	server   RelayServer
	key      string
	state    relayState
	since    time.Time // of state
	next     time.Time // not asked before
	failures int       // in a row
}

// A relayPlan decides when to ask which server for an allocation. It has no clock, and is for
// one goroutine at a time. Invariants: len(list) <= relaysMax, and no two entries have one key;
// at most relayAskingMax entries are asked.
type relayPlan struct {
	wants     int       // allocations: 0, 1, or 2 while much depends on them
	spared    time.Time // since when fewer are wanted than are held
	list      []*relayEntry
	searching bool
	searchAt  time.Time
	searches  int // in a row that have found nothing
}

// relayKey returns what tells servers apart.
func relayKey(u relay.URI) string {
	return net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
}

// want sets how many allocations are wanted.
func (p *relayPlan) want(now time.Time, n int) {
	if n < p.held() && (p.spared.IsZero() || p.wants > n) {
		p.spared = now
	}
	p.wants = n
	if n >= p.held() {
		p.spared = time.Time{}
	}
}

// learn adds a server, and reports whether it was unknown. A full plan forgets the one that
// failed most.
func (p *relayPlan) learn(s RelayServer) bool {
	key := relayKey(s.URI)
	worst := -1
	for i, e := range p.list {
		if e.key == key {
			e.server = s
			return false
		}
		if e.state == relayIdle && e.failures > 0 &&
			(worst < 0 || e.failures > p.list[worst].failures) {
			worst = i
		}
	}
	e := &relayEntry{server: s, key: key}
	switch {
	case len(p.list) < relaysMax:
		p.list = append(p.list, e)
	case worst >= 0:
		p.list = append(append(p.list[:worst:worst], p.list[worst+1:]...), e)
	default:
		return false
	}
	p.searches = 0
	return true
}

// searched records the end of a search for servers.
func (p *relayPlan) searched(now time.Time) {
	p.searching = false
	p.searchAt = now.Add(min(relaySearch<<min(p.searches, 8), relaySearchMax))
	p.searches++
}

// A relayOrder is what has to be done: servers to ask for an allocation, and whether to search
// for more of them. next is when the plan has to be asked again, if nothing happens; zero means
// never.
type relayOrder struct {
	ask    []RelayServer
	search bool
	next   time.Time
}

// order returns what is due, and counts it as begun.
func (p *relayPlan) order(now time.Time) (o relayOrder) {
	later := func(at time.Time) {
		if o.next.IsZero() || at.Before(o.next) {
			o.next = at
		}
	}
	if p.wants == 0 {
		return o
	}
	for p.held()+p.hopeful(now, later) < p.wants && p.count(relayAsking) < relayAskingMax {
		e := p.best(now)
		if e == nil {
			break
		}
		e.state, e.since = relayAsking, now
		o.ask = append(o.ask, e.server)
	}
	ready := 0
	for _, e := range p.list {
		switch {
		case e.state != relayIdle:
		case e.next.After(now):
			later(e.next)
		default:
			ready++
		}
	}
	if p.held()+p.count(relayAsking)+ready >= p.wants+relaysSpare || p.searching {
		return o
	}
	if p.searchAt.After(now) {
		later(p.searchAt)
		return o
	}
	p.searching, o.search = true, true
	return o
}

// hopeful counts the servers that are asked and have not taken long yet. later is told when one
// of them will have.
func (p *relayPlan) hopeful(now time.Time, later func(time.Time)) (n int) {
	for _, e := range p.list {
		if until := e.since.Add(relayHedge); e.state == relayAsking && until.After(now) {
			n++
			later(until)
		}
	}
	return n
}

// best returns the server to ask next: of those that failed least, the first one that was named.
func (p *relayPlan) best(now time.Time) (best *relayEntry) {
	for _, e := range p.list {
		if e.state == relayIdle && !e.next.After(now) &&
			(best == nil || e.failures < best.failures) {
			best = e
		}
	}
	return best
}

// opened records that a server lends us an address. It reports false if that is not wanted
// any more.
func (p *relayPlan) opened(now time.Time, s RelayServer) bool {
	e := p.find(s)
	if e == nil || p.held() >= p.wants {
		p.idle(e, now)
		return false
	}
	e.state, e.since = relayHeld, now
	return true
}

// failed records that a server was asked and lends us nothing.
func (p *relayPlan) failed(now time.Time, s RelayServer, err error) {
	e := p.find(s)
	if e == nil {
		return
	}
	p.idle(e, now)
	e.failures++
	wait := min(relayRetry<<min(e.failures-1, 8), relayRetryMax)
	switch {
	case errors.Is(err, relay.ErrFull), errors.Is(err, relay.ErrQuota):
		wait = max(wait, relayFullWait)
	case errors.Is(err, relay.ErrCredentials), errors.Is(err, relay.ErrForbidden):
		wait = max(wait, relayRefusedWait)
	}
	e.next = now.Add(wait)
}

// lost records that an allocation has ended by itself.
func (p *relayPlan) lost(now time.Time, s RelayServer) {
	if e := p.find(s); e != nil && now.Sub(e.since) >= relaySteady {
		e.failures = 0
	}
	p.failed(now, s, relay.ErrGone)
}

// surplus returns how many allocations should be given back now, and when to look again.
func (p *relayPlan) surplus(now time.Time) (n int, next time.Time) {
	if n = p.held() - p.wants; n <= 0 {
		return 0, time.Time{}
	}
	if at := p.spared.Add(relayLinger); at.After(now) {
		return 0, at
	}
	return n, time.Time{}
}

// gaveBack records that an allocation was given back.
func (p *relayPlan) gaveBack(now time.Time, s RelayServer) {
	e := p.find(s)
	p.idle(e, now)
	if e != nil {
		e.failures = 0
	}
}

// moved makes every server one to be asked at once: our network has changed.
func (p *relayPlan) moved(now time.Time) {
	for _, e := range p.list {
		e.failures, e.next = 0, now
	}
	p.searchAt, p.searches = now, 0
}

// idle ends what is done with a server, which may be nil.
func (p *relayPlan) idle(e *relayEntry, now time.Time) {
	if e != nil {
		e.state, e.since = relayIdle, now
	}
}

// find returns the entry of a server, or nil.
func (p *relayPlan) find(s RelayServer) *relayEntry {
	key := relayKey(s.URI)
	for _, e := range p.list {
		if e.key == key {
			return e
		}
	}
	return nil
}

// held returns how many servers lend us an address.
func (p *relayPlan) held() int { return p.count(relayHeld) }

// count returns how many servers are in a state.
func (p *relayPlan) count(s relayState) (n int) {
	for _, e := range p.list {
		if e.state == s {
			n++
		}
	}
	return n
}
