package dht

import (
	"testing"
	"time"
)

// TestShortTimeout: the short timeout of a known node follows its last round trip, that
// of a stranger the round trips of others.
func TestShortTimeout(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		why     string
		samples []time.Duration
		known   time.Duration
		want    time.Duration
	}{
		{"nothing is known", nil, 0, shortTimeoutInitial},
		{"a known node", nil, 100 * ms, 180 * ms},
		{"a known node beside slow ones", []time.Duration{900 * ms}, 100 * ms, 180 * ms},
		{"a stranger after one sample", []time.Duration{100 * ms}, 0, 200 * ms},
		{"a stranger on a steady line", repeat(100*ms, 100), 0, 100 * ms},
		{"a close node", nil, 1 * ms, shortTimeoutMin},
		{"a stranger in a close network", repeat(1*ms, 10), 0, shortTimeoutMin},
		{"a distant node", nil, 10 * time.Second, shortTimeoutMax},
		{"a stranger in a distant network", repeat(5*time.Second, 5), 0, shortTimeoutMax},
	} {
		var r rtt
		for _, d := range c.samples {
			r.sample(d)
		}
		if got := r.timeout(c.known); got < c.want || got > c.want+ms {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

func repeat(d time.Duration, n int) (list []time.Duration) {
	for range n {
		list = append(list, d)
	}
	return list
}

// The estimate covers most round trips of a varying line: two deviations above the mean.
func TestShortTimeoutCoversJitter(t *testing.T) {
	var r rtt
	for i := range 400 {
		r.sample(time.Duration(80+i%5*10) * time.Millisecond) // 80 to 120 ms
	}
	if got := r.timeout(0); got < 115*time.Millisecond || got > 140*time.Millisecond {
		t.Errorf("timeout %v for round trips of 80 to 120 ms", got)
	}
}
