package book

import (
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
)

const (
	// failuresMax is how often an attempt may fail before its endpoint is forgotten.
	// What the user named never is.
	failuresMax = 6

	// The wait after a failure doubles from the first to the last.
	retryFirst = 5 * time.Second
	retryLast  = 30 * time.Minute
	// What the user named is tried again after a second for namedSteady times, and then
	// after a quarter more each time, up to namedLast. So a peer that comes late is met
	// after a quarter of the time that it was awaited.
	namedFirst  = time.Second
	namedLast   = 30 * time.Second
	namedSteady = 4
	// putOffFor is how long an endpoint waits when a limit of the driver was in the way.
	putOffFor = 10 * time.Second

	// againAfter is the wait before a peer that was connected is dialled again.
	againAfter = 2 * time.Second
	// upgradeAfter is the same for a peer that we want to meet by another info-hash: time for
	// it to see the end of the first connection.
	upgradeAfter = 200 * time.Millisecond
	// unwantedAfter is the least wait after a connection that we ended ourselves.
	unwantedAfter = 8 * time.Second
	// steadyAfter is how old a connection is that was worth making although nothing
	// moved: failures before it no longer count.
	steadyAfter = time.Minute

	// faithfulFor is how long an endpoint at which blocks moved is tried more often than
	// others when its connection is lost: an outage passes, an address that was taken
	// comes back.
	faithfulFor = 10 * time.Minute
	// The wait between the attempts doubles from soonFirst to soonLast, and is soonLater
	// when soonFor is over.
	soonFirst = 250 * time.Millisecond
	soonLast  = 5 * time.Second
	soonLater = 30 * time.Second
	soonFor   = time.Minute
	// refusedTries is how often a faithful endpoint is tried again soon although it takes
	// a connection and ends it without a block: the other side may still believe in the
	// old connection.
	refusedTries = 5
)

// A state says what is under way with an entry.
type state uint8

const (
	stateIdle state = iota
	stateDialling
	stateConnected
	stateSelf // it is our own
)

// An entry is what is known of one endpoint.
type entry struct {
	endpoint     endpoint.Endpoint
	host         *host      // of endpoint
	teller       netip.Addr // the source of the peer that told of it first, if one did
	source       Source     // who told of it first
	state        state
	fault        Fault // how the last attempt failed; FaultNone after a handshake
	failures     uint8 // since it was last useful
	tries        uint8 // attempts since the connection was lost, while it is faithful
	proven       bool  // a handshake went well
	vouched      bool  // a private torrent may dial it
	seed         bool  // it had everything when last seen
	rumouredSeed bool  // others say that it has everything
	reach        reach
	counted      bool // its last dial counts as one by rumour
	arranged     bool // its last dial was by introduction
	lent         bool // and counts as one
	claimed      bool // Claim has put off a dial of it
	again        bool // Moved came while it was dialled: a dial put off is tried at once
	conn         Conn // while it is connected; of the last Claim while it is idle
	priority     uint32

	next time.Duration // not to be dialled before
	met  time.Duration // when it was connected last, if it is proven
	left time.Duration // when Deserted was true last; 0: never
	// When blocks moved here last, or we hung up on a proven peer only to connect again; 0:
	// never, or not to be counted on.
	delivered time.Duration
}

// faithful reports whether blocks moved at the endpoint not long ago.
func (e *entry) faithful(now time.Duration) bool {
	return e.delivered > 0 && now-e.delivered < faithfulFor
}

// retrySoon plans the next attempt at a faithful endpoint: the connection broke, or an
// attempt failed.
func (e *entry) retrySoon(now, jitter time.Duration) {
	wait := min(soonFirst<<min(e.tries, 8), soonLast)
	if now-e.delivered > soonFor {
		wait = soonLater
	}
	e.tries = min(e.tries+1, 100)
	e.next = now + wait + jitter%(wait/4+1)
}

// Connected records that a handshake at an endpoint went well. The endpoint of an
// incoming connection does not say where the peer can be reached.
func (b *Book) Connected(now time.Duration, at endpoint.Endpoint, conn Conn, outgoing bool) {
	if e := b.byEndpoint[at]; outgoing && e != nil {
		b.setState(e, stateConnected)
		e.conn, e.met, e.fault = conn, now, FaultNone
		b.prove(e, true)
		b.reached(at.Host())
	}
}

// Joined records that the peer that says to be reached at an endpoint is connected.
func (b *Book) Joined(now time.Duration, at endpoint.Endpoint, conn Conn) {
	if e := b.byEndpoint[at]; e != nil && e.state != stateSelf {
		b.setState(e, stateConnected)
		e.conn, e.met = conn, now
	}
}

// Claim puts off the dial of an endpoint until next, because the peer of the connection conn says
// to be reached there as well. Anybody can say so of anybody: the dial is put off once, and never
// that of an endpoint which the user has named.
func (b *Book) Claim(next time.Duration, at endpoint.Endpoint, conn Conn) {
	e := b.byEndpoint[at]
	if e == nil || e.state != stateIdle {
		return
	}
	if !e.claimed && e.source != SourceUser {
		e.next = max(e.next, next)
	}
	e.claimed, e.conn = true, conn
}

// Free lets an endpoint be dialled from next on although it was said to be that of the
// connection conn, which has ended or does not work. It puts no dial off.
func (b *Book) Free(next time.Duration, at endpoint.Endpoint, conn Conn) {
	e := b.byEndpoint[at]
	switch {
	case e == nil || e.conn != conn:
	case e.state == stateConnected:
		b.setState(e, stateIdle)
		e.conn, e.next = 0, next
	case e.state == stateIdle && e.claimed:
		e.conn, e.next = 0, min(e.next, next)
	}
}

// Self records that at is our own.
func (b *Book) Self(at endpoint.Endpoint) {
	if e := b.byEndpoint[at]; e != nil {
		b.setState(e, stateSelf)
	}
}

// An End is why a connection ended.
type End uint8

// The ends.
const (
	EndLeft     End = iota // the peer left, or stayed on another connection
	EndRefresh             // a new connection is wanted later, by no fault of the peer
	EndUpgrade             // we want to meet the peer by another info-hash
	EndUnwanted            // it was of no use, or misbehaved
)

// A Parting says how a connection ended.
type Parting struct {
	Conn     Conn
	At       endpoint.Endpoint // the other end
	Listen   endpoint.Endpoint // where the peer accepts connections, if known
	Since    time.Duration     // connected
	Down, Up int64             // payload bytes
	Seed     bool              // the peer had everything
	Broken   bool              // the connection was lost, and closed by neither side
	End      End
}

// moved reports whether blocks moved by the connection.
func (p *Parting) moved() bool { return p.Down+p.Up > 0 }

// Closed records that a connection ended, and plans when to dial its endpoints again.
func (b *Book) Closed(now time.Duration, p Parting) {
	for _, at := range [...]endpoint.Endpoint{p.Listen, p.At} {
		e := b.byEndpoint[at]
		if e == nil || e.state != stateConnected || e.conn != p.Conn {
			continue
		}
		b.setState(e, stateIdle)
		e.conn = 0
		e.seed, e.met = p.Seed, now
		if p.Down > 0 {
			b.prove(e, true)
		}
		if p.moved() || now-p.Since >= steadyAfter {
			e.failures = 0
		}
		e.next = now + againAfter
		if e.parted(now, &p) {
			continue
		}
		switch p.End {
		case EndUpgrade:
			e.next, e.seed = now+upgradeAfter, false
		case EndRefresh:
			// The peer was there until we hung up: rumours about its neighbours do not
			// take the place of this dial.
			if e.proven {
				e.delivered, e.tries = max(now, 1), 0
			}
		case EndLeft:
			// A peer that hangs up at once each time is as one that fails.
			if !p.moved() {
				b.failed(e, now, now%retryFirst)
			}
		default:
			e.failures = max(e.failures, 3)
			b.failed(e, now, now%retryFirst)
			e.next = max(e.next, now+unwantedAfter)
		}
	}
}

// parted records whether blocks moved at the endpoint of e by the connection that
// ended. It reports whether that settles when e is dialled again. A peer that takes
// connections and ends them without a block wants no others.
func (e *entry) parted(now time.Duration, p *Parting) bool {
	if !p.moved() {
		if e.faithful(now) && e.tries > 0 && e.tries < refusedTries {
			e.retrySoon(now, 0)
			return true
		}
		e.delivered = 0
		return false
	}
	if p.End != EndLeft && p.End != EndRefresh {
		return false
	}
	e.delivered, e.tries = max(now, 1), 0
	if p.Broken {
		e.retrySoon(now, 0)
	}
	return p.Broken
}

// Failed records that an attempt to meet a peer failed. If the peer has been connected
// meanwhile, or still is, it returns that connection.
func (b *Book) Failed(now time.Duration, at endpoint.Endpoint, fault Fault) Conn {
	return b.ended(at, func(e *entry) {
		e.fault = fault
		b.failed(e, now, time.Duration(b.cfg.Rand.Int64N(int64(time.Minute))))
	})
}

// PutOff records that a limit of the driver was in the way of an attempt, which says
// nothing of the endpoint. If the peer has been connected meanwhile, or still is, it
// returns that connection. The endpoint waits a while, unless Moved came during the attempt.
func (b *Book) PutOff(now time.Duration, at endpoint.Endpoint) Conn {
	return b.ended(at, func(e *entry) {
		if e.again {
			e.next = now
			return
		}
		e.next = now + putOffFor + time.Duration(b.cfg.Rand.Int64N(int64(putOffFor/4)))
	})
}

// ended ends the attempt to meet the peer at an endpoint: plan says when to try again.
func (b *Book) ended(at endpoint.Endpoint, plan func(e *entry)) Conn {
	e := b.byEndpoint[at]
	switch {
	case e == nil:
	case e.state == stateConnected:
		return e.conn
	case e.state == stateDialling:
		b.setState(e, stateIdle)
		plan(e)
		e.again = false
	}
	return 0
}

// failed puts the next attempt off, by up to a fifth more than the plan so that
// attempts spread. An endpoint at which too many failed is forgotten.
func (b *Book) failed(e *entry, now, jitter time.Duration) {
	if e.faithful(now) {
		e.retrySoon(now, jitter)
		return
	}
	wait := min(retryLast, retryFirst<<min(e.failures, 12))
	if e.source == SourceUser {
		wait = namedWait(int(e.failures))
	}
	e.next = now + wait + jitter%(wait/5+1)
	e.failures = min(e.failures+1, 100)
	if !e.proven && e.source != SourceUser {
		b.missed(e.endpoint.Host(), now)
	}
	if e.failures > failuresMax && e.source != SourceUser && !e.proven {
		b.forgotten++
		b.forget(e)
	}
}

// namedWait returns the wait before what the user named is dialled again.
func namedWait(failures int) time.Duration {
	wait := namedFirst
	for range failures - namedSteady + 1 {
		if wait += wait / 4; wait >= namedLast {
			return namedLast
		}
	}
	return wait
}

// setState is the only way of an entry from one state into another.
func (b *Book) setState(e *entry, s state) {
	if e.state == stateDialling {
		b.dialling--
		b.byDial[e.source]--
		e.host.dialling--
	}
	if s == stateDialling {
		b.dialling++
		b.byDial[e.source]++
		e.host.dialling++
	}
	e.state = s
}
