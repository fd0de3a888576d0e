package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// attached starts a node, and a daemon over it.
func attached(t *testing.T, parent, dir string) (*swarmnode.Node, *Daemon) {
	t.Helper()
	cfg := testConfig(t.TempDir(), dir, nil)
	cfg.Node.NoDHT, cfg.Node.NoLSD = true, true
	node, err := swarmnode.Start(t.Context(), cfg.Node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := Attach(t.Context(), node, Attachment{Parent: parent, Settings: cfg.Settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return node, d
}

// adopt makes the node of a daemon fetch a torrent from a peer, and the daemon adopt it.
func adopt(t *testing.T, d *Daemon, torrent *metainfo.Torrent, dir string, peers ...string) (
	*Torrent, *swarm.Torrent) {
	t.Helper()
	var run *swarm.Torrent
	known, err := d.Adopt(t.Context(), AddSpec{Torrent: torrent, Options: Options{Dir: dir}}, "",
		func() (_ *swarm.Torrent, err error) {
			run, err = d.Node().Add(swarm.Spec{Torrent: torrent, Dir: dir, Peers: peers})
			return run, err
		})
	if err != nil {
		t.Fatal(err)
	}
	return known, run
}

// awaitDone waits until a torrent of the engine is complete, or has ended.
func awaitDone(t *testing.T, run *swarm.Torrent) error {
	t.Helper()
	select {
	case <-run.Done():
	case <-time.After(patience):
		t.Fatal("not done: ", run.State())
	}
	return run.Err()
}

func TestAttachedDaemonSteersWhatARunFetches(t *testing.T) {
	from, torrent := makeTorrent(t, "film.mkv", 300_000, metainfo.V1)
	seed := seeder(t, from, torrent)
	parent, dir := t.TempDir(), t.TempDir()
	node, d := attached(t, parent, dir)
	if !d.Single() || seed.Single() {
		t.Error("single: ", d.Single(), seed.Single())
	}
	known, run := adopt(t, d, torrent, dir)
	awaitStatus(t, known, Downloading)
	if err := known.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, known, Stopped)
	eventually(t, "the pause", func() bool { return run.State().Phase == swarm.Paused })
	if idle := d.idle(time.Now().Add(24 * time.Hour)); len(idle) != 0 {
		t.Error("the daemon would close what a command owns")
	}
	if err := known.AddPeer(t.Context(), hostOf(seed)); err != nil {
		t.Fatal(err)
	}
	if err := known.Start(t.Context(), InTurn); err != nil {
		t.Fatal(err)
	}
	if err := awaitDone(t, run); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, known, Seeding)
	doc, err := known.Metainfo(t.Context())
	if err != nil || doc.Info().Hash() != torrent.Info().Hash() {
		t.Error("metainfo: ", err)
	}
	to := t.TempDir()
	if err := known.Move(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the move", func() bool {
		return run.FilePath(0) == filepath.Join(to, "film.mkv")
	})
	if err := known.Locate(t.Context(), dir); !errors.Is(err, ErrAdopted) {
		t.Error("locate: ", err)
	}
	closeDaemon(t, d)
	if err := run.Err(); err != nil || node.Torrent(torrent.Info().Hash()) != run {
		t.Error("the end of the daemon ended the torrent: ", err)
	}
	if left, _ := filepath.Glob(filepath.Join(parent, runsFolder, "*")); len(left) > 0 {
		t.Error("left: ", left)
	}
}

func TestAttachedDaemonRemoves(t *testing.T) {
	from, torrent := makeTorrent(t, "film.mkv", 100_000, metainfo.V1)
	dir := t.TempDir()
	node, d := attached(t, t.TempDir(), dir)
	known, run := adopt(t, d, torrent, dir, hostOf(seeder(t, from, torrent)))
	if err := awaitDone(t, run); err != nil {
		t.Fatal(err)
	}
	if known.Dropped() {
		t.Error("dropped before")
	}
	if err := known.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return node.Torrent(torrent.Info().Hash()) == nil })
	if !known.Dropped() {
		t.Error("not dropped")
	}
	if _, err := os.Stat(filepath.Join(dir, "film.mkv")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the content: ", err)
	}
	// The same one can be added again, by a control.
	again := add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeder(t, from, torrent))}})
	awaitStatus(t, again, Seeding)
	closeDaemon(t, d)
	if node.Torrent(torrent.Info().Hash()) != nil {
		t.Error("the daemon left a torrent of its own to the node")
	}
}

func TestAttachedDaemonAdoptsOnce(t *testing.T) {
	_, torrent := makeTorrent(t, "film.mkv", 100_000, metainfo.V1)
	dir := t.TempDir()
	_, d := attached(t, "", dir)
	refused := errors.New("refused")
	spec := AddSpec{Torrent: torrent, Options: Options{Dir: dir}}
	open := func() (*swarm.Torrent, error) { return nil, refused }
	if _, err := d.Adopt(t.Context(), spec, "", open); !errors.Is(err, refused) {
		t.Error(err)
	}
	known, _ := adopt(t, d, torrent, dir)
	_, err := d.Adopt(t.Context(), spec, "", open)
	if exists, ok := errors.AsType[*ExistsError](err); !ok || exists.Torrent != known {
		t.Error(err)
	}
	_, err = d.Add(t.Context(), spec)
	if exists, ok := errors.AsType[*ExistsError](err); !ok || exists.Torrent != known {
		t.Error(err)
	}
	lasts := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	if _, err := lasts.Adopt(t.Context(), spec, "", open); err == nil {
		t.Error("a daemon with a node of its own adopts")
	}
}

func TestAdoptedTorrentStaysFailed(t *testing.T) {
	_, torrent := makeTorrent(t, "film.mkv", 100_000, metainfo.V1)
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, d := attached(t, t.TempDir(), t.TempDir())
	known, run := adopt(t, d, torrent, dir)
	if err := awaitDone(t, run); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "the error", func() bool { return known.State().Error != "" })
	if err := known.Start(t.Context(), InTurn); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	if err := known.Remove(t.Context(), false); err != nil {
		t.Error(err)
	}
}

func TestAttachedDaemonHasNoQueue(t *testing.T) {
	node, d := attached(t, t.TempDir(), t.TempDir())
	for name, by := range map[string]func(*Settings){
		"queue-downloads": func(s *Settings) { s.QueueDown = 3 },
		"watch":           func(s *Settings) { s.Watch = []string{s.Dir} },
		"on-complete":     func(s *Settings) { s.OnComplete = []string{"/bin/true"} },
		"seed-ratio":      func(s *Settings) { s.SeedRatio = 2 },
	} {
		err := d.Change(t.Context(), by)
		wrong, ok := errors.AsType[*SettingError](err)
		if !ok || wrong.Name != name || !errors.Is(err, ErrSingle) {
			t.Error(name, ": ", err)
		}
	}
	if err := d.Change(t.Context(), func(s *Settings) { s.Down = 12345 }); err != nil {
		t.Error(err)
	}
	eventually(t, "the limit", func() bool { return node.Limits().Down == 12345 })
}

func TestAttachRemovesWhatKilledRunsLeft(t *testing.T) {
	parent := t.TempDir()
	_, running := attached(t, parent, t.TempDir())
	all := filepath.Join(parent, runsFolder)
	dead, fresh := filepath.Join(all, runPrefix+"dead"), filepath.Join(all, runPrefix+"fresh")
	for _, dir := range []string{dead, fresh} {
		if err := os.MkdirAll(filepath.Join(dir, recordsFolder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-24 * time.Hour)
	for _, dir := range []string{dead, running.single.dir} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	attached(t, parent, t.TempDir())
	for dir, want := range map[string]bool{dead: false, fresh: true, running.single.dir: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Error(dir, ": ", err)
		}
	}
	wrong := Attachment{Settings: Settings{Dir: "relative"}}
	if _, err := Attach(t.Context(), nil, wrong); err == nil {
		t.Error("wrong settings")
	}
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Attach(t.Context(), nil, Attachment{Parent: file, Settings: Settings{Dir: parent}})
	if _, ok := errors.AsType[*swarmnode.StateError](err); !ok {
		t.Error(err)
	}
}
