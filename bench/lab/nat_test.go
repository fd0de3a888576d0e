//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// TestNATMedians: a run without data counts as later than any other one.
func TestNATMedians(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		runs []natFigure
		want string
	}{
		{[]natFigure{{2 * s, 3 * s}}, "2.0 / 3.0"},
		{[]natFigure{{}, {5 * s, 9 * s}, {s, 2 * s}}, "5.0 / 9.0"},
		{[]natFigure{{2 * s, 0}, {s, 0}, {3 * s, 4 * s}}, "2.0 / never"},
		{[]natFigure{{}, {}, {s, 2 * s}}, "never"},
	} {
		if got := natMiddle(tt.runs).String(); got != tt.want {
			t.Errorf("the median of %v is %s, want %s", tt.runs, got, tt.want)
		}
	}
}

// TestNATSeats: every client takes either seat with every other one, once.
func TestNATSeats(t *testing.T) {
	const other = string(realclient.Libtorrent)
	got := natSeats([]contender{{client: node}, {client: node, utp: true}, {client: other},
		{client: string(realclient.Aria2)}})
	want := [][2]string{{node, node}, {node, other}, {other, node}, {other, other}}
	if !slices.Equal(got, want) {
		t.Errorf("the seats are %v, want %v", got, want)
	}
}
