package swarm

import (
	"testing"
	"time"
)

// Strangers get as many permits at once as the burst has, and then one after each pause.
func TestKnockBudget(t *testing.T) {
	var b knockBudget
	start := time.Unix(1_800_000_000, 0)
	taken := func(at time.Duration) (n int) {
		for b.take(start.Add(at)) {
			n++
		}
		return n
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{
		{0, knocksBurst}, {knocksPause - 1, 0}, {knocksPause, 1}, {4*knocksPause + 1, 3},
		{time.Hour, knocksBurst},
	} {
		if got := taken(c.at); got != c.want {
			t.Errorf("after %v: %d, want %d", c.at, got, c.want)
		}
	}
	// Within the life of a permit they take at most three quarters of those of an allocation.
	b = knockBudget{}
	n := 0
	for at := time.Duration(0); at <= 5*time.Minute; at += time.Second {
		n += taken(at)
	}
	if n > permitsKnown*3/4 {
		t.Errorf("%d permits in five minutes", n)
	}
}
