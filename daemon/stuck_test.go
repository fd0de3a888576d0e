package daemon

import (
	"testing"
	"time"

	"swarmnode/daemon/stuck"
	"swarmnode/dht"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/bits"
)

// The lowest limit counts, unless the torrent or its group is left out of those of all.
func TestLimitOfATorrent(t *testing.T) {
	s := surroundings{limits: swarm.EngineLimits{Down: 5000}, groups: []Group{
		{Name: "slow", Down: 1000}, {Name: "free", Down: 9000, Alone: true}}}
	for _, tt := range []struct {
		o    limited
		alt  bool
		rate int64
		by   string
	}{
		{limited{}, false, 5000, "the limit of all torrents"},
		{limited{}, true, 5000, "the alternative limit"},
		{limited{down: 400, group: "slow"}, false, 400, "its own limit"},
		{limited{down: 4000, group: "slow"}, false, 1000, "the limit of the group slow"},
		{limited{group: "other"}, false, 5000, "the limit of all torrents"},
		{limited{alone: true}, false, 0, ""},
		{limited{group: "free"}, true, 9000, "the limit of the group free"},
	} {
		s.alt = tt.alt
		if rate, by := s.limit(&tt.o); rate != tt.rate || by != tt.by {
			t.Errorf("%+v: %d by %q, want %d by %q", tt.o, rate, by, tt.rate, tt.by)
		}
	}
}

// What a torrent waits for follows from what it was told.
func TestWaitOf(t *testing.T) {
	for _, tt := range []struct {
		d    drive
		want stuck.Stage
	}{
		{drive{aim: aimRun}, stuck.Opening},
		{drive{aim: aimRun, short: true}, stuck.AwaitMemory},
		{drive{}, stuck.Opening},
		{drive{why: turnText(1, "seed")}, stuck.AwaitTurn},
		{drive{why: turnText(7, "download")}, stuck.AwaitTurn},
		{drive{why: "less than 1 GiB is free on the file system of /d"}, stuck.AwaitRoom},
	} {
		if got := waitOf(&tt.d); got != tt.want {
			t.Errorf("%+v waits for %d, want %d", tt.d, got, tt.want)
		}
	}
}

// The first missing piece that nobody has is found among the files that are wanted.
func TestFirstLacking(t *testing.T) {
	_, torrent := makeTorrent(t, "x", 10*16<<10, metainfo.V1)
	l := torrent.Info().Layout()
	n := l.Pieces()
	p := swarm.PiecesState{Have: bits.New(n), Availability: make([]uint16, n)}
	for i := range n {
		p.Availability[i] = 1
	}
	if got := firstLacking(&p, l, nil); got != -1 {
		t.Errorf("somebody has each piece, and yet %d is missing", got)
	}
	p.Availability[n-1], p.Availability[2] = 0, 0
	p.Have.Add(2)
	if got := firstLacking(&p, l, nil); got != n-1 {
		t.Errorf("piece %d, want %d", got, n-1)
	}
	if got := firstLacking(&p, l, []swarm.Priority{swarm.Unwanted}); got != -1 {
		t.Errorf("nothing is wanted, and yet %d is missing", got)
	}
}

// A private torrent does not ask the DHT, so that the DHT is no reason.
func TestPrivateTorrentsAndTheDHT(t *testing.T) {
	s := surroundings{dht: &dht.Stats{}}
	for _, private := range []bool{false, true} {
		f := stuck.Facts{Piece: -1}
		f.Swarm.Phase = swarm.Downloading
		now := time.Unix(1000, 0)
		s.look(&f, now, &State{Private: private, Started: now.Add(-time.Hour)}, new(limited))
		want := stuck.DHTSilent
		if private {
			want = stuck.Nobody
		}
		if got := f.Reason(); got != want {
			t.Errorf("private %v: %q, want %q", private, got, want)
		}
	}
}

// A queued torrent says how many come before it, and one that its user has stopped says nothing.
func TestStuckTorrents(t *testing.T) {
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	cfg.Settings.QueueDown = 1
	d := startDaemon(t, cfg)
	var list []*Torrent
	for _, name := range []string{"one", "second"} {
		_, torrent := makeTorrent(t, name, 100_000, metainfo.V1)
		list = append(list, add(t, d, AddSpec{Torrent: torrent}))
	}
	eventually(t, "the second one waits", func() bool {
		return list[1].State().Stuck == stuck.Queued
	})
	if v := list[1].Stuck(t.Context()); v.Reason != stuck.Queued || v.Values["ahead"] != 1 {
		t.Errorf("the second in the queue: %+v", v)
	}
	if err := list[1].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := list[1].Stuck(t.Context()); v.Reason != stuck.Moving || v.Text != "" {
		t.Errorf("a stopped torrent: %+v", v)
	}
}

// Whoever follows the changes hears of a torrent that is stuck by now though nothing has
// happened to it.
func TestStuckTorrentsAreTold(t *testing.T) {
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	one := add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, one, Downloading)
	g := gaze{one.ID(): stuck.Silent, 99: stuck.Choked}
	before := d.Seq()
	g.look(d.Torrents())
	if d.Seq() == before || g[one.ID()] != one.State().Stuck || len(g) != 1 {
		t.Errorf("it was not told: %v", g)
	}
	if err := one.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it rests", func() bool { g.look(d.Torrents()); return len(g) == 0 })
}
