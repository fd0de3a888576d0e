package core

import (
	"testing"
	"time"
)

// A peer may send many pointless messages for a while, not on and on.
func TestFloodOfMessages(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds []int // pointless messages in each second
		over    int   // the second in which it is over; -1 for never
	}{
		{"as many as are allowed", []int{floodRate, floodRate, floodRate, floodRate, floodRate,
			floodRate, floodRate}, -1},
		{"one more each second", []int{floodRate + 1, floodRate + 1, floodRate + 1, floodRate + 1,
			floodRate + 1}, 4},
		{"with a break", []int{2 * floodRate, 2 * floodRate, 2 * floodRate, 2 * floodRate, 0,
			2 * floodRate, 2 * floodRate, 2 * floodRate, 2 * floodRate}, -1},
	} {
		var f flood
		over := -1
		for second, n := range c.seconds {
			for range n {
				f.pointless()
			}
			if f.over(time.Duration(second+1)*time.Second) && over < 0 {
				over = second
			}
		}
		if over != c.over {
			t.Errorf("%s: over in second %d, want %d", c.name, over, c.over)
		}
	}
}

// A look that comes late allows for the time that has passed.
func TestFloodLooksLate(t *testing.T) {
	var f flood
	for second := 10; second <= 100; second += 10 {
		for range 10 * floodRate {
			f.pointless()
		}
		if f.over(time.Duration(second) * time.Second) {
			t.Fatalf("%d messages a second are a flood after %d s", floodRate, second)
		}
	}
}

func TestFloodOfBytes(t *testing.T) {
	var f flood
	f.came(vainMax)
	if f.junk() {
		t.Error("as many useless bytes as are allowed are junk")
	}
	f.sound()
	f.came(vainMax)
	if f.junk() {
		t.Error("a message that says something new counts as useless")
	}
	f.came(1)
	if !f.junk() {
		t.Error("one byte more is no junk")
	}
	f.came(100)
	f.sound()
	if !f.junk() {
		t.Error("a message that says something new makes up for others")
	}
	f.useful()
	if f.junk() {
		t.Error("a useful message does not make up for others")
	}
	f.check()
}

func TestFloodForgives(t *testing.T) {
	var f flood
	f.came(vainMax + vainForgiven)
	if !f.junk() || f.over(time.Second) || f.junk() {
		t.Errorf("%d bytes are not forgiven in a second", vainForgiven)
	}
	f.over(1000 * time.Hour)
	if f.vain != 0 {
		t.Errorf("%d bytes are left after weeks, want 0", f.vain)
	}
	f.check()
}

func TestFloodSizes(t *testing.T) {
	var f flood
	f.cameCostly(vainMax/costlyFactor + 1)
	if !f.junk() {
		t.Error("bytes that took a limit from others count once")
	}
	f = flood{}
	f.came(101)
	if f.soundUpTo(100); f.vain != 101 {
		t.Error("a message larger than sound ones counts as sound")
	}
	f.came(100)
	if f.soundUpTo(100); f.vain != 101 {
		t.Error("a message as large as sound ones counts as useless")
	}
}
