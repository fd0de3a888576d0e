package core

import (
	"testing"
	"time"
)

func TestTimers(t *testing.T) {
	ts := newTimers()
	if ts.next() != never {
		t.Error("a new table waits for something")
	}
	ts.by(timerDial, 5*time.Second)
	ts.by(timerSweep, 3*time.Second)
	ts.by(timerDial, 9*time.Second)
	if ts.next() != 3*time.Second {
		t.Errorf("the next deadline is %v, want 3 s", ts.next())
	}
	if ts.due(timerSweep, 3*time.Second-1) || !ts.due(timerSweep, 3*time.Second) {
		t.Error("a deadline is due when its time has come")
	}
	if ts.due(timerSweep, time.Hour) {
		t.Error("a deadline is due twice")
	}
	if ts.next() != 5*time.Second {
		t.Errorf("by has put a deadline off to %v", ts.next())
	}
	ts.set(timerDial, 9*time.Second)
	if ts.next() != 9*time.Second {
		t.Errorf("set has not put a deadline off: %v", ts.next())
	}
}

// Every reason, event and state has a name of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range reasonCount {
		if name := r.String(); name == "" || seen[name] {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen[r.String()] = true
	}
	seen = map[string]bool{}
	for k := range eventKinds {
		if name := k.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("event %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if reasonCount.String() != "unknown" {
		t.Error("a reason that there is not has a name")
	}
}
