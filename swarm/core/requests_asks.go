package core

import (
	"time"

	"swarmnode/swarm/block"
)

const (
	// asksFirst is how many blocks a peer is asked for to begin with, and the
	// number grows by one with each that comes: it doubles every round trip.
	asksFirst = 8
	// asksMin and asksMax bound the requests out to one peer.
	asksMin = 4
	asksMax = 1024
	// asksServer is what asksFirst is for web seeds: a megabyte, since each
	// request of theirs costs a round trip in which nothing comes.
	asksServer = 64
	// asksAhead is how much more than a round trip's worth is asked for, so
	// that the sender's queue never runs dry.
	asksAhead = time.Second
	// refusedMax is how many requests in a row a peer may reject, choking us or
	// not, before it is left alone for a while.
	refusedMax = 64
	// backoffFirst and backoffLast bound the pause of a peer that was snubbed,
	// or rejects what we ask for. It doubles with each.
	backoffFirst = 5 * time.Second
	backoffLast  = 5 * time.Minute
	// wholeWithin is how long a piece may take a peer that fetches whole pieces.
	wholeWithin = 10 * time.Second
)

// askState is where a request stands that was not answered yet.
type askState uint8

const (
	askLive      askState = iota // we wait for it
	askReleased                  // asked elsewhere, but welcome
	askCancelled                 // not wanted any more
)

// An ask is one request that was not answered yet.
type ask struct {
	ref     block.Ref
	at      time.Duration // when it was sent, revived or cancelled
	state   askState
	revived bool // it was given up once, and lives again
}

// asks are the requests out to one peer, oldest first. Only the files of the
// requests change them, so that live is counted in requests too.
//
//	live <= len(unanswered())
//	live <= target, but for requests that were out when target became smaller
type asks struct {
	queue  []ask
	head   int // queue[:head] is answered
	live   int
	next   uint32 // the piece after the last that was begun
	onward bool   // pieces should follow next in order

	choking bool          // the peer chokes us
	choked  time.Duration // when it choked us last

	target  float64       // live requests to have
	growing bool          // as in the slow start of TCP
	rtt     time.Duration // shortest time from a request to its block; 0: unknown
	rate    int64         // bytes per second at the last sweep
	moved   time.Duration // when a block came last, or the first request of a row went out
	snubbed bool
	refused int           // rejects since a block came
	backoff time.Duration // the next pause
	until   time.Duration // no requests before
	refusal int64         // the piece whose reject set until; -1 for other reasons
}

// newAsks returns the requests to a new peer, which is asked for first blocks to begin
// with. Every peer chokes us at first (BEP 3).
func newAsks(first int) asks {
	return asks{choking: true, target: float64(first), growing: true, backoff: backoffFirst,
		refusal: -1}
}

// unanswered returns the requests that were not answered yet.
func (a *asks) unanswered() []ask { return a.queue[a.head:] }

// waiting returns how many blocks we wait for.
func (a *asks) waiting() int { return a.live }

// snubs reports whether the peer leaves our requests without any block.
func (a *asks) snubs() bool { return a.snubbed }

// isPaused reports whether the peer is asked for nothing for a while.
func (a *asks) isPaused(now time.Duration) bool { return now < a.until }

// lastMoved returns when a block came last, or the first request of a row went out.
func (a *asks) lastMoved() time.Duration { return a.moved }

// roundTrip returns the shortest time from a request to its block, 0 if none came.
func (a *asks) roundTrip() time.Duration { return a.rtt }

// readOn makes pieces be asked for in a row from now on.
func (a *asks) readOn() { a.onward = true }

func (a *asks) push(r block.Ref, now time.Duration) {
	if a.head > 64 && a.head*2 > len(a.queue) {
		a.queue = a.queue[:copy(a.queue, a.queue[a.head:])]
		a.head = 0
	}
	if a.live == 0 {
		a.moved = now
	}
	a.queue = append(a.queue, ask{ref: r, at: now})
	a.live++
}

// revive makes a request live again that was given up too early, and reports
// whether there was one for r.
func (a *asks) revive(r block.Ref, now time.Duration) bool {
	if a.live == len(a.unanswered()) {
		return false
	}
	for i := range a.unanswered() {
		o := &a.unanswered()[i]
		if o.ref != r || o.state != askReleased || o.revived {
			continue
		}
		if a.live == 0 {
			a.moved = now
		}
		o.state, o.at, o.revived = askLive, now, true
		a.live++
		return true
	}
	return false
}

// find returns the index in unanswered of the request for r in the best state, or of
// the oldest one; -1 if there is none.
func (a *asks) find(r block.Ref, oldest bool) int {
	found := -1
	for i, o := range a.unanswered() {
		if o.ref != r {
			continue
		}
		if oldest || o.state == askLive {
			return i
		}
		if found < 0 || o.state < a.unanswered()[found].state {
			found = i
		}
	}
	return found
}

// remove takes the i-th unanswered request out.
func (a *asks) remove(i int) ask {
	open := a.unanswered()
	o := open[i]
	if o.state == askLive {
		a.live--
	}
	copy(open[1:i+1], open[:i]) // blocks come in order: i is 0 nearly always
	a.head++
	return o
}

// forget removes requests that will hardly be answered.
func (a *asks) forget(now time.Duration) {
	for i := 0; i < len(a.unanswered()); i++ {
		o := &a.unanswered()[i]
		age := now - o.at
		if o.state == askCancelled && age >= forgetAfter ||
			o.state == askReleased && age >= lostAfter {
			a.remove(i)
			i-- // the next one is there now
		}
	}
	if a.head == len(a.queue) {
		a.queue, a.head = a.queue[:0], 0
	}
}

// came notes that a block came for the request o.
func (a *asks) came(o ask, now time.Duration) {
	if o.state == askLive {
		if took := max(now-o.at, time.Microsecond); a.rtt == 0 || took < a.rtt {
			a.rtt = took
		}
		if a.growing {
			a.target = min(a.target+1, asksMax)
		}
	}
	a.moved = now
	a.snubbed, a.backoff, a.refused = false, backoffFirst, 0
	a.until = min(a.until, now)
}

// unchoked records that the peer chokes us no more. The rate of a time that is over
// says nothing of the rate now.
func (a *asks) unchoked() {
	a.choking = false
	if !a.snubbed && a.live == 0 {
		a.target, a.growing, a.rate = max(a.target, asksFirst), true, 0
	}
}

// pause puts off further requests.
func (a *asks) pause(now time.Duration) {
	a.until, a.refusal = now+a.backoff, -1
	a.backoff = min(2*a.backoff, backoffLast)
}

// snub begins a pause because requests were left without any block.
func (a *asks) snub(now time.Duration) {
	a.snubbed, a.target = true, 1
	a.pause(now)
}

// refuse records that the peer has rejected a request for a piece, which was in
// state when the reject came. Lacks says that the peer has said already that it
// lost the piece.
func (a *asks) refuse(piece uint32, state askState, lacks bool, now time.Duration) {
	a.refused++
	if state != askReleased || now < a.until || a.refused < refusedMax && lacks {
		return
	}
	if !a.choking || a.refused >= refusedMax {
		a.pause(now)
		a.refusal = int64(piece)
	}
}

// explained ends the pause that the reject of a piece began: the peer says that it
// has lost the piece, so that others are worth asking for. It reports whether there
// was such a pause.
func (a *asks) explained(piece uint32, now time.Duration) bool {
	if a.refusal != int64(piece) || a.refused >= refusedMax {
		return false
	}
	a.until, a.refusal = min(a.until, now), -1
	a.backoff = max(a.backoff/2, backoffFirst)
	return true
}

// adapt sets the target by what came within the last seconds.
func (a *asks) adapt(recent int64) {
	if a.snubbed {
		a.target = 1
		return
	}
	if a.growing && (recent == 0 || float64(recent) > 1.1*float64(a.rate)) {
		a.rate = recent
		return
	}
	a.growing = false
	a.rate = recent
	ahead := (min(a.rtt, 2*time.Second) + asksAhead).Seconds()
	a.target = min(max(float64(recent)*ahead/block.Size+1, asksMin), asksMax)
}

// quick reports whether a whole piece comes from the peer in good time.
func (a *asks) quick(pieceLength int64) bool {
	return a.rate*int64(wholeWithin/time.Second) >= pieceLength
}

// check panics when the count of live requests is wrong, and returns it.
func (a *asks) check() int {
	live := 0
	for _, o := range a.unanswered() {
		if o.state == askLive {
			live++
		}
	}
	if live != a.live {
		panic("core: the count of a peer's requests is wrong")
	}
	return live
}

// chokesUs reports whether the peer chokes us.
func (p *peer) chokesUs() bool { return p.ask.choking }
