package swarm

import (
	"fmt"
	"testing"
	"testing/synctest"

	"swarmnode/metainfo"
)

// TestGroups: a group limits its torrents and no others, whether it is set before they name it
// or afterwards, and no longer when it is left out.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		e.SetGroups([]Group{{Name: "early", Down: 1000}})
		early, err := e.Add(Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true},
			Group: "early", Dir: t.TempDir(), Paused: true})
		if err != nil {
			t.Fatal(err)
		}
		late, other := addLink(t, e, 2), addLink(t, e, 3)
		if err := late.SetLimits(Limits{Group: "late"}); err != nil {
			t.Fatal(err)
		}
		expect := func(what string, torrents map[*Torrent][2]bool) {
			t.Helper()
			for torrent, want := range torrents {
				l := &torrent.limits
				if got := [2]bool{l.down.Limits(), l.up.Limits()}; got != want {
					t.Errorf("%s: %s is limited %v, want %v", what, torrent.Hash().Short(),
						got, want)
				}
			}
		}
		none, down, up, both := [2]bool{}, [2]bool{true, false}, [2]bool{false, true},
			[2]bool{true, true}
		expect("one group", map[*Torrent][2]bool{early: down, late: none, other: none})
		e.SetGroups([]Group{{Name: "early", Down: 1000}, {Name: "late", Up: 1000, Alone: true}})
		expect("two groups", map[*Torrent][2]bool{early: down, late: up, other: none})
		e.SetLimits(EngineLimits{Down: 5000, Up: 5000})
		expect("an engine with limits", map[*Torrent][2]bool{early: both, late: up, other: both})
		if err := other.SetLimits(Limits{Alone: true}); err != nil {
			t.Fatal(err)
		}
		e.SetGroups(nil)
		expect("no groups", map[*Torrent][2]bool{early: both, late: both, other: none})
	})
}

// TestGroupsAreForgotten: a name that no torrent has any more, and that has no limits, costs no
// memory.
func TestGroupsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		e.SetGroups([]Group{{Name: "set", Down: 1}})
		torrent, other := addLink(t, e, 1), addLink(t, e, 2)
		count := func(what string, want int) {
			t.Helper()
			if n := len(e.groups.all); n != want {
				t.Errorf("%s: %d groups, want %d", what, n, want)
			}
		}
		for i := range 100 {
			for _, l := range []Limits{{Group: fmt.Sprint(i)}, {Group: fmt.Sprint(i), Rank: 1}} {
				if err := torrent.SetLimits(l); err != nil {
					t.Fatal(err)
				}
			}
		}
		count("many names", 2)
		if err := other.SetLimits(Limits{Group: "99"}); err != nil {
			t.Fatal(err)
		}
		if err := torrent.SetLimits(Limits{}); err != nil {
			t.Fatal(err)
		}
		count("one of two members left", 2)
		if _, err := e.Add(Spec{Magnet: metainfo.Magnet{V1: other.Hash(), HasV1: true},
			Group: "never"}); err == nil {
			t.Error("a torrent was added twice")
		}
		count("a torrent that was not added", 2)
		other.Close()
		count("the other one has ended", 1)
		e.SetGroups(nil)
		count("no groups", 0)
	})
}
