//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

// TestEventCells: never is later than any time, and what was not measured says so.
func TestEventCells(t *testing.T) {
	same := func(d time.Duration) time.Duration { return d }
	for _, tt := range []struct {
		gaps []time.Duration
		want string
	}{
		{[]time.Duration{time.Second, 3 * time.Second, 2 * time.Second}, "2.0"},
		{[]time.Duration{0, 0, time.Second}, "never"},
		{[]time.Duration{0, time.Second, 4 * time.Second}, "4.0"},
		{[]time.Duration{noData, time.Second, noData}, "no data"},
	} {
		if got := shown(middle(tt.gaps, same)); got != tt.want {
			t.Errorf("the middle of %v is %s, want %s", tt.gaps, got, tt.want)
		}
	}
}

// TestLogNames: the name of a run makes a file in the folder, whatever it consists of.
func TestLogNames(t *testing.T) {
	for _, run := range []string{"other ports / other ports DHT", "../up"} {
		if name := logName(run, 0); strings.ContainsAny(name, "/ ") ||
			!strings.HasSuffix(name, "-1.log") {
			t.Errorf("the log of %q is in %q", run, name)
		}
	}
}
