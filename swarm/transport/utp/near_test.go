package utp

import (
	"testing"
	"time"
)

// Another client on the same machine reads from a socket whose buffer has room for 90 full
// packets. It is not sent so many that some are dropped, and is kept busy all the same.
func TestNearPeerIsNotOverrun(t *testing.T) {
	b := newBulk(t, 1, 800, 40*time.Microsecond, 0)
	b.there.queue = time.Duration(90 * float64(mtuBase) / b.there.rate * float64(time.Second))
	b.from.dial()
	b.w.run(time.Millisecond, nil)
	b.from.m.bits = 0 // the other end is a client that does not say wideFlights
	got := b.goodput(b.to, 200*time.Millisecond)
	m := b.from.m
	t.Logf("goodput %.3f, %d packets, %d repeats", got, m.stats.sentPackets, m.stats.repeats)
	if got < 0.9 || m.stats.repeats > 0 || m.stats.timeouts > 0 {
		t.Errorf("goodput %.3f of what it reads, %d of %d packets again, %d timeouts", got,
			m.stats.repeats, m.stats.sentPackets, m.stats.timeouts)
	}
}

func TestPacketsLimit(t *testing.T) {
	for _, c := range []struct {
		bits uint64
		trip time.Duration
		want int
	}{
		{0, 0, packetsMax},
		{0, nearTrip - 1, packetsMaxNear},
		{0, nearTrip, packetsMax},
		{wideFlights, nearTrip - 1, packetsMaxWide},
	} {
		m := newDialled(time.Unix(1000, 0), machineConfig{})
		if m.bits = c.bits; c.trip > 0 {
			m.rtt.sample(time.Second, c.trip)
		}
		if got := m.packetsLimit(); got != c.want {
			t.Errorf("bits %x, %v away: %d packets, want %d", c.bits, c.trip, got, c.want)
		}
	}
}
