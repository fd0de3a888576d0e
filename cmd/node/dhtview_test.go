package main

import (
	"testing"
	"time"

	"swarmnode/dht"
)

// After five seconds without an answer from a DHT node, one line says so, once, and names
// the hosts that were asked.
func TestSilence(t *testing.T) {
	for _, tt := range []struct {
		hosts []string
		st    dht.Stats
		want  string
	}{
		{[]string{"127.0.0.1:6881"}, dht.Stats{QueriesOut: 3},
			"for 5s no DHT node answered (asked 127.0.0.1:6881) (try: another --bootstrap)"},
		{[]string{"a.example:1", "b.example:2", "c.example:3", "d.example:4", "e.example:5"},
			dht.Stats{QueriesOut: 9},
			"for 5s no DHT node answered (asked a.example:1, b.example:2, c.example:3 and 2 " +
				"more) (try: another --bootstrap)"},
		{[]string{"a.example:1"}, dht.Stats{QueriesOut: 9, Saved: 30},
			"for 5s no DHT node answered (asked a.example:1 and 30 nodes of an earlier run) " +
				"(try: another --bootstrap)"},
		{nil, dht.Stats{QueriesOut: 9, Saved: 1},
			"for 5s no DHT node answered (asked 1 node of an earlier run) (try: another " +
				"--bootstrap)"},
		{[]string{"a.example:1"}, dht.Stats{},
			"for 5s no DHT node could be asked: there is no address for a.example:1 (try: " +
				"another --bootstrap)"},
		{[]string{"127.0.0.1:6881"}, dht.Stats{QueriesOut: 3, Answers: 1}, ""},
		{nil, dht.Stats{}, ""}, // nobody was to be asked
	} {
		c, _, stderr := testConsole()
		s := silence{hosts: tt.hosts}
		for _, age := range []time.Duration{time.Second, 4999 * time.Millisecond} {
			if s.look(c, tt.st, age); stderr.Len() > 0 {
				t.Errorf("%v: after %v: %s", tt.hosts, age, stderr)
			}
		}
		s.look(c, tt.st, 5*time.Second)
		s.look(c, tt.st, 6*time.Second)
		want := tt.want
		if want != "" {
			want = "node: add: warning: " + want + "\n"
		}
		if got := stderr.String(); got != want {
			t.Errorf("%v: %q, want %q", tt.hosts, got, want)
		}
	}
}

// While nothing can be sent to anybody, and for five seconds after that, silence means
// nothing.
func TestSilenceWhileCutOff(t *testing.T) {
	var s silence
	start := time.Now()
	for _, step := range []struct {
		second int
		cutOff bool
		want   int // seconds
	}{{1, false, 1}, {2, true, 0}, {9, true, 0}, {10, false, 1}, {15, false, 6}} {
		now := start.Add(time.Duration(step.second) * time.Second)
		if got := s.age(now, start, step.cutOff); got != time.Duration(step.want)*time.Second {
			t.Errorf("after %d s: %v, want %d s", step.second, got, step.want)
		}
	}
	if got := s.age(start.Add(time.Minute), start.Add(50*time.Second), false); got !=
		10*time.Second {
		t.Errorf("of a node that started later: %v", got)
	}
}
