package utp

import (
	"math"
	"testing"
	"time"
)

const ms = time.Millisecond

// samples feeds a delay with samples, one every 10 ms, and returns what it says at the end.
func (d *delay) samples(now *time.Duration, raw uint32, n int) time.Duration {
	for range n {
		*now += 10 * ms
		d.sample(*now, raw, time.Hour)
	}
	return d.queue()
}

func TestDelayIsAboveTheBase(t *testing.T) {
	// The clocks are far apart in every possible way, the wrap included.
	for _, offset := range []uint32{0, 1, 1 << 31, math.MaxUint32, math.MaxUint32 - 20_000} {
		var d delay
		var now time.Duration
		if got := d.samples(&now, offset+50_000, 5); got != 0 {
			t.Errorf("offset %d: the first delay is %v", offset, got)
		}
		if got := d.samples(&now, offset+80_000, 5); got != 30*ms {
			t.Errorf("offset %d: %v after a rise by 30 ms", offset, got)
		}
		if got := d.samples(&now, offset+20_000, 5); got != 0 {
			t.Errorf("offset %d: %v at a new base", offset, got)
		}
		if got := d.samples(&now, offset+80_000, 5); got != 60*ms {
			t.Errorf("offset %d: %v above the new base", offset, got)
		}
	}
}

// One packet that was held up says nothing; RFC 6817 filters by the minimum.
func TestDelayFilters(t *testing.T) {
	var d delay
	var now time.Duration
	d.samples(&now, 1000, 5)
	if got := d.samples(&now, 90_000, delayFilter-1); got != 0 {
		t.Errorf("%v after %d samples", got, delayFilter-1)
	}
}

func TestDelayForgetsTheBase(t *testing.T) {
	var d delay
	var now time.Duration
	d.samples(&now, 0, 5)
	minute := int(time.Minute / (10 * ms))
	if got := d.samples(&now, 70_000, minute*(delayMinutes-1)); got != 70*ms {
		t.Errorf("%v within the history", got)
	}
	if got := d.samples(&now, 70_000, minute*2); got != 0 {
		t.Errorf("%v after the history, though the path has changed", got)
	}
}

// A clock that drifts cannot make the delay larger than what the round trip allows.
func TestDelayIsClamped(t *testing.T) {
	var d delay
	var now time.Duration
	d.samples(&now, 0, 5)
	for range 10 {
		now += 10 * ms
		d.sample(now, 1<<30, 40*ms)
	}
	if got := d.queue(); got > 40*ms {
		t.Errorf("a lie makes a delay of %v", got)
	}
	// The clock was set back: the old base is of no meaning.
	for range 10 {
		now += 10 * ms
		d.sample(now, 0, 40*ms)
	}
	if got := d.queue(); got != 0 {
		t.Errorf("%v after the clock was set", got)
	}
}

func TestRTT(t *testing.T) {
	var r rtt
	if got := r.timeout(); got != rtoFirst {
		t.Errorf("before the first sample: %v", got)
	}
	r.sample(1, 100*ms)
	if r.smoothed != 100*ms || r.variation != 50*ms || r.timeout() != 500*ms {
		t.Errorf("after the first sample: %+v, %v", r, r.timeout())
	}
	r.sample(2, 300*ms)
	if r.smoothed != 125*ms || r.variation != 87500*time.Microsecond {
		t.Errorf("after the second: %+v", r)
	}
	for range 100 {
		r.sample(3, 2*time.Second)
	}
	if got := r.timeout(); got < 2*time.Second || got > 2200*ms {
		t.Errorf("of a path of 2 s: %v", got)
	}
}

func TestTimeoutDoubles(t *testing.T) {
	var r rtt
	r.sample(1, 10*ms)
	for _, want := range []time.Duration{500 * ms, time.Second, 2 * time.Second, rtoMax, rtoMax} {
		if got := r.timeout(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		r.expired()
	}
	r.progress()
	if got := r.timeout(); got != rtoMin {
		t.Errorf("%v after an answer", got)
	}
}

func TestLowestRTTIsForgotten(t *testing.T) {
	var r rtt
	if r.min() != 0 {
		t.Error("there is one before the first sample")
	}
	r.sample(time.Second, 10*ms)
	r.sample(20*time.Second, 50*ms)
	if r.min() != 10*ms {
		t.Errorf("got %v", r.min())
	}
	r.sample(40*time.Second, 50*ms)
	if r.min() != 10*ms {
		t.Errorf("got %v in the next bucket", r.min())
	}
	r.sample(80*time.Second, 50*ms)
	if r.min() != 50*ms {
		t.Errorf("got %v after the window", r.min())
	}
}

func TestPacer(t *testing.T) {
	var p pacer
	if !p.ready(1) {
		t.Error("a pacer without a rate holds packets up")
	}
	const packet = 1000
	p.set(1, 1e6, packet) // a packet a millisecond
	now := time.Duration(1)
	var sent int
	for now < time.Second {
		for p.ready(now) {
			p.spend(packet)
			sent += packet
		}
		next := p.next()
		if next <= now {
			t.Fatalf("the next packet may leave at %v, and it is %v", next, now)
		}
		if burst := float64(sent) - 1e6*now.Seconds(); burst > p.burst+packet {
			t.Fatalf("a burst of %.0f bytes at %v", burst, now)
		}
		now = next
	}
	if sent < 980_000 || sent > 1_010_000 {
		t.Errorf("%d bytes in a second", sent)
	}
}
