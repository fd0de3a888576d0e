package transport

import (
	"math"
	"testing"
	"time"
)

// TestUplinkCounts: a stream counts from its first send on until it has sent nothing for a
// whole second.
func TestUplinkCounts(t *testing.T) {
	type send struct {
		at     time.Duration
		stream int
		want   int
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		sends []send
	}{
		{"one", []send{{0, 0, 1}, {250 * ms, 0, 1}, {1200 * ms, 0, 1}, {9000 * ms, 0, 1}}},
		{"three begin", []send{{0, 0, 1}, {0, 1, 2}, {10 * ms, 1, 2}, {20 * ms, 2, 3},
			{250 * ms, 0, 3}}},
		{"the next second", []send{{0, 0, 1}, {0, 1, 2}, {999 * ms, 0, 2}, {1000 * ms, 0, 2},
			{1100 * ms, 1, 2}, {2000 * ms, 0, 2}}},
		{"one stops", []send{{0, 0, 1}, {0, 1, 2}, {1000 * ms, 0, 2}, {1900 * ms, 0, 2},
			{2000 * ms, 0, 1}}},
		{"all stop", []send{{0, 0, 1}, {0, 1, 2}, {1999 * ms, 2, 2}, {5000 * ms, 0, 1}}},
	} {
		var u Uplink
		var counted [3]uint32
		began := time.Unix(1, 0)
		for _, s := range tt.sends {
			if got := u.sends(began.Add(s.at), &counted[s.stream]); got != s.want {
				t.Errorf("%s: %d streams at %v, want %d", tt.name, got, s.at, s.want)
			}
		}
	}
}

// TestUplinkTurnsWrap: after 2^32 seconds the count goes on.
func TestUplinkTurnsWrap(t *testing.T) {
	now := time.Unix(1, 0)
	u := Uplink{turn: math.MaxUint32, began: now}
	var fresh uint32
	for range 3 {
		now = now.Add(2 * countFor)
		if got := u.sends(now, &fresh); got != 1 {
			t.Fatalf("%d streams send, want 1", got)
		}
	}
}
