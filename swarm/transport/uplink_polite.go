package transport

import (
	"math"
	"time"
)

const (
	// politeEvery is the least time between two looks at the uplink.
	politeEvery = 100 * time.Millisecond
	// politeMemory is how long a pause of all sends the hold outlives.
	politeMemory = 30 * time.Second
	// The streams are held once the queue has exceeded politeDeep, and the aim, for
	// politeEnter longer than it has not. By then the rate is what the line has for us, as
	// the streams have filled it. A shorter queue, as BBR leaves it, harms little, and may
	// not be ours. Who sends much sends to many, whose downlinks have queues of their own:
	// from politeFast bytes per second on the queue must be longer, and politeFull from
	// twice that rate on.
	politeDeep  = 70 * time.Millisecond
	politeFull  = 300 * time.Millisecond
	politeFast  = 1 << 20
	politeEnter = 2 * time.Second
	// A queue that is longer than the aim by politeTau would take the rate to nothing, and
	// one that is shorter gives as much. At most politeCut of what the line has for us is
	// taken, and politeRise given.
	politeTau  = 350 * time.Millisecond
	politeCut  = 0.5
	politeRise = 0.05
	// What the line has for us changes by a share in each roomFalls, or roomGrows, for which
	// the queue differs from the aim by as much. It grows faster than it falls, so that a
	// delay that varies does not cost capacity. It falls by no more than roomMost in a second.
	roomFalls = 600 * time.Millisecond
	roomGrows = 300 * time.Millisecond
	roomMost  = 0.5
	// politeFloor is the share of the best rate that is never taken, and politeLeast the
	// least rate to which streams are held, in bytes per second. A queue that others keep
	// full does not go away however slowly we send.
	politeFloor = 0.25
	politeLeast = 16 << 10
	// bestHalf is how long the best rate takes to be forgotten by half while it is not
	// reached.
	bestHalf = 10 * time.Minute
	// The aim is the length of the queue at which the rate stays. A slow sender aims at
	// aimSlow, and each doubling of its rate beyond aimRate, in bytes per second, takes
	// aimStep off, down to aimFast. All who share a queue see one delay, so the faster
	// one gives way to the slower one until both are equal.
	aimSlow = 58 * time.Millisecond
	aimFast = 25 * time.Millisecond
	aimStep = 5500 * time.Microsecond
	aimRate = 64 << 10
	// foreignMax is how much of the delay may count as queues that are not ours, and
	// foreignGone how fast such a queue is forgotten when the delay is shorter.
	foreignMax  = 60 * time.Millisecond
	foreignGone = 3 * time.Second
	// foreignLeast is what is left after a drain without any foreign queue: the system
	// smooths delays.
	foreignLeast = 8 * time.Millisecond
	// drainEvery is the time between two drains, in which streams are held to drainTo of
	// their rate for drainFor of the queue's length. That is enough for those who send at
	// least two fifths of what the line takes. Round trips without a queue of ours are
	// known from there, also to others who share the line and began later. A drain comes
	// early, but no more often than every drainSoon, when the rate has fallen below
	// drainBelow of what it was without the queue going away.
	drainEvery = 12 * time.Second
	drainFirst = 2 * time.Second
	drainSoon  = 3 * time.Second
	drainBelow = 0.85
	drainTo    = 0.5
	drainFor   = 5
	drainMax   = 600 * time.Millisecond
	// settleFor is how long the delay and the rate are not believed after a drain: both are
	// smoothed.
	settleFor = 300 * time.Millisecond
	// refillFor is how long the queue may then stay short without a sign that the line has
	// more for us.
	refillFor = time.Second
	// fetchShare is how many bytes may arrive for each one that is sent until the engine
	// counts as fetching, and fetchOver how long that is averaged over.
	fetchShare = 0.25
	fetchOver  = 2 * time.Second
	// freeAfter is how long the streams must have sent less than the hold allows, or too
	// little to know the queue, until they are let go.
	freeAfter = 3 * time.Second
)

// An uplinkView is what all streams together show of the uplink at one look.
type uplinkView struct {
	// queue is how much longer round trips take than without queues, in the judgement of
	// most hosts that we send to; known reports whether there are such hosts.
	queue time.Duration
	known bool
	up    float64 // bytes sent that arrived since the last look
	down  float64 // bytes received since the last look
	eager bool    // some stream has more to send than the system takes
	// yielded is the queue in the judgement of hosts to which we send over uTP, which gives
	// way to TCP; yields reports whether there are such hosts.
	yielded time.Duration
	yields  bool
}

// A polite decides to which rate all streams beyond the local network are held together, so
// that the queue before the uplink stays short and others behind the same router do not
// wait. Like LEDBAT (RFC 6817) it follows the delay: what the line has for us is known from
// what arrived while the queue stood, and the rate differs from that by a share that grows
// with how far the queue is from an aim.
//
// The delay of round trips does not say whose queue it is. Three rules keep us from giving
// way to queues that are not before our uplink:
//
//   - While the engine fetches, nothing is held: its own downloads, and the uplinks of those
//     who upload to each other, fill queues on all round trips.
//   - What is left of the delay when less was sent for as long as our queue takes to drain
//     is foreign. It is added to the aim.
//   - The rate never falls below a share of the best one.
//
// A polite has no clock and no socket.
//
//	limit == 0, or max(politeLeast, best * politeFloor) <= limit
type polite struct {
	at     time.Time
	rate   float64       // bytes per second that arrive, smoothed
	down   float64       // bytes per second that we fetch, smoothed
	up     float64       // the rate, smoothed as down is
	best   float64       // the highest rate, forgotten slowly
	room   float64       // bytes per second that the line has for us, while they are held
	limit  float64       // bytes per second; 0 for none
	over   time.Duration // how long the queue has been too long, while nothing is held
	spare  time.Duration // how long the limit has not mattered
	before float64       // the rate when the queue began to exceed the aim; 0 if it does not
	// foreign is the queue that others keep: what was left of the delay after a drain.
	foreign time.Duration
	// claimed says that the hold began for a queue of which only peers over uTP knew.
	claimed bool
	// alone is until when nothing is left to uTP, since it has not taken what was.
	alone time.Time
	drain drain
}

// A drain lets the queue run empty, to see what is left of the delay.
type drain struct {
	last   time.Time // when the last one began, or the hold did
	until  time.Time // while it lasts
	settle time.Time // when measurements count again
	judged bool      // the queue that was left was seen
}

// aimOf returns the aim of streams that send so many bytes per second together.
func aimOf(rate float64) time.Duration {
	doublings := math.Log2(max(rate, 1) / aimRate)
	return min(max(aimSlow-time.Duration(doublings*float64(aimStep)), aimFast), aimSlow)
}

// deepOf returns the queue beyond which streams that send so many bytes per second together
// are held. Where some of them yield, those at home may notice nothing, but the others take
// all that there is.
func deepOf(rate float64, yields bool) time.Duration {
	deep := politeDeep
	if yields {
		deep = aimFast
	}
	more := min(max(math.Log2(max(rate, 1)/politeFast), 0), 1)
	return deep + time.Duration(more*float64(politeFull-deep))
}

// look takes what the streams show at one moment. It returns the rate, in bytes per second,
// to which they are held from now on; 0 is any.
func (p *polite) look(now time.Time, v uplinkView) float64 {
	passed := now.Sub(p.at)
	first := p.at.IsZero()
	p.at = now
	if first || passed <= 0 || passed > politeMemory {
		p.letGo()
		p.rate, p.up, p.down = 0, 0, 0
		return 0
	}
	p.measure(now, v, passed)
	passed = min(passed, time.Second) // what was seen stands for no longer
	if p.down > fetchShare*p.up {
		p.letGo()
		return 0
	}
	if v.known && v.queue < p.foreign {
		p.foreign -= time.Duration(float64(p.foreign-v.queue) *
			min(1, float64(passed)/float64(foreignGone)))
	}
	v.yields = v.yields && !now.Before(p.alone)
	aim := aimOf(max(p.room, p.rate)) + p.foreign
	even := v.yields && v.queue <= politeDeep
	if even {
		aim = min(aim, yieldsAim)
	}
	switch {
	case p.limit == 0:
		return p.watch(now, v, passed, aim)
	case now.Before(p.drain.until):
		return p.floored(p.limit * drainTo)
	case now.Before(p.drain.settle):
		return p.limit
	case even && v.known && v.queue > aim:
		p.drain.judged = true // uTP has filled the queue again
		p.leave(now, passed)
	case !p.drain.judged && v.known:
		p.judge(v)
	case v.known:
		p.hold(now, v.queue, passed, aim)
	}
	if p.free(v, passed) {
		p.letGo()
		return 0
	}
	since := now.Sub(p.drain.last)
	if since >= drainEvery || since >= drainSoon && p.room < drainBelow*p.before {
		queue := v.queue - p.foreign
		if v.yields { // a part of the shortest round trip may be the queue of uTP
			queue += yieldsMost
		}
		p.drain.begin(now, queue)
		if even {
			p.before = 0
		}
		return p.floored(p.limit * drainTo)
	}
	return p.limit
}

// measure brings the rates up to date.
func (p *polite) measure(now time.Time, v uplinkView, passed time.Duration) {
	seconds := passed.Seconds()
	up, down := v.up/seconds, v.down/seconds
	slow := 1 - math.Exp(-float64(passed)/float64(fetchOver))
	p.up += (up - p.up) * slow
	p.down += (down - p.down) * slow
	if !now.Before(p.drain.settle) {
		if p.rate == 0 {
			p.rate = up
		}
		p.rate += (up - p.rate) * (1 - math.Exp(-float64(passed)/float64(3*politeEvery)))
	}
	p.best = max(p.best*math.Exp2(-float64(passed)/float64(bestHalf)), p.rate)
	if p.limit > 0 {
		p.limit = p.floored(p.limit) // the floor may have risen
	}
}

// watch waits for a queue that lasts, while the streams are free.
func (p *polite) watch(now time.Time, v uplinkView, passed, aim time.Duration) float64 {
	long := max(aim, deepOf(p.rate, v.yields))
	switch {
	case !v.known || p.rate == 0:
		return 0
	case max(v.queue, v.yielded) <= long:
		p.over = max(0, p.over-passed)
		return 0
	case v.eager:
		p.over += passed
	}
	if p.over < politeEnter {
		return 0
	}
	p.room, p.over, p.spare, p.claimed = p.rate, 0, 0, v.queue <= long
	p.drain = drain{last: now.Add(drainFirst - drainEvery), judged: true}
	p.hold(now, v.queue, passed, aim)
	return p.limit
}

// hold follows the queue: at once, in proportion to how far it is from the aim, and slowly by
// what the line seems to have for us.
func (p *polite) hold(now time.Time, queue, passed, aim time.Duration) {
	off := aim - queue
	switch {
	case off < 0:
		if p.before == 0 {
			p.before = p.room
		}
		p.room = min(p.room, max(p.rate, p.limit)*(1+politeRise))
		p.room *= math.Exp(max(off.Seconds()/roomFalls.Seconds(), -roomMost) * passed.Seconds())
	case now.Sub(p.drain.settle) < refillFor:
		p.before = 0
	case p.rate > 0.8*p.limit: // else it is not the limit that keeps the queue short
		p.before = 0
		p.room *= math.Exp(off.Seconds() / roomGrows.Seconds() * passed.Seconds())
	}
	p.room = p.floored(p.room)
	share := min(max(float64(off)/float64(politeTau), -politeCut), politeRise)
	p.limit = p.floored(p.room * (1 + share))
}

// leave holds the streams to what arrives, of which those over TCP get their part. The queue
// is about as long as uTP leaves it. Of two who follow one delay, the one with the lower aim
// would end with nothing; so only the one over uTP follows it. If that does not take what is
// left, something else holds it up, and nothing is left to it for a while.
func (p *polite) leave(now time.Time, passed time.Duration) {
	if p.before == 0 {
		p.before = p.room
	}
	share := 1.0
	if p.rate < p.room {
		share = min(1, passed.Seconds()/leaveOver.Seconds())
	}
	p.room = p.floored(p.room + (p.rate-p.room)*share)
	if p.room < drainBelow*p.before {
		p.room, p.before, p.alone = p.before, 0, now.Add(drainEvery)
	}
	p.limit = p.room
}

// judge takes what is left of the delay after a drain for foreign. If it explains the
// delay, we have given way to nobody, and the rate comes back.
func (p *polite) judge(v uplinkView) {
	p.drain.judged = true
	ours := foreignLeast
	if v.yields {
		ours = yieldsMost
	}
	p.foreign = min(max(v.queue-ours, 0), foreignMax)
	if v.queue <= p.foreign+aimOf(p.room) {
		p.room = max(p.room, p.before)
	}
	p.before = 0
}

// free reports whether the hold is no longer needed. While there is a queue of others, what
// they leave us may change at any moment. A queue that peers over uTP claimed alone may not
// exist.
func (p *polite) free(v uplinkView, passed time.Duration) bool {
	used := p.rate > 0.8*p.limit && (!p.claimed || v.queue > yieldsLeast)
	if v.known && (v.queue > aimOf(p.room) || used) {
		p.spare = 0
		return false
	}
	p.spare += passed
	return p.spare >= freeAfter
}

// letGo ends the hold.
func (p *polite) letGo() {
	p.room, p.limit, p.over, p.spare, p.before = 0, 0, 0, 0, 0
	p.drain = drain{}
}

// floored returns the rate, or the least that is held.
func (p *polite) floored(rate float64) float64 {
	return max(rate, p.best*politeFloor, politeLeast)
}

// begin starts a drain of a queue of ours.
func (d *drain) begin(now time.Time, queue time.Duration) {
	lasts := min(max(drainFor*queue, politeEvery), drainMax)
	*d = drain{last: now, until: now.Add(lasts), settle: now.Add(lasts + settleFor)}
}
