package core

import (
	"math"
	"time"
)

// timer names a deadline of the torrent.
type timer uint8

// The deadlines.
const (
	timerSweep    timer = iota // peers are checked for what is late
	timerUpload                // the upload policy looks again
	timerRefill                // peers are asked for more blocks
	timerDial                  // the next Dial is allowed or due
	timerMetadata              // metadata requests that are late
	timerHashes                // hash requests that are late
	timerPunch                 // introducers are asked
	timerCount
)

const never = time.Duration(math.MaxInt64)

// sweepEvery is the time between two sweeps. What a sweep finds is late by tens of
// seconds.
const sweepEvery = time.Second

// timers is the table of deadlines.
type timers struct {
	at [timerCount]time.Duration
}

func newTimers() timers {
	var ts timers
	for i := range ts.at {
		ts.at[i] = never
	}
	return ts
}

// by makes a deadline at or earlier.
func (ts *timers) by(which timer, at time.Duration) { ts.at[which] = min(ts.at[which], at) }

// set makes a deadline at, earlier or later than it was.
func (ts *timers) set(which timer, at time.Duration) { ts.at[which] = at }

// due reports whether a deadline has passed, and clears it.
func (ts *timers) due(which timer, now time.Duration) bool {
	if ts.at[which] > now {
		return false
	}
	ts.at[which] = never
	return true
}

// next returns the earliest deadline.
func (ts *timers) next() time.Duration {
	earliest := never
	for _, at := range ts.at {
		earliest = min(earliest, at)
	}
	return earliest
}

// expire does the work of the deadlines that have passed.
func (t *Torrent) expire() {
	if t.timers.due(timerSweep, t.now) {
		t.sweep()
	}
	if t.timers.due(timerUpload, t.now) {
		t.choker.Expire(t.now)
		t.carryOut()
	}
	if t.timers.due(timerMetadata, t.now) {
		t.meta.ask(t.now)
	}
	if t.timers.due(timerHashes, t.now) {
		t.hashes.ask(t.now)
	}
	if t.timers.due(timerDial, t.now) {
		t.dialer.dial(t.now)
	}
	if t.timers.due(timerPunch, t.now) {
		t.punch.expire(t.now)
	}
	if t.timers.due(timerRefill, t.now) {
		t.requests.refillAll(t.now)
	}
}

// sweep checks every peer for what is late.
func (t *Torrent) sweep() {
	for _, p := range t.peers.snapshot() {
		t.sweepPeer(p)
	}
	t.choker.Swept(t.now)
	t.carryOut()
	if t.peers.count() > 0 {
		t.timers.by(timerSweep, t.now+sweepEvery)
	}
}

// sweepPeer drops a peer that is idle, floods or is useless, and otherwise does what is
// due once a second.
func (t *Torrent) sweepPeer(p *peer) {
	switch {
	case p.silence.idle(t.now):
		t.drop(p, ReasonIdle)
		return
	case p.flood.over(t.now):
		t.drop(p, ReasonFlood)
		return
	case t.useless(p):
		t.drop(p, ReasonUseless)
		return
	}
	if p.silence.keepAlive(t.now) {
		t.out.sendID(p, keepAlive)
	}
	if !p.isServer() && p.silence.wake(t.now) {
		t.out.sendID(p, keepAlive)
	}
	if !t.relays.sweep(t, p) {
		return
	}
	t.dialer.sweep(t.now, p)
	t.requests.sweep(p, t.now)
	t.pex.sweep(t.now, p)
	p.answer.sweep()
	t.choker.Sweep(t.now, p.slot, p.up.recent(t.now))
}
