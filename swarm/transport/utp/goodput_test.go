package utp

import (
	"slices"
	"testing"
	"time"
)

// megabit is a megabit a second, in bytes.
const megabit = 1e6 / 8

// A bulk is a transfer without end over a modelled path.
type bulk struct {
	w           *world
	there, back *wire
	from, to    *seat
	liar        uint32 // what the receiver reports as the delay, plus 1
}

// lie makes the receiver report the same delay always.
func (b *bulk) lie() {
	work := b.to.work
	b.to.work = func() {
		work()
		b.to.m.difference = b.liar - 1
	}
}

// newBulk returns a transfer over a link with a rate in Mbit/s, a round-trip time, and a
// queue.
func newBulk(t testing.TB, seed uint64, rate float64, rtt, queue time.Duration) *bulk {
	w := newWorld(t, seed)
	b := &bulk{w: w,
		there: &wire{rate: rate * megabit, delay: rtt / 2, queue: queue},
		back:  &wire{rate: rate * megabit, delay: rtt / 2, queue: queue}}
	b.from, b.to = b.flow()
	return b
}

// flow adds a flow to the path.
func (b *bulk) flow() (from, to *seat) {
	config := machineConfig{id: 1, first: seq(b.w.rng.Uint32()), mtu: 1472}
	from, to = newSeats(b.w, config, config, b.there, b.back)
	from.upload()
	to.download()
	return from, to
}

// goodput returns the share of the link's rate that a seat received as payload in a time.
func (b *bulk) goodput(to *seat, d time.Duration) float64 {
	start := to.got
	b.w.run(b.w.now+d, nil)
	return float64(to.got-start) / d.Seconds() / b.there.rate
}

// percentile returns the wait that a share of the packets did not exceed.
func (l *wire) percentile(share float64) time.Duration {
	slices.Sort(l.waits)
	if len(l.waits) == 0 {
		return 0
	}
	return l.waits[int(share*float64(len(l.waits)-1))]
}

// watchQueue measures the queue every 10 ms.
func (b *bulk) watchQueue() {
	b.w.after(10*time.Millisecond, func() {
		b.there.waits = append(b.there.waits, max(0, b.there.busy-b.w.now))
		b.watchQueue()
	})
}

// fastRate is that of the fast links, in Mbit/s. The race detector makes packets expensive.
func fastRate() float64 {
	if checked {
		return 20
	}
	return 100
}

// The ceiling is 0.968: the share of the payload in the datagrams of Ethernet.
func TestGoodput(t *testing.T) {
	for _, c := range []struct {
		name  string
		loss  float64
		least float64
	}{
		{"no loss", 0, 0.95},
		{"loss of 0.1 %", 0.001, 0.88},
		{"loss of 1 %", 0.01, 0.88},
		{"loss of 5 %", 0.05, 0.8},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBulk(t, 1, fastRate(), 50*time.Millisecond, 100*time.Millisecond)
			b.there.loss = c.loss
			b.from.dial()
			b.w.run(5*time.Second, nil)
			got := b.goodput(b.to, 15*time.Second)
			t.Logf("goodput %.3f, window %d, queue up to %v, repeats %d, spurious %d", got,
				b.from.m.window.limit(), b.there.longest, b.from.m.stats.repeats,
				b.from.m.stats.spurious)
			if got < c.least {
				t.Errorf("goodput %.3f of the link, want %.3f", got, c.least)
			}
			if b.there.longest > 90*time.Millisecond {
				t.Errorf("a queue of %v", b.there.longest)
			}
		})
	}
}

// A path to the other side of the world is filled as well, though everything that is known of
// it is old.
func TestGoodputOfAFarPath(t *testing.T) {
	b := newBulk(t, 1, 20, 300*time.Millisecond, 100*time.Millisecond)
	b.from.dial()
	b.w.run(5*time.Second, nil)
	got := b.goodput(b.to, 20*time.Second)
	t.Logf("goodput %.3f, queue up to %v", got, b.there.longest)
	if got < 0.85 {
		t.Errorf("goodput %.3f", got)
	}
}

// Bursts that arrive late, as over a wireless link or on a busy machine, are not taken for a
// queue.
func TestGoodputWithStalls(t *testing.T) {
	for _, c := range []struct {
		loss   float64
		stalls time.Duration
		least  float64
	}{
		{0, 20 * time.Millisecond, 0.92}, {0.01, 20 * time.Millisecond, 0.85},
		{0, 100 * time.Millisecond, 0.45}, // a third of the time
	} {
		for seed := range uint64(3) {
			b := newBulk(t, seed, fastRate(), 50*time.Millisecond, 100*time.Millisecond)
			b.there.loss, b.there.stalls = c.loss, c.stalls
			b.from.dial()
			b.w.run(5*time.Second, nil)
			got := b.goodput(b.to, 15*time.Second)
			t.Logf("loss %v, stalls of %v, seed %d: goodput %.3f, queue up to %v", c.loss,
				c.stalls, seed, got, b.there.longest)
			if got < c.least {
				t.Errorf("loss %v, stalls of %v, seed %d: goodput %.3f of the link, want %.3f",
					c.loss, c.stalls, seed, got, c.least)
			}
		}
	}
}

// What overtakes other packets is not taken for the loss of them.
func TestGoodputWithReordering(t *testing.T) {
	b := newBulk(t, 1, fastRate(), 50*time.Millisecond, 100*time.Millisecond)
	b.there.reorder, b.there.holdUp = 0.01, 10*time.Millisecond
	b.from.dial()
	b.w.run(5*time.Second, nil)
	got, m := b.goodput(b.to, 15*time.Second), b.from.m
	t.Logf("goodput %.3f, %d packets, %d repeats", got, m.stats.sentPackets, m.stats.repeats)
	if got < 0.9 || m.stats.repeats > m.stats.sentPackets/200 {
		t.Errorf("goodput %.3f with %d repeats", got, m.stats.repeats)
	}
}

// An upload leaves the uplink usable: the queue stays below the target, and others' packets
// wait for no longer.
func TestUplinkStaysUsable(t *testing.T) {
	b := newBulk(t, 1, 5, 21*time.Millisecond, 500*time.Millisecond)
	b.watchQueue()
	b.from.dial()
	b.w.run(10*time.Second, nil)
	b.there.waits = nil
	got := b.goodput(b.to, time.Minute)
	p95 := b.there.percentile(0.95)
	t.Logf("goodput %.3f, queue: median %v, p95 %v", got, b.there.percentile(0.5), p95)
	if got < 0.95 || p95 > 59*time.Millisecond {
		t.Errorf("goodput %.3f with a queue of %v", got, p95)
	}
}

// A flow that comes later gets no more, and no less, than the one that was there before.
func TestTwoFlowsShareEvenly(t *testing.T) {
	for _, rate := range []float64{5, 20} {
		b := newBulk(t, 1, rate, 40*time.Millisecond, 500*time.Millisecond)
		b.from.dial()
		b.w.run(15*time.Second, nil)
		from, to := b.flow()
		from.dial()
		b.w.run(30*time.Second, nil)
		before := to.got
		first := b.goodput(b.to, 40*time.Second)
		second := float64(to.got-before) / 40 / b.there.rate
		t.Logf("at %v Mbit/s: %.3f and %.3f", rate, first, second)
		if first+second < 0.94 || first > 1.25*second || second > 1.25*first {
			t.Errorf("at %v Mbit/s: %.3f and %.3f", rate, first, second)
		}
	}
}

// A transfer that takes ten seconds is mostly at the rate of the link: slow start and drains
// cost little.
func TestGoodputFromTheStart(t *testing.T) {
	for loss, least := range map[float64]float64{0: 0.93, 0.01: 0.92} {
		b := newBulk(t, 1, fastRate(), 50*time.Millisecond, 100*time.Millisecond)
		b.there.loss = loss
		b.from.dial()
		got := b.goodput(b.to, 11500*time.Millisecond)
		t.Logf("loss %v: goodput %.3f, queue up to %v", loss, got, b.there.longest)
		if got < least {
			t.Errorf("loss %v: goodput %.3f of the link", loss, got)
		}
	}
}

// Whenever a second flow comes, it and the first one soon share a short uplink evenly.
func TestSecondFlowSharesSoon(t *testing.T) {
	const within = 20
	worst, flows := 1.0, 20
	if checked {
		flows = 5
	}
	for i := range flows {
		b := newBulk(t, uint64(i), 5, 21*time.Millisecond, 500*time.Millisecond)
		b.from.dial()
		b.w.run(10*time.Second+time.Duration(i)*1700*time.Millisecond, nil)
		from, to := b.flow()
		from.dial()
		b.w.run(b.w.now+10*time.Second, nil)
		before := to.got
		first := b.goodput(b.to, within*time.Second)
		second := float64(to.got-before) / within / b.there.rate
		share := min(first, second) / max(first, second)
		if worst = min(worst, share); share < 0.7 || first+second < 0.95 {
			t.Errorf("the second one after %v: %.3f and %.3f", b.w.now-30*time.Second, first,
				second)
		}
	}
	t.Logf("the smaller one has at least %.2f of the larger one", worst)
}

// A flow of CUBIC takes what it wants where the queue has room for it, and its share at
// least elsewhere. When it has gone, the rate is taken up again.
func TestYieldsToCubic(t *testing.T) {
	for _, c := range []struct {
		queue time.Duration
		least float64 // for CUBIC
		most  float64 // for uTP
	}{
		{5 * time.Millisecond, 0.4, 0.55},
		{20 * time.Millisecond, 0.5, 0.45},
		{50 * time.Millisecond, 0.75, 0.2},
		{100 * time.Millisecond, 0.9, 0.05},
		{500 * time.Millisecond, 0.9, 0.05},
	} {
		b := newBulk(t, 1, 20, 40*time.Millisecond, c.queue)
		b.from.dial()
		b.w.run(10*time.Second, nil)
		cubic := newCubic(b.w, b.there, b.back)
		b.w.run(30*time.Second, nil)
		before := cubic.got
		got := b.goodput(b.to, 30*time.Second)
		its := float64(cubic.got-before) / 30 / b.there.rate
		cubic.stopped = true
		alone := b.goodput(b.to, 10*time.Second)
		t.Logf("queue of %v: uTP %.3f, CUBIC %.3f; alone again %.3f", c.queue, got, its, alone)
		if its < c.least || got > c.most || alone < 0.7 {
			t.Errorf("queue of %v: uTP %.3f, CUBIC %.3f; alone again %.3f", c.queue, got, its,
				alone)
		}
	}
}
