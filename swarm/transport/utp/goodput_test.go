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

func TestBulk(t *testing.T) {
	for _, loss := range []float64{0, 0.001, 0.01, 0.02, 0.05} {
		b := newBulk(t, 1, 100, 50*time.Millisecond, 100*time.Millisecond)
		b.there.loss = loss
		b.from.dial()
		for i := range 4 {
			d := 15 * time.Second
			g := b.goodput(b.to, d)
			m := b.from.m
			t.Logf("loss %.3f %d: goodput %.3f, window %d, queue %v longest %v, mtu %d, drops %d, %+v",
				loss, i, g, m.window.limit(), m.queue(), b.there.longest, m.mtu.size, b.there.dropped, m.stats)
		}
	}
}

// percentile returns the wait that a share of the packets did not exceed.
func (l *wire) percentile(share float64) time.Duration {
	slices.Sort(l.waits)
	if len(l.waits) == 0 {
		return 0
	}
	return l.waits[int(share*float64(len(l.waits)-1))]
}

// A probe measures the queue every 10 ms.
func (b *bulk) watchQueue() {
	b.w.after(10*time.Millisecond, func() {
		b.there.waits = append(b.there.waits, max(0, b.there.busy-b.w.now))
		b.watchQueue()
	})
}

func TestUplink(t *testing.T) {
	b := newBulk(t, 1, 5, 21*time.Millisecond, 500*time.Millisecond)
	b.watchQueue()
	b.from.dial()
	for range 4 {
		b.there.waits = nil
		g := b.goodput(b.to, 15*time.Second)
		t.Logf("goodput %.3f, queue p50 %v p95 %v max %v", g, b.there.percentile(0.5), b.there.percentile(0.95), b.there.percentile(1))
	}
}

func TestTwo(t *testing.T) {
	for _, rate := range []float64{5, 20, 100} {
		b := newBulk(t, 1, rate, 40*time.Millisecond, 500*time.Millisecond)
		b.watchQueue()
		b.from.dial()
		b.w.run(20*time.Second, nil)
		from, to := b.flow()
		from.dial()
		for range 8 {
			b.there.waits = nil
			start := to.got
			g := b.goodput(b.to, 10*time.Second)
			t.Logf("%v: first %.3f, second %.3f, queue p50 %v p95 %v max %v", rate, g, float64(to.got-start)/10/b.there.rate, b.there.percentile(0.5), b.there.percentile(0.95), b.there.percentile(1))
		}
	}
}

func TestBesideCubic(t *testing.T) {
	for _, queue := range []time.Duration{5, 20, 50, 100, 500} {
		b := newBulk(t, 1, 20, 40*time.Millisecond, queue*time.Millisecond)
		b.from.dial()
		b.w.run(20*time.Second, nil)
		c := newCubic(b.w, b.there, b.back)
		for range 3 {
			start := c.got
			g := b.goodput(b.to, 20*time.Second)
			t.Logf("queue %v: uTP %.3f, CUBIC %.3f", queue, g, float64(c.got-start)/20/b.there.rate)
		}
		c.stopped = true
		g := b.goodput(b.to, 10*time.Second)
		t.Logf("queue %v: uTP alone again %.3f", queue, g)
	}
}
