package core

import (
	"time"

	"swarmnode/swarm/book"
)

const (
	// silenceMin is how long a peer that sends us blocks may be silent, until we
	// dial it again to find out whether the path is dead, and keep whichever
	// connection answers. A peer that is slow may take as long as silenceBlocks
	// blocks take at its rate, and silenceTrips round trips.
	silenceMin = 3 * time.Second
	// nudgeAfter is how long it may be silent until we say something, once a
	// second: a router that has forgotten the connection learns of it again, or the
	// other end says at once that it knows no such connection.
	nudgeAfter = time.Second
	// seekAfter is how long it may be silent until the driver seeks it elsewhere.
	seekAfter     = 1500 * time.Millisecond
	silenceBlocks = 8
	silenceTrips  = 4
	// probeFirst is the wait after a probe that failed. It doubles with each; there are
	// no more once the peer is snubbed.
	probeFirst = time.Second
	// seekFirst is the least time between two Seeks of a torrent. It doubles with each, up
	// to seekLast, and is seekFirst again after a time without any of twice seekLast.
	seekFirst = 3 * time.Second
	seekLast  = time.Minute
	// probesMax bounds the probes that are under way.
	probesMax = 4
	// twinSilence is the least silence of a peer after which another one with its
	// id at another address is let in.
	twinSilence = 250 * time.Millisecond
	// settledAfter is how old a connection is when another one of the same peer
	// is no simultaneous dial, but means that the peer has lost the first.
	settledAfter = 5 * time.Second
)

// A probe is the search for another path to a peer that has fallen silent.
type probe struct {
	dialling bool
	tries    int           // those that failed
	next     time.Duration // not before
}

// sweep dials a peer again that ought to send us blocks and has fallen silent.
func (d *dialer) sweep(now time.Duration, p *peer) {
	if p.ask.waiting() == 0 || p.chokesUs() || p.ask.snubs() || !p.trust.isProven() {
		return
	}
	silence, rate := now-max(p.silence.lastHeard(), p.ask.lastMoved()), p.down.rate(now)
	if silence < nudgeAfter || rate <= 0 || silence < wait(rate, silenceBlocks) {
		return
	}
	d.out.sendID(p, keepAlive)
	if silence < silenceTrips*p.ask.roundTrip() {
		return
	}
	if silence >= seekAfter {
		d.seek.look(d.out, now)
	}
	if silence >= silenceMin {
		d.again(now, p)
	}
}

// unacked looks for a peer that acknowledges nothing of what we send, and dials it again. It
// asked us for blocks, and may be elsewhere or behind a router that has forgotten us.
func (d *dialer) unacked(now time.Duration, p *peer) {
	if p.up.sum() == 0 || p.isServer() {
		return
	}
	d.seek.look(d.out, now)
	d.again(now, p)
}

// again dials a silent peer where it was, unless that is under way or too soon.
func (d *dialer) again(now time.Duration, p *peer) {
	if p.probe.dialling || now < p.probe.next || d.probes() >= probesMax {
		return
	}
	if again, ok := d.book.Again(now, p.listen, book.Conn(p.ref)); ok {
		p.probe.dialling = true
		d.give(now, again)
	}
}

// A seeker paces the Seeks of a torrent.
type seeker struct {
	next time.Duration // not before
	wait time.Duration // before the one after that
}

// look gives out a Seek, unless the last one was too soon.
func (s *seeker) look(out *outbox, now time.Duration) {
	if now < s.next {
		return
	}
	if now-s.next >= 2*seekLast || s.wait == 0 {
		s.wait = seekFirst
	}
	s.next = now + s.wait
	s.wait = min(2*s.wait, seekLast)
	out.do(Action{Kind: Seek})
}

// probes counts the probes that are under way.
func (d *dialer) probes() (n int) {
	for _, p := range d.peers.all() {
		if p.probe.dialling {
			n++
		}
	}
	return n
}

// probed records that an attempt failed while its peer was connected by conn, which is
// 0 if the peer was not. If the attempt was a probe, the next one waits.
func (d *dialer) probed(now time.Duration, conn book.Conn) {
	p := d.peers.live(PeerRef(conn))
	if p == nil || !p.probe.dialling {
		return
	}
	p.probe.dialling = false
	d.want(now) // it may be elsewhere by now
	p.probe.next = now + probeFirst<<min(p.probe.tries, 4)
	p.probe.tries++
}

// lostPath reports whether the peer at the other end of a new connection can be taken
// to have lost p, an earlier one: the two were not made at the same time, and nothing
// comes by p.
func (p *peer) lostPath(now time.Duration) bool {
	return now-p.since > settledAfter && now-p.silence.lastHeard() > quietAfter
}

// fellSilent reports whether a peer that sends us blocks has been silent for longer
// than between blocks, so that it may well be the one that comes from another
// address.
func (p *peer) fellSilent(now time.Duration) bool {
	silence := now - p.silence.lastHeard()
	return silence > quietAfter || silence > twinSilence &&
		silence > wait(max(p.down.rate(now), 1), silenceBlocks)
}
