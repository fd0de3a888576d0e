package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/daemon/queue"
	"swarmnode/metainfo"
)

// Two torrents of which one may download at a time are fetched one after the other, in the
// order of their positions.
func TestDownloadsOneAfterTheOther(t *testing.T) {
	var torrents []*metainfo.Torrent
	var hosts []string
	for _, name := range []string{"first", "second-one"} {
		dir, torrent := makeTorrent(t, name, 300_000, metainfo.V1)
		torrents = append(torrents, torrent)
		hosts = append(hosts, hostOf(seeder(t, dir, torrent)))
	}
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	cfg.Settings.QueueDown = 1
	d := startDaemon(t, cfg)
	first := add(t, d, AddSpec{Torrent: torrents[0]}) // nobody has it yet
	awaitStatus(t, first, Downloading)
	second := add(t, d, AddSpec{Torrent: torrents[1], Peers: hosts[1:]})
	eventually(t, "the second one waits", func() bool {
		s := second.State()
		return s.Status == DownloadQueued && s.Why != "" && s.Queue == 1
	})
	d.Shift([]*Torrent{second}, queue.Top)
	if s := second.State(); s.Queue != 0 || first.State().Queue != 1 {
		t.Errorf("the positions are %d and %d", first.State().Queue, s.Queue)
	}
	d.Shift([]*Torrent{second}, queue.Bottom)
	if err := first.AddPeer(t.Context(), hosts[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are fetched", func() bool {
		return first.State().Status == Seeding && second.State().Status == Seeding
	})
	if err := second.Start(t.Context(), AtOnce); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forced", func() bool { return second.State().Forced })
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	if s := d.ByID(second.ID()).State(); s.Queue != 1 || !s.Forced {
		t.Errorf("after a restart it has position %d, forced %v", s.Queue, s.Forced)
	}
}

// A seed stops at its ratio, stays so across a restart, and runs again if the user wants that.
func TestSeedStopsAtItsRatio(t *testing.T) {
	dir, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	cfg := testConfig(t.TempDir(), dir, nil)
	cfg.Settings.SeedRatio = 1
	d := startDaemon(t, cfg)
	seed := add(t, d, AddSpec{Torrent: torrent, Complete: true})
	awaitStatus(t, seed, Seeding)
	leech := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	got := add(t, leech, AddSpec{Torrent: torrent, Peers: []string{hostOf(d)}})
	awaitStatus(t, got, Seeding)
	awaitStatus(t, seed, Stopped)
	stopped := func(s State) {
		t.Helper()
		if s.Status != Stopped || !s.Finished || s.Why != "reached the ratio 1" || s.Ratio < 1 ||
			s.Error != "" {
			t.Errorf("the seed is %v, finished %v, ratio %v: %q, %q", s.Status, s.Finished, s.Ratio,
				s.Why, s.Error)
		}
	}
	stopped(seed.State())
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	seed = d.ByID(seed.ID())
	stopped(seed.State())
	if err := seed.Start(t.Context(), InTurn); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, seed, Seeding)
	if s := seed.State(); s.Finished || s.Why != "" || seed.Options().Ratio.Mode != GoalNone {
		t.Errorf("after a start: finished %v, %q, %+v", s.Finished, s.Why, seed.Options().Ratio)
	}
}

// Downloads rest while too little space is free, whatever their users want.
func TestDownloadWaitsForSpace(t *testing.T) {
	dir, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, dir, torrent)
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	free, total, err := DiskSpace(cfg.Settings.Dir)
	if err != nil {
		t.Skip("this system does not say what is free:", err)
	}
	t.Log(free, "of", total, "bytes are free")
	cfg.Settings.MinFree = rateMax // no disk is that large
	d := startDaemon(t, cfg)
	got := add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	eventually(t, "it waits for space", func() bool {
		s := got.State()
		return s.Status == DownloadQueued && s.Why != "" && s.Error == ""
	})
	if _, err := os.Stat(filepath.Join(cfg.Settings.Dir, "content")); err == nil {
		t.Error("something was written")
	}
	if err := d.Change(t.Context(), func(s *Settings) { s.MinFree = 0 }); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, got, Seeding)
}

// Groups are kept, checked, and put into force.
func TestGroupsAreKept(t *testing.T) {
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	d := startDaemon(t, cfg)
	for _, g := range []Group{{Name: "a", Down: 1}, {Name: "b", Up: 2, Alone: true},
		{Name: "a", Down: 3}} {
		if err := d.SetGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []Group{{}, {Name: "c", Down: -1}} {
		if d.SetGroup(t.Context(), g) == nil {
			t.Errorf("the group %+v is taken", g)
		}
	}
	if err := d.RemoveGroup(t.Context(), "c"); err != ErrNoGroup {
		t.Errorf("removing a group that is not there: %v", err)
	}
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	if got := d.Groups(); len(got) != 2 || got[0] != (Group{Name: "a", Down: 3}) {
		t.Errorf("after a restart the groups are %+v", got)
	}
	if err := d.RemoveGroup(t.Context(), "b"); err != nil || len(d.Groups()) != 1 {
		t.Errorf("%v, %+v", err, d.Groups())
	}
}

// Rates and switches of the settings reach the node.
func TestSettingsReachTheNode(t *testing.T) {
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	err := d.Change(t.Context(), func(s *Settings) {
		s.Down, s.AltDown, s.TorrentPeers, s.LSD = 10_000, 500, 9, true
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rate is that of the settings", func() bool {
		l := d.Node().Limits()
		return l.Down == 10_000 && l.TorrentPeers == 9
	})
	if err := d.Change(t.Context(), func(s *Settings) { s.Alt = true }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the alternative rate is in force", func() bool {
		return d.Node().Limits().Down == 500
	})
	err = d.Change(t.Context(), func(s *Settings) {
		s.Alt, s.AltSchedule = false, "00:00-24:00"
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the schedule is in force", func() bool {
		s := d.Settings()
		return d.Node().Limits().Down == 500 && s.AltAt(time.Now())
	})
}
