package swarm_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/tracker"
)

// A hybrid that an earlier run knew by its v2 hash keeps that name, and what is recorded under it.
func TestSpecHash(t *testing.T) {
	dir, _ := makeContent(t, 200_000)
	hybrid, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), Kind: metainfo.Hybrid, PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	v1 := hybrid.Info().Hash()
	v2, _ := hybrid.Info().HashV2()
	e := listen(t, swarm.Config{StateDir: t.TempDir()})
	if _, err := e.Add(swarm.Spec{Torrent: hybrid, Dir: dir, Hash: metainfo.Hash{1}}); err == nil {
		t.Error("it was added by a hash that is not its own")
	}
	for _, name := range []metainfo.Hash{v2.Short(), v1, {}} {
		torrent, err := e.Add(swarm.Spec{Torrent: hybrid, Dir: dir, Hash: name})
		if err != nil {
			t.Fatal(err)
		}
		want := name
		if want == (metainfo.Hash{}) {
			want = v1
		}
		if torrent.Hash() != want || e.Torrent(v1) != torrent || e.Torrent(v2.Short()) != torrent {
			t.Errorf("added as %v it goes by %v", name, torrent.Hash())
		}
		if err := torrent.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Content that no record knows is not hashed while its torrent is paused, and State says that it
// waits.
func TestCheckHeld(t *testing.T) {
	dir, torrent := makeContent(t, 200_000)
	e := newEngine(t)
	held, err := e.Add(swarm.Spec{Torrent: torrent, Dir: dir, Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the check is held up", func() bool { return held.State().CheckHeld })
	if s := held.State(); s.Phase != swarm.Paused || s.Dir != "" {
		t.Errorf("it is %v in %q", s.Phase, s.Dir)
	}
	mustDo(t, held.Resume())
	await(t, "the check", func() bool { return held.State().Phase == swarm.Seeding })
	if held.State().CheckHeld {
		t.Error("the check is still held up")
	}
	empty, err := e.Add(swarm.Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true},
		Dir: dir, Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	if empty.State().CheckHeld {
		t.Error("a link waits to be hashed")
	}
}

// Forget removes the records of a torrent that has left the engine, and only then.
func TestForget(t *testing.T) {
	dir, torrent := makeContent(t, 200_000)
	state := t.TempDir()
	e := listen(t, swarm.Config{StateDir: state})
	added, err := e.Add(swarm.Spec{Torrent: torrent, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, added)
	if err := e.Forget(added.Hash()); !errors.Is(err, swarm.ErrExists) {
		t.Errorf("while the torrent runs: %v", err)
	}
	mustDo(t, added.Close())
	if left, _ := os.ReadDir(state); len(left) == 0 {
		t.Fatal("nothing was recorded")
	}
	for range 2 {
		if err := e.Forget(added.Hash()); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(state); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if err := newEngine(t).Forget(added.Hash()); err != nil {
		t.Errorf("without a folder: %v", err)
	}
}

// What CheckTrackers and CheckWebSeeds refuse is what a torrent would refuse.
func TestCheckURLs(t *testing.T) {
	many := make([]string, swarm.TrackersMax+1)
	for i := range many {
		many[i] = "http://a/"
	}
	for _, tiers := range [][][]string{nil, {}, {{}}, {{"http://a/x", "udp://b:1"}}} {
		if err := swarm.CheckTrackers(tiers); err != nil {
			t.Errorf("%v: %v", tiers, err)
		}
	}
	if err := swarm.CheckTrackers([][]string{{"ftp://a/"}}); !errors.Is(err, tracker.ErrURL) {
		t.Errorf("a wrong URL: %v", err)
	}
	if err := swarm.CheckTrackers([][]string{many}); !errors.Is(err, swarm.ErrTooManyTrackers) {
		t.Errorf("too many: %v", err)
	}
	if err := swarm.CheckWebSeeds([]string{"http://a/"}); err != nil {
		t.Error(err)
	}
	if err := swarm.CheckWebSeeds(many[:17]); !errors.Is(err, swarm.ErrTooManyWebSeeds) {
		t.Errorf("too many: %v", err)
	}
	if _, ok := errors.AsType[*swarm.WebSeedError](swarm.CheckWebSeeds([]string{"x"})); !ok {
		t.Error("a wrong URL passes")
	}
}
