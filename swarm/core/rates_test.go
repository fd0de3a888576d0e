package core

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	var m meter
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	if m.rate(at(5)) != 0 {
		t.Error("a rate without bytes")
	}
	for i := range 300 { // 100 bytes every 100 ms from 10 s to 40 s
		m.add(at(10+float64(i)/10), 100)
	}
	for _, c := range []struct {
		now          float64
		rate, recent int64
	}{
		{40, 1000, 1000}, {41.5, 923, 400}, {43, 842, 0}, {50, 474, 0}, {65, 0, 0},
	} {
		rate, recent := m.rate(at(c.now)), m.recent(at(c.now))
		if near := func(a, b int64) bool { return a-b < 60 && b-a < 60 }; !near(rate, c.rate) ||
			!near(recent, c.recent) {
			t.Errorf("at %v s: rate %d, recent %d, want about %d and %d", c.now, rate, recent,
				c.rate, c.recent)
		}
	}
	if m.total != 30_000 {
		t.Errorf("total %d", m.total)
	}
}

// TestMeterYoung: at the beginning the rate is over the time that there was.
func TestMeterYoung(t *testing.T) {
	var m meter
	m.add(100*time.Second, 1000)
	m.add(101*time.Second, 1000)
	if got := m.rate(102 * time.Second); got != 1000 {
		t.Errorf("rate %d, want 1000", got)
	}
}
