package swarm

import (
	"testing"

	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// TestTrackerNumbers: an announcement says what the torrent had at the last update, and
// what came after it.
func TestTrackerNumbers(t *testing.T) {
	var tr trackers
	if got := tr.stats(); got != (tracker.Stats{}) {
		t.Errorf("before the first update: %+v", got)
	}
	tr.set(core.Totals{Up: 1, Down: 2, Missing: 3, Done: true})
	tr.addReceived(10)
	want := tracker.Stats{Uploaded: 1, Downloaded: 12, Left: 3, Idle: true}
	if got := tr.stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	tr.set(core.Totals{Down: 20, Missing: -1})
	want = tracker.Stats{Downloaded: 20, Left: -1}
	if got := tr.stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestNoTrackers: a torrent without trackers announces nothing, and has nothing to report
// or to leave.
func TestNoTrackers(t *testing.T) {
	var tr trackers
	tr.ownAddressChanged()
	tr.leave()
	if got := tr.report(); got != (tracker.Report{}) {
		t.Errorf("reports %+v", got)
	}
}
