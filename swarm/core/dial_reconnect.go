package core

import (
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// faithfulFor is how long an address at which blocks moved is tried more
	// often than others when its connection is lost: an outage passes, an address
	// that was taken comes back.
	faithfulFor = 10 * time.Minute
	// The wait between the tries doubles from soonFirst to soonLast, and is
	// soonLater when the first minute is over.
	soonFirst = 250 * time.Millisecond
	soonLast  = 5 * time.Second
	soonLater = 30 * time.Second
	soonFor   = time.Minute
	// faithfulDials is how often such addresses of one source may be dialled within
	// faithfulWindow. They are no innocent hosts that somebody has named.
	faithfulDials  = 20
	faithfulWindow = time.Minute

	// silenceMin is how long a peer that sends us blocks may be silent, until we
	// dial it again to find out whether the path is dead, and keep whichever
	// connection answers. A peer that is slow may take as long as silenceBlocks
	// blocks take at its rate, and silenceTrips round trips.
	silenceMin = 3 * time.Second
	// nudgeAfter is how long it may be silent until we say something, once a
	// second: a router that has forgotten the connection learns it anew, or the
	// other end says at once that it knows no such connection.
	nudgeAfter    = time.Second
	silenceBlocks = 8
	silenceTrips  = 4
	// probeFirst is the wait after a vain try. It doubles with each; there are no
	// more once the peer is snubbed.
	probeFirst = time.Second
	// probesMax bounds the tries that are under way.
	probesMax = 4
	// twinSilence is the least silence of a peer after which another one with its
	// id at another address is let in.
	twinSilence = 250 * time.Millisecond
	// refusedTries is how often a faithful address is tried again soon although
	// it takes a connection and ends it without a block: the other side may
	// believe in the old one still.
	refusedTries = 5
	// settledAfter is how old a connection is when another one of the same peer
	// is no simultaneous dial, but means that the peer has lost the first.
	settledAfter = 5 * time.Second
)

// A probe is the search for another path to a peer that has fallen silent.
type probe struct {
	dialling bool
	tries    int
	next     time.Duration // not before
}

// faithful reports whether blocks moved at the address not long ago.
func (e *entry) faithful(now time.Duration) bool {
	return e.delivered > 0 && now-e.delivered < faithfulFor
}

// lost plans the next dial of a faithful address: the connection broke, or a dial
// has failed.
func (e *entry) lost(now, jitter time.Duration) {
	wait := min(soonFirst<<min(e.tries, 8), soonLast)
	if now-e.delivered > soonFor {
		wait = soonLater
	}
	e.tries = min(e.tries+1, 100)
	e.next = now + wait + jitter%(wait/4+1)
}

// parted notes for e that a connection ended at which blocks moved or did not,
// and reports whether that settles when it is dialled again. A peer that takes
// connections and ends them without a block wants no others.
func (e *entry) parted(p *peer, reason Reason, broken bool, now time.Duration) bool {
	if p.down.sum()+p.up.sum() == 0 {
		if e.faithful(now) && e.tries > 0 && e.tries < refusedTries {
			e.lost(now, 0)
			return true
		}
		e.delivered = 0
		return false
	}
	if reason != ReasonNone && reason != ReasonIdle && reason != ReasonDuplicate &&
		reason != ReasonRefresh {
		return false
	}
	e.delivered, e.tries = max(now, 1), 0
	if broken {
		e.lost(now, 0)
	}
	return broken
}

// onMoved records that our own addresses have changed. Connections may be dead
// without a word, and those who know us by an address may not find us: whom we
// know to be there is dialled at once.
func (t *Torrent) onMoved() {
	t.dialer.counts, t.dialer.rumours = map[netip.Addr]int{}, limit.NewRumours(t.cfg.Home)
	for _, e := range t.book.list {
		if e.state == entryIdle && e.good || e.faithful(t.now) {
			e.next, e.tries = min(e.next, t.now), 0
		}
	}
	t.timers.by(timerDial, t.now)
}

// sweepPath dials a peer again that ought to send us blocks and has fallen
// silent.
func (t *Torrent) sweepPath(p *peer) {
	if p.ask.waiting() == 0 || p.chokesUs() || p.ask.snubs() || !p.trust.isProven() {
		return
	}
	silence, rate := t.now-max(p.silence.lastHeard(), p.ask.lastMoved()), p.down.rate(t.now)
	if silence < nudgeAfter || rate <= 0 || silence < wait(rate, silenceBlocks) {
		return
	}
	t.out.sendID(p, keepAlive)
	if p.probe.dialling || t.now < p.probe.next || silence < silenceMin ||
		silence < silenceTrips*p.ask.roundTrip() {
		return
	}
	e := t.book.byEndpoint[p.listen]
	if e == nil || e.state != entryConnected || e.peer != p.ref || t.probes() >= probesMax ||
		!t.dialer.insists(e.endpoint.Host()) {
		return
	}
	p.probe.dialling = true
	e.delivered = max(t.now, 1)
	t.spend(e, limit.ByItself)
	t.out.do(Action{Kind: Dial, Endpoint: e.endpoint, Told: limit.ByItself})
}

// probes counts the tries that are under way.
func (t *Torrent) probes() (n int) {
	for _, p := range t.peers.all() {
		n += ifThen(p.probe.dialling, 1, 0)
	}
	return n
}

// probed notes that another dial to the peer that is connected at e came to
// nothing.
func (t *Torrent) probed(e *entry) {
	p := t.peers.live(e.peer)
	if p == nil || !p.probe.dialling {
		return
	}
	p.probe.dialling = false
	t.wantPeers() // it may be elsewhere by now
	p.probe.next = t.now + probeFirst<<min(p.probe.tries, 4)
	p.probe.tries++
}

// gaveUp reports whether the peer at the other end of a new connection can be taken
// to have lost old, an earlier one: it is not one of two that were made at the
// same time, and nothing comes by it.
func (t *Torrent) gaveUp(old *peer) bool {
	return t.now-old.since > settledAfter && t.now-old.silence.lastHeard() > quietAfter
}

// fellSilent reports whether a peer that sends us blocks has been silent for longer
// than between blocks, so that it may well be the one that comes from another
// address.
func (t *Torrent) fellSilent(p *peer) bool {
	silence := t.now - p.silence.lastHeard()
	return silence > quietAfter || silence > twinSilence && silence > wait(max(p.down.rate(t.now),
		1), silenceBlocks)
}

// moveAsks has what was asked of old asked elsewhere, since a peer that says to be
// the same came from another address and nothing comes from old.
func (t *Torrent) moveAsks(old *peer) {
	if old.ask.waiting() > 0 && t.fellSilent(old) {
		t.requests.elsewhere(old, t.now)
	}
}
