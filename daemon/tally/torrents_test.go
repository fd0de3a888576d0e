package tally

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// begin is when the histories of these tests begin.
var begin = time.Unix(1_000_000_000, 0)

func after(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }

// downs returns the speeds of a history in one direction.
func downs(rates []Rate) (list []int64) {
	for _, r := range rates {
		list = append(list, r.Down)
	}
	return list
}

// A speed lasts until the next one; the seconds and the tens of seconds say so, up to now.
func TestTorrentHistory(t *testing.T) {
	c := newTally(nil, begin)
	c.histories.set(begin, 1, 0, 0)
	if seconds, _ := c.torrentHistory(1, after(1)); seconds != nil || len(c.histories.by) != 0 {
		t.Error("a torrent that has moved nothing has a history")
	}
	c.histories.set(begin, 1, 100, 5)
	c.histories.set(after(5), 1, 300, 5)
	c.histories.set(after(20), 1, 0, 0)
	seconds, minutes := c.torrentHistory(1, after(30))
	if len(seconds) != secondsMax || len(minutes) != minutesMax {
		t.Fatalf("%d and %d values", len(seconds), len(minutes))
	}
	want := slices.Concat(make([]int64, 29), slices.Repeat([]int64{100}, 5),
		slices.Repeat([]int64{300}, 15), make([]int64, 11))
	if got := downs(seconds); !slices.Equal(got, want) {
		t.Errorf("the seconds are %v, want %v", got, want)
	}
	if got := downs(minutes[len(minutes)-4:]); !slices.Equal(got, []int64{0, 200, 300, 0}) {
		t.Errorf("the tens of seconds are %v", got)
	}
	if last := seconds[len(seconds)-1]; !last.Time.Equal(after(30)) {
		t.Errorf("the last second is %v", last.Time)
	}
	if last := minutes[len(minutes)-1]; !last.Time.Equal(after(29)) {
		t.Errorf("the last tens of seconds end at %v", last.Time)
	}
	if up := minutes[len(minutes)-2].Up; up != 5 {
		t.Errorf("up %d", up)
	}
}

// A speed that stays the same for hours fills the history, and one without traffic is dropped.
func TestTorrentHistoryAges(t *testing.T) {
	c := newTally(nil, begin)
	c.histories.set(begin, 1, 7, 8)
	_, minutes := c.torrentHistory(1, after(3*3600))
	if got := downs(minutes); !slices.Equal(got, slices.Repeat([]int64{7}, minutesMax)) {
		t.Errorf("after three hours: %v", got)
	}
	c.histories.set(after(3*3600), 1, 0, 0)
	c.histories.tidy(after(4*3600 - 5))
	if len(c.histories.by) != 1 {
		t.Error("it was dropped before an hour had passed")
	}
	c.histories.tidy(after(4*3600 + 70))
	if len(c.histories.by) != 0 {
		t.Error("it is kept after an hour without traffic")
	}
	c.histories.set(after(5*3600), 2, 9, 9)
	c.histories.set(after(4*3600), 2, 1, 1) // the clock was set back
	if seconds, _ := c.torrentHistory(2, after(4*3600)); seconds[len(seconds)-1].Down != 1 {
		t.Errorf("after the clock was set back: %v", seconds[len(seconds)-1])
	}
	c.take(&daemon.Changes{Removed: []daemon.ID{2}}, begin)
	if len(c.histories.by) != 0 {
		t.Error("a torrent that is gone has a history")
	}
}

// Their memory has a bound: the torrent that has rested longest gives way, and without memory
// there is no new one.
func TestHistoriesAreBounded(t *testing.T) {
	h := newHistories()
	room := true
	h.room = func(n int64) bool { return room && n > 0 }
	for i := range daemon.ID(historiesMax) {
		h.set(after(int(i)), i+1, 1, 1)
	}
	h.set(after(historiesMax), historiesMax+1, 1, 1)
	if len(h.by) != historiesMax || h.by[historiesMax+1] != nil {
		t.Errorf("%d histories, and none had rested", len(h.by))
	}
	h.set(after(historiesMax+1), 9, 0, 0)
	h.set(after(historiesMax+2), 5, 0, 0)
	h.set(after(historiesMax+3), historiesMax+1, 1, 1)
	if len(h.by) != historiesMax || h.by[historiesMax+1] == nil || h.by[9] != nil {
		t.Errorf("%d histories; the one that had rested longest: %v", len(h.by), h.by[9])
	}
	room = false
	delete(h.by, 5)
	h.set(after(historiesMax+4), 5, 1, 1)
	if h.by[5] != nil {
		t.Error("there is a new one without memory")
	}
}

// A torrent that is fetched from a peer has a history, and so has that of the peer.
func TestTransferHasAHistory(t *testing.T) {
	seed, leech := start(t), start(t)
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	given, taken := New(seed), New(leech)
	defer given.Close()
	defer taken.Close()
	_, err = seed.Add(t.Context(), daemon.AddSpec{Torrent: torrent, Complete: true,
		Options: daemon.Options{Dir: filepath.Dir(path)}})
	if err == nil {
		_, err = leech.Add(t.Context(), daemon.AddSpec{Torrent: torrent,
			Peers: []string{seed.Node().Addrs()[0].String()}})
	}
	if err != nil {
		t.Fatal(err)
	}
	moved := func(c *Tally, of func(Rate) int64) bool {
		seconds, _ := c.TorrentHistory(1)
		return slices.ContainsFunc(seconds, func(r Rate) bool { return of(r) > 0 })
	}
	up, down := func(r Rate) int64 { return r.Up }, func(r Rate) int64 { return r.Down }
	for deadline := time.Now().Add(time.Minute); !moved(given, up) || !moved(taken, down); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was recorded")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
