package queue

import (
	"strings"
	"testing"
	"time"
)

const never = -1 // as picture.next: does not matter

func TestFreePlaces(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"nobody", 2, "", "", 0},
		{"no limit", 0, "w w w", "R R R", 0},
		{"in the order of positions", 2, "w w w", "R R W", settleTime},
		{"one is free", 2, "r w w", "R R W", never},
		{"none is free", 2, "r r w", "R R W", stalledAfter - time.Second},
		{"nobody waits", 2, "r r", "R R", 0},
		{"only one may start", 2, "wh w", "W R", never},
		{"none may start", 2, "wh", "W", time.Minute},
		{"none may start without a limit", 0, "wh", "W", time.Minute},
		{"a negative limit is none", -1, "w w", "R R", 0},
	})
}

func TestForced(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"starts beyond the limit", 1, "r w wf", "R W R", never},
		{"takes no place", 1, "rf w", "R R", 0},
		{"stays when the limit is lower", 1, "r rf rf", "R R R", 0},
		{"may not start yet", 1, "wfh", "W", time.Minute},
	})
}

func TestStalled(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"takes no place", 1, "rz w", "R R", 0},
		{"keeps running", 1, "rz rz r", "R R R", 0},
		{"has just started", 1, "rn w", "R W", settleTime},
		{"moves for a moment", 1, "rb r", "R R", settleTime - time.Second},
		{"moves steadily", 1, "rs r", "R W", never},
		{"moves steadily as the last", 1, "r rs", "R W", never},
		{"moves for a moment while one waits", 1, "rb r w", "R R W", never},
	})
	look(t, Download, 0, []picture{
		{"every torrent counts", 1, "rz", "R", 0},
	})
}

func TestTooManyHavePlaces(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"the last ones rest", 1, "r r r", "R W W", never},
		{"those that have just started stay", 1, "r rn", "R R", settleTime},
		{"spent ones rest first", 1, "rx r", "X R", never},
	})
}

func TestRank(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"the first one displaces the last", 2, "w r r", "R R W", never},
		{"not one that has just started", 1, "w rn", "W R", settleTime},
		{"one that is spent displaces nobody", 1, "wx r", "X R", never},
		{"one that is spent gives way", 1, "rx w", "X R", never},
		{"two displace two", 2, "w w r r", "R R W W", never},
		{"one displaces one", 2, "w r w r", "R R W W", never},
	})
}

func TestTurns(t *testing.T) {
	look(t, Seed, 0, []picture{
		{"one without demand gives way", 1, "rz w", "X R", never},
		{"one with demand does not", 1, "r w", "R W", turnTime - time.Second},
		{"the one that was not spent comes first", 1, "rz wx2 w", "X X R", never},
		{"the one that has waited longest comes first", 1, "rz wx wx2", "X X R", never},
		{"nobody waits", 1, "rz", "R", 0},
		{"each that waits gets one", 3, "rz rz r w", "R X R R", never},
	})
	look(t, Seed, stalledAfter, []picture{
		{"a stalled seed takes no place", 1, "rz w", "R R", 0},
	})
}

func TestThin(t *testing.T) {
	many := strings.Repeat("rz ", stalledMax)
	look(t, Seed, stalledAfter, []picture{
		{"as many as may be", 1, "r " + many + "w",
			"R " + strings.Repeat("R ", stalledMax) + "W", never},
		{"one too many", 1, "r " + many + "rz2 w",
			"R " + strings.Repeat("R ", stalledMax) + "X W", never},
		{"one too many while nobody waits", 1, "r " + many + "rz2",
			strings.TrimSpace("R " + strings.Repeat("R ", stalledMax) + "R"), never},
		{"one too many while a spent one waits", 1, "r " + many + "rz2 wx",
			strings.TrimSpace("R " + strings.Repeat("R ", stalledMax) + "R X"), never},
	})
}

func TestHashed(t *testing.T) {
	look(t, Download, stalledAfter, []picture{
		{"takes no place", 1, "rc w", "R R", 0},
		{"is never interrupted", 1, "rc r rc", "R R R", 0},
		{"is never stalled", 1, "rcz r", "R R", 0},
	})
}

// The queues of downloads and seeds do not know each other.
func TestKindsAreApart(t *testing.T) {
	var list []Torrent
	for _, kind := range []Kind{Seed, Download, Download, Seed, Seed} {
		list = append(list, Torrent{Kind: kind, Since: noon.Add(-time.Minute)})
	}
	var p Planner
	plan := p.Decide(noon, Limits{Downloads: 1, Seeds: 2}, list)
	carryOut(t, noon, plan, list)
	if got, want := result(list), "R R W R W"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A torrent that was stalled counts again when it moves, and Spent ends then.
func TestMove(t *testing.T) {
	x := Torrent{Running: true, Spent: true, Since: noon}
	x.Move(noon.Add(time.Minute), stalledAfter)
	if x.Spent || !x.Back.IsZero() {
		t.Errorf("after the first bytes: %+v", x)
	}
	at := noon.Add(time.Hour)
	if !x.Stalled(at, stalledAfter) || x.Stalled(at, 0) || x.Stalled(at, 2*time.Hour) {
		t.Error("Stalled is wrong about an hour without a byte")
	}
	x.Move(at, stalledAfter)
	if x.Stalled(at, stalledAfter) || !x.Back.Equal(at) {
		t.Errorf("after it moved again: %+v", x)
	}
	x.Rest(at, Outranked)
	if x.Stalled(at.Add(time.Hour), stalledAfter) {
		t.Error("a torrent that waits is stalled")
	}
	check := Torrent{Hashed: true, Running: true, Since: noon}
	if check.Stalled(at, stalledAfter) {
		t.Error("a torrent that is being checked is stalled")
	}
}

// Plans of many torrents that nothing happens to are cheap.
func BenchmarkDecide(b *testing.B) {
	list := make([]Torrent, 10_000)
	for i := range list {
		list[i] = Torrent{Kind: Seed, Since: noon.Add(-time.Hour), Running: i < 5,
			Moved: noon.Add(-time.Second)}
	}
	var p Planner
	for b.Loop() {
		p.Decide(noon, Limits{Seeds: 5, Downloads: 5, Stalled: stalledAfter}, list)
	}
}
