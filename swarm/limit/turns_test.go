package limit

import (
	"net/netip"
	"testing"
	"time"
)

func TestTurns(t *testing.T) {
	turns := NewTurns(5, 12, NewHome([]netip.Addr{netip.IPv4Unspecified()}))
	now := turns.each.start
	for _, step := range []struct {
		from  string
		times int
		want  int
		then  time.Duration
	}{
		{"192.0.2.1", 9, 5, 0},
		{"::ffff:192.0.2.1", 9, 0, 0},
		{"192.0.2.2", 9, 5, 0},
		{"192.0.2.3", 9, 2, 200 * time.Millisecond}, // the total is used up
		{"192.0.2.1", 9, 1, time.Minute},
		{"127.0.0.1", 99, 12, time.Minute}, // bound by the total alone
		{"127.0.0.2", 9, 5, time.Minute},   // we do not listen there
		{"2001:db8::1", 9, 5, 0},
		{"2001:db8::2", 9, 0, time.Minute}, // the same /64
		{"192.0.2.3", 9, 5, 0},             // no more is saved up than a second's worth
	} {
		got := 0
		for range step.times {
			if turns.Allow(now, netip.MustParseAddr(step.from)) {
				got++
			}
		}
		if got != step.want {
			t.Errorf("%s: %d times, want %d", step.from, got, step.want)
		}
		now = now.Add(step.then)
	}
}
