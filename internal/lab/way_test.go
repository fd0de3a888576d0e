//go:build linux

package lab

import (
	"testing"
	"time"
)

// full is the length of a packet that takes 1 ms at 12 Mbit/s.
const full = 1500 - frameBytes

func TestLineDelaysByRateAndDistance(t *testing.T) {
	l := newLine(Way{Rate: 12, Delay: 25 * time.Millisecond})
	for i := range 10 {
		at, ok := l.send(0, full)
		want := 25*time.Millisecond + time.Duration(i+1)*time.Millisecond
		if !ok || at != want {
			t.Errorf("packet %d arrives at %v, %v; want %v", i, at, ok, want)
		}
	}
	// An idle line owes nothing.
	if at, ok := l.send(time.Second, full); !ok || at != time.Second+26*time.Millisecond {
		t.Errorf("after a pause: %v, %v", at, ok)
	}
}

// TestLineQueueIsBounded: a queue of 10 ms takes ten packets behind the one that leaves.
func TestLineQueueIsBounded(t *testing.T) {
	l := newLine(Way{Rate: 12, Queue: 10 * time.Millisecond})
	taken := 0
	for range 100 {
		if _, ok := l.send(0, full); ok {
			taken++
		}
	}
	if taken != 11 || l.tally.Dropped != 89 || l.tally.Waited != 10*time.Millisecond {
		t.Errorf("took %d, tally %+v; want 11 taken, 89 dropped, 10 ms waited", taken, l.tally)
	}
	if _, ok := l.send(time.Millisecond, full); !ok {
		t.Error("no room after a packet has left")
	}
	if l.tally.Packets != 12 || l.tally.Bytes != 12*full {
		t.Errorf("counted %+v, want 12 packets", l.tally)
	}
}

// TestLineHoldsItsRate: whatever is sent, no more than the rate arrives.
func TestLineHoldsItsRate(t *testing.T) {
	l := newLine(Way{Rate: 12, Queue: 50 * time.Millisecond})
	var last time.Duration
	for now := time.Duration(0); now < time.Second; now += 100 * time.Microsecond {
		if at, ok := l.send(now, full); ok {
			if at < last {
				t.Fatalf("a packet arrives at %v, before an earlier one at %v", at, last)
			}
			last = at
		}
	}
	if got := l.tally.Packets; got < 1000 || got > 1051 {
		t.Errorf("%d packets in a second and a queue of 50 ms, want 1,000 to 1,051", got)
	}
}

func TestLineLosesByItsSeed(t *testing.T) {
	const packets = 100_000
	run := func(seed uint64) (lost int64, first int) {
		l := newLine(Way{Loss: 0.01, Seed: seed})
		first = -1
		for i := range packets {
			if _, ok := l.send(0, full); !ok && first < 0 {
				first = i
			}
		}
		return l.tally.Lost, first
	}
	lost, first := run(1)
	if lost < 900 || lost > 1100 {
		t.Errorf("%d of %d lost, want about 1 %%", lost, packets)
	}
	if again, at := run(1); again != lost || at != first {
		t.Errorf("the same seed lost %d, first %d; before %d, first %d", again, at, lost, first)
	}
	if other, at := run(2); other == lost && at == first {
		t.Error("another seed loses the same packets")
	}
}

func TestZeroWayPassesAll(t *testing.T) {
	l := newLine(Way{})
	for i := range 1000 {
		now := time.Duration(i/10) * time.Second
		if at, ok := l.send(now, full); !ok || at != now {
			t.Fatalf("packet %d: %v, %v; want %v", i, at, ok, now)
		}
	}
}
