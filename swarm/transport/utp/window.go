package utp

import (
	"math"
	"time"
)

const (
	// delayAim is the queueing delay that a connection settles at when it has the path for
	// itself. LEDBAT's target is 60 ms in this project (RFC 6817, TARGET, allows 100 ms);
	// the aim is a little less, so that the delay stays below the target with what the
	// samples vary by.
	delayAim = 50 * time.Millisecond
	// aimLeast is the aim of large windows. An aim that falls as the window grows makes
	// connections that share a queue share it evenly, since there is one delay for all of
	// them (Swift, "flow scaling"). Windows of aimSmall packets aim at delayAim, those of
	// aimLarge at aimLeast.
	aimLeast = 30 * time.Millisecond
	aimSmall = 16
	aimLarge = 1024

	// windowFirst is the window at the start, in packets (RFC 6928).
	windowFirst = 10
	// windowLeast is the least window, in packets: with fewer than two, a peer that delays
	// its acknowledgements delays each packet.
	windowLeast = 2

	// rateRounds is how many rounds the highest delivery rate is remembered for.
	rateRounds = 10
	// lossHigh is the share of a round's bytes whose loss means congestion whatever the
	// delays say.
	lossHigh = 0.10
	// lossFew is how many lost packets say nothing about the share: in a small window one
	// is a tenth.
	lossFew = 3
	// lossKeeps is what the overflow of a queue leaves of the pipe.
	lossKeeps = 0.8
	// probeUp is by how much the window exceeds the pipe on a path with random losses, to
	// notice when the path has more room.
	probeUp = 1.05
	// probeMore is what each calm round adds to probeUp, and probeMax bounds the sum.
	probeMore = 0.01
	probeMax  = 1.12
	// slumpShare is the part of the window that is lost in a slump, and slumpFew how many
	// packets are none.
	slumpShare = 0.5
	slumpFew   = 64
	// lossProbed is the share of a round's bytes whose loss says that the window exceeds
	// a path without a queue.
	lossProbed = 0.03
	// randomMax bounds what is remembered of random losses, in rounds; from randomSure on
	// the path is known to have them.
	randomMax  = 8
	randomSure = 3
	// cleanRounds is how many rounds without a loss must pass before the window may grow by
	// more than a packet a round.
	cleanRounds = 10

	// drainEvery is how often a connection empties the queue for one round trip, so that it
	// and its rivals see the true base delay. The first intervals are shorter, because a
	// newcomer takes the queue of those before it for the base (the late-comer's
	// advantage; LEDBAT++, "slowdown").
	drainEvery = 30 * time.Second
	drainFirst = 6 * time.Second
	// drainAfter is how long after its slow start a connection drains first, beside two round
	// trips: by then, those that were there before have given way to it.
	drainAfter = 500 * time.Millisecond
	// drainDepth is for how long a drain leaves the link idle in each of its two round trips,
	// if the base is right. It is about what one connection queues.
	drainDepth = 30 * time.Millisecond
	// drainNews is the part of the base by which the base must have fallen for a drain to
	// go on.
	drainNews = 16
	// drainRounds bounds a drain, in round trips.
	drainRounds = 6
)

// window decides how many bytes may be in flight: LEDBAT (RFC 6817) with the changes of
// LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus) and a response to loss that looks at the
// delay. docs/design/utp.md has the reasons.
type window struct {
	mss  int     // payload of a full packet
	size float64 // bytes
	// slow says that the window grows with each acknowledged byte, up to threshold.
	slow      bool
	threshold float64

	delivered int64 // bytes acknowledged since the connection began
	round     round
	quiet     int // rounds in a row in which next to nothing was queued
	clean     int // rounds in a row without a loss
	calm      int // rounds in a row without a queue, and without more losses than usual
	rates     [rateRounds]float64
	rounds    int
	lowest    time.Duration // of the round before
	random    int           // rounds with random losses, less those with others

	before  float64 // the window before the last cut, to undo it
	drainAt time.Duration
	drains  int
	drain   drain
}

// A round is the time from one moment to the acknowledgement of what was sent then.
type round struct {
	end     int64 // packets that were sent when so much was delivered end the round
	at      time.Duration
	start   int64 // delivered at the start
	lost    int   // bytes
	lowest  time.Duration
	sum     time.Duration // of the delays
	samples int
	full    bool // the window was used up
	wasFull bool // it was in the round before
	size    float64
	hold    bool // the window became smaller in the round before
	slumped bool // a large part of the flight was lost at once
}

// mean returns the mean delay.
func (r *round) mean() time.Duration { return r.sum / time.Duration(max(1, r.samples)) }

// A drain is the emptying of the queue. The window falls below the pipe by what the path
// delivers in drainDepth, so the link runs idle. If the round trip became shorter by that than
// it ever was, the base was too high, and the pipe with it: the window falls again.
type drain struct {
	on    bool
	saved float64
	base  time.Duration // the least round-trip time when the window fell
	until time.Duration // noTime until no more is in flight than the window allows
	// latest is when a drain ends in any case.
	latest time.Duration
}

func newWindow(mss int) window {
	w := window{mss: mss, size: float64(windowFirst * mss), slow: true, threshold: 1 << 40}
	w.round.lowest = noTime
	return w
}

// least is the smallest window.
func (w *window) least() float64 { return float64(windowLeast * w.mss) }

// limit returns how many bytes may be in flight.
func (w *window) limit() int { return int(w.size) }

// full records that the window held a packet back.
func (w *window) full() { w.round.full = true }

// An ackSample is what the window is told of an acknowledgement.
type ackSample struct {
	bytes     int
	delivered int64         // what had been delivered when the newest of them was sent
	queue     time.Duration // the current queueing delay
	inFlight  int           // bytes, after the acknowledgement
	rtt       *rtt
}

// acked takes an acknowledgement.
func (w *window) acked(now time.Duration, s ackSample) {
	w.delivered += int64(s.bytes)
	r := &w.round
	if r.lowest == noTime || s.queue < r.lowest {
		r.lowest = s.queue
	}
	r.sum += s.queue
	r.samples++
	if w.drain.on {
		w.draining(now, s)
	} else if r.full || r.wasFull {
		w.grow(now, s)
	}
	if s.delivered >= r.end {
		w.endRound(now, s)
	}
}

// grow changes the window by the delay.
func (w *window) grow(now time.Duration, s ackSample) {
	bytes := min(float64(s.bytes), w.size)
	aim := w.aim()
	over := float64(s.queue-aim) / float64(aim)
	switch {
	case w.slow:
		w.size += bytes
		if w.size >= w.threshold || w.queued(s) {
			w.leaveSlow(now, s)
		}
	case over > 0 && max(w.lowest, w.round.lowest) < aim/2:
		// A burst is late. A queue shows in all packets of a round.
	case over > 0 && w.round.hold:
		// What is measured now was sent before the window became smaller.
	case over > 0:
		// LEDBAT++ 4.2, multiplicative decrease: connections with larger windows give up
		// more, so those that share a queue come to share it evenly.
		// What was in flight before a decrease asks for more of it, so there is a floor.
		w.size = max(w.size-bytes*min(0.5, over), min(w.size, w.pipe(s.rtt)/4))
	default:
		w.size += w.step(s.rtt) * bytes / w.size
	}
	w.size = max(w.size, w.least())
}

// aim returns the queueing delay that the window settles at.
func (w *window) aim() time.Duration {
	packets := min(max(w.size/float64(w.mss), aimSmall), aimLarge)
	small, large := 1/math.Sqrt(aimSmall), 1/math.Sqrt(aimLarge)
	share := (1/math.Sqrt(packets) - large) / (small - large)
	return aimLeast + time.Duration(share*float64(delayAim-aimLeast))
}

// step returns by how many bytes the window grows in a round with nothing queued. That is
// one packet, and more below the pipe of a path with random losses. While the queue stays
// empty for rounds, the path has more room than that would fill within minutes, so the step
// doubles with each such round, up to a quarter of the window.
func (w *window) step(r *rtt) float64 {
	step := float64(w.mss)
	if w.random >= randomSure && !w.round.stands(r) {
		step = max(step, (w.probe()*w.pipe(r)-w.size)/2)
	}
	if w.quiet > 1 && w.clean > cleanRounds {
		step *= float64(int(1) << min(w.quiet-1, 20))
		// No more than what would be half the aim if the path were full after all.
		share := min(0.25, float64(w.aim()/2)/float64(max(1, r.min())))
		step = max(float64(w.mss), min(step, share*w.size))
	}
	return step
}

// queued reports whether slow start has begun to fill the queue (RFC 9406, HyStart++, with
// one-way delays).
func (w *window) queued(s ackSample) bool {
	limit := min(max(s.rtt.min()/8, 4*time.Millisecond), 16*time.Millisecond)
	// One burst that arrives late is no queue: its delay is high, but not the mean.
	return w.round.samples >= 4 && w.round.lowest > limit ||
		s.queue > 2*limit && w.round.mean() > limit/2 || s.queue > delayAim
}

func (w *window) leaveSlow(now time.Duration, s ackSample) {
	w.slow = false
	w.threshold = w.size
	if w.drains == 0 {
		w.drains++
		w.drainAt = now + 2*s.rtt.smoothed + drainAfter
	}
}

// rate returns the highest delivery rate of the last rounds, in bytes a second.
func (w *window) rate() float64 {
	var high float64
	for _, r := range w.rates {
		high = max(high, r)
	}
	return high
}

// pipe returns what is in flight on a path with nothing queued: the delivery rate times the
// round-trip time.
func (w *window) pipe(r *rtt) float64 { return w.rate() * r.min().Seconds() }

// endRound looks back at a round and begins the next one.
func (w *window) endRound(now time.Duration, s ackSample) {
	r := &w.round
	bytes := w.delivered - r.start
	// A round that did not use the window up says nothing of the path.
	if d := now - r.at; d > 0 && r.at > 0 && (r.full || r.wasFull) && !w.drain.on {
		sent := bytes
		if !r.slumped {
			sent += int64(r.lost)
		}
		w.rates[w.rounds%rateRounds] = float64(sent) / max(d, s.rtt.min()).Seconds()
	}
	if r.mean() < delayAim/4 || r.lowest < delayAim/50 {
		w.quiet++
	} else {
		w.quiet = 0
	}
	w.clean++
	w.calm++
	if r.stands(s.rtt) {
		w.calm = 0
	}
	if r.lost > 0 && !w.drain.on && !r.slumped {
		w.cut(now, s, float64(r.lost)/float64(int64(r.lost)+bytes))
	}
	w.rounds++
	w.lowest = r.lowest
	*r = round{end: w.delivered, at: now, start: w.delivered, size: w.size,
		hold: !r.hold && w.size < 0.9*r.size, lowest: noTime, wasFull: r.full}
	if w.drainAt != 0 && now >= w.drainAt && !w.drain.on && !w.slow {
		w.startDrain(now, s.rtt)
	}
}

// lost records that packets were lost.
func (w *window) lost(bytes int) { w.round.lost += bytes }

// slump answers the loss of a large part of the flight at once, of which inFlight bytes are
// left: the path has become much slower, or was cut for a moment. The window becomes what is
// left, so that no more leaves than arrives, and grows again as in slow start until there is a
// queue, up to half of what it was. If it waited for the end of the round, most repeats would
// be lost as well.
func (w *window) slump(inFlight int) {
	r := &w.round
	if r.slumped || w.drain.on || r.lost <= slumpFew*w.mss || float64(r.lost) < slumpShare*w.size {
		return
	}
	r.slumped = true
	w.before = w.size
	w.threshold = max(w.size/2, w.least())
	w.size = max(min(w.size/2, float64(inFlight)), w.least())
	w.slow = true
	w.rates = [rateRounds]float64{} // they are of another path
	w.quiet, w.clean, w.calm = 0, 0, 0
}

// probe returns by how much the window may exceed the pipe on a path with random losses: a
// little at first, and more while no queue forms.
func (w *window) probe() float64 {
	return min(probeUp+probeMore*float64(w.calm), probeMax)
}

// cut answers the losses of a round. If a queue stood, they are from its overflow, and the
// window gives way. If not, they are random, and the window gives up no more than what
// exceeds the pipe: a smaller one would leave the path idle, and have the same losses.
func (w *window) cut(now time.Duration, s ackSample, share float64) {
	w.before = w.size
	w.quiet, w.clean = 0, 0
	if share > lossProbed {
		w.calm = 0
	}
	keep := w.pipe(s.rtt)
	if share > lossHigh && w.round.lost > lossFew*w.mss || w.round.stands(s.rtt) {
		// On a path with random losses a queue is from the probes of the window.
		if w.random < randomSure || share > lossProbed {
			keep *= lossKeeps * (1 - share) // what was lost is part of the rate
		}
		w.random = max(0, w.random-1)
		if w.slow {
			w.leaveSlow(now, s)
		}
	} else {
		w.random = min(w.random+1, randomMax)
		if w.slow {
			return
		}
		if w.random >= randomSure {
			keep *= w.probe()
		}
	}
	w.size = max(w.size/2, min(w.size, keep), w.least())
}

// stands reports whether a queue stood during the round. The mean delay alone does not say
// so: bursts that arrive late raise it as well, but leave the lowest delay as it was.
func (r *round) stands(t *rtt) bool {
	queue := max(2*time.Millisecond, t.min()/16)
	return r.samples > 0 && r.mean() > queue && r.lowest > queue/4
}

// undo takes the last cut back: the packets were not lost but late.
func (w *window) undo() {
	switch {
	case w.drain.on:
		w.drain.saved = max(w.drain.saved, w.before)
	case w.before > w.size:
		w.size = w.before
	}
	w.before = 0
	w.round.lost = 0
}

// timedOut answers a timeout: nothing has come back for longer than a round trip takes.
func (w *window) timedOut() {
	if w.size > w.least() {
		w.before = w.size
		w.threshold = max(w.size/2, w.least())
	}
	w.restart()
}

// restart begins slow start, up to the threshold. It answers each further timeout in a row: it
// says no more of the path than the first one did (RFC 5681, 3.1).
func (w *window) restart() {
	w.size = w.least()
	w.slow, w.drain.on = true, false
	w.round.lost = 0
	w.quiet = 0
}

// startDrain lets the queue run empty.
func (w *window) startDrain(now time.Duration, r *rtt) {
	w.drain = drain{on: true, saved: w.size, latest: now + drainRounds*r.smoothed}
	w.deepen(r)
}

// deepen makes the window of a drain smaller than what the path holds without a queue.
func (w *window) deepen(r *rtt) {
	w.drain.base, w.drain.until = r.min(), noTime
	keeps := w.rate() * (r.min() - drainDepth).Seconds()
	w.size = min(w.size, max(keeps, w.drained()))
}

// drained is the least window of a drain.
func (w *window) drained() float64 { return float64(4 * w.mss) }

// draining ends a drain one round trip after the flight has become small, unless the base has
// turned out to be lower.
func (w *window) draining(now time.Duration, s ackSample) {
	d := &w.drain
	switch {
	case now > d.latest:
		// Something keeps it from running empty.
	case d.until == noTime && s.inFlight <= w.limit():
		d.until = now + s.rtt.min()
		return
	case d.until == noTime || now < d.until:
		return
	case w.size > w.drained() && s.rtt.min() < d.base-d.base/drainNews:
		w.deepen(s.rtt)
		return
	}
	d.on = false
	// Half of the queue comes back at once: it bridges the moments in which a busy machine
	// sends nothing.
	back := w.pipe(s.rtt) + w.rate()*(w.aim()/2).Seconds()
	w.size = max(w.least(), min(d.saved, max(back, d.saved/4)))
	w.drainAt = now + min(drainEvery, drainFirst<<min(w.drains, 8))
	w.drains++
	w.round.full = true
}

// pace returns at which rate packets should leave, in bytes a second, 0 for no limit.
func (w *window) pace(r *rtt) float64 {
	// Timers are too coarse to help so near.
	if r.smoothed < nearTrip {
		return 0
	}
	factor := 1.2
	if w.slow {
		factor = 2
	}
	return factor * w.size / r.smoothed.Seconds()
}
