package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// TestHashingIsQueued: of torrents whose content has to be hashed one is hashed at a time, and the
// others say that they wait.
func TestHashingIsQueued(t *testing.T) {
	state := t.TempDir()
	var torrents []*metainfo.Torrent
	dirs := make(map[metainfo.Hash]string)
	for i := range 4 {
		dir, torrent := makeTorrent(t, fmt.Sprint("content", i), 2<<20, metainfo.V1)
		torrents = append(torrents, torrent)
		dirs[torrent.Info().Hash()] = dir
	}
	d := startDaemon(t, testConfig(state, t.TempDir(), nil))
	news := d.Subscribe(0)
	for _, torrent := range torrents {
		got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true,
			Dir: dirs[torrent.Info().Hash()]}})
		got.mu.Lock()
		got.rec.Shown.Size = checkBytesMax // as if it were larger
		got.mu.Unlock()
	}
	for _, torrent := range d.Torrents() {
		if err := torrent.Start(t.Context(), InTurn); err != nil {
			t.Fatal(err)
		}
	}
	most, waited := 0, false
	for seeding := 0; seeding < len(torrents); {
		if _, err := news.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		checking := 0
		seeding = 0
		for _, torrent := range d.Torrents() {
			switch torrent.State().Status {
			case Checking:
				checking++
			case CheckQueued:
				waited = true
			case Seeding:
				seeding++
			}
		}
		most = max(most, checking)
	}
	if most != 1 || !waited {
		t.Errorf("%d were hashed at one time; some waited: %v", most, waited)
	}
	// Those at rest can be hashed, too, and rest again.
	for _, torrent := range d.Torrents() {
		if err := errors.Join(torrent.Stop(t.Context()), torrent.Verify(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dirs[torrents[0].Info().Hash()], "content0")
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, torrent := range d.Torrents() {
		awaitStatus(t, torrent, Stopped)
	}
	bad := d.Torrent(torrents[0].Info().Hash())
	if err := bad.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the damage shows", func() bool { return bad.State().Got == 0 })
	awaitStatus(t, bad, Stopped)
}

// TestNoMemory: torrents for which the memory limit has no room wait, which is no error, and go on
// when there is room again.
func TestNoMemory(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 50_000, metainfo.V1)
	d := startDaemon(t, testConfig(t.TempDir(), from, nil))
	before := debug.SetMemoryLimit(1 << 20)
	defer debug.SetMemoryLimit(before)
	got := add(t, d, AddSpec{Torrent: torrent})
	eventually(t, "it waits", func() bool { return got.State().Why == whyShort })
	if s := got.State(); s.Status != DownloadQueued || s.Error != "" {
		t.Errorf("it is %v, %q", s.Status, s.Error)
	}
	if _, err := got.Files(t.Context()); !errors.Is(err, swarm.ErrMemory) {
		t.Errorf("opened without room: %v", err)
	}
	debug.SetMemoryLimit(before)
	d.hands.retry()
	awaitStatus(t, got, Seeding)
	if s := got.State(); s.Why != "" {
		t.Errorf("it still says %q", s.Why)
	}
}

// TestHybridByItsOtherHash: a link that names a hybrid by its v2 hash alone becomes a torrent that
// both hashes find, and that keeps its name and what it has across a restart.
func TestHybridByItsOtherHash(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 100_000, metainfo.Hybrid)
	seeds := seeder(t, from, torrent)
	v1 := torrent.Info().Hash()
	v2, _ := torrent.Info().HashV2()
	state, dir := t.TempDir(), t.TempDir()
	d := startDaemon(t, testConfig(state, dir, nil))
	got := add(t, d, AddSpec{Magnet: metainfo.Magnet{V2: v2, HasV2: true},
		Peers: []string{hostOf(seeds)}})
	awaitStatus(t, got, Seeding)
	if got.Hash() != v2.Short() || d.Torrent(v1) != got || d.Torrent(v2.Short()) != got {
		t.Errorf("its name is %v; found: %v", got.Hash(), d.Torrent(v1))
	}
	other := AddSpec{Magnet: metainfo.Magnet{V1: v1, HasV1: true}}
	if _, err := d.Add(t.Context(), other); !isExists(err, got) {
		t.Errorf("added by its other hash: %v", err)
	}
	closeDaemon(t, d)
	d = startDaemon(t, testConfig(state, dir, nil))
	got = d.Torrent(v1)
	if got == nil || got.Hash() != v2.Short() || got.Magnet().V1 != v1 {
		t.Fatalf("after the restart: %+v", got)
	}
	awaitStatus(t, got, Seeding)
	if err := got.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if d.Torrent(v1) != nil || d.Torrent(v2.Short()) != nil {
		t.Error("it is still found")
	}
	for _, left := range []string{dir, filepath.Join(state, "resume")} {
		if entries, _ := os.ReadDir(left); len(entries) != 0 {
			t.Errorf("%s has %v", left, entries)
		}
	}
}

// TestTrackersAreMerged: a second link brings its trackers, except to a private torrent.
func TestTrackersAreMerged(t *testing.T) {
	dir, torrent := makeTorrent(t, "content", 20_000, metainfo.V1)
	torrent.Trackers = [][]string{{"http://127.0.0.1:1/a"}}
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	link := torrent.Magnet()
	link.Trackers = []string{"http://127.0.0.1:1/a", "http://127.0.0.1:1/b"}
	if _, err := d.Add(t.Context(), AddSpec{Magnet: link}); !isExists(err, got) {
		t.Fatal(err)
	}
	if tiers := got.TrackerTiers(); fmt.Sprint(tiers) !=
		"[[http://127.0.0.1:1/a] [http://127.0.0.1:1/b]]" {
		t.Errorf("trackers %v", tiers)
	}
	if states := got.Trackers(); len(states) != 2 || states[1].Tier != 1 {
		t.Errorf("trackers of one that rests: %+v", states)
	}
	private, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Private: true,
		Path: filepath.Join(dir, "content"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	got = add(t, d, AddSpec{Torrent: private, Options: Options{Stopped: true}})
	link = private.Magnet()
	link.Trackers = []string{"http://127.0.0.1:1/b"}
	if _, err := d.Add(t.Context(), AddSpec{Magnet: link}); !isExists(err, got) {
		t.Fatal(err)
	}
	if tiers := got.TrackerTiers(); len(tiers) != 0 {
		t.Errorf("trackers of a private torrent: %v", tiers)
	}
}
