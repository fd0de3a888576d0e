package daemon

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
)

// TestLinkToContent: a link becomes a torrent and then content, and a second daemon in the same
// state folder lists it as it was.
func TestLinkToContent(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	state, dir := t.TempDir(), t.TempDir()
	d := startDaemon(t, testConfig(state, dir, nil))
	got := add(t, d, AddSpec{Magnet: torrent.Magnet(), Peers: []string{hostOf(seeds)},
		Options: Options{Labels: []string{"music"}}})
	if got.ID() != 1 || d.ByID(1) != got || d.Torrent(got.Hash()) != got {
		t.Errorf("it is not found by its names: id %d", got.ID())
	}
	awaitStatus(t, got, Seeding)
	content, err := os.ReadFile(filepath.Join(dir, "content"))
	if err != nil || !bytes.Equal(content, contentOf(200_000, 7)) {
		t.Fatalf("the content differs: %v", err)
	}
	if _, err := d.Add(t.Context(), AddSpec{Torrent: torrent}); !isExists(err, got) {
		t.Errorf("added again: %v", err)
	}
	run, all := d.Stats()
	if run.Down < 200_000 || run.Added != 1 || run.Sessions != 1 || all.Down != run.Down {
		t.Errorf("this run did %+v, all did %+v", run, all)
	}
	closeDaemon(t, d)

	d = startDaemon(t, testConfig(state, dir, nil))
	run, all = d.Stats()
	if run.Down != 0 || run.Added != 0 || all.Down < 200_000 || all.Added != 1 ||
		all.Sessions != 2 {
		t.Errorf("the second run did %+v, all did %+v", run, all)
	}
	list := d.Torrents()
	if len(list) != 1 {
		t.Fatalf("%d torrents are listed", len(list))
	}
	again := list[0]
	s := again.State()
	if again.ID() != 1 || s.Name != "content" || s.Got != 200_000 || s.Left != 0 || !s.HaveInfo ||
		s.Totals.Down < 200_000 || s.Totals.Completed.IsZero() {
		t.Errorf("it is listed as %+v", s)
	}
	if labels := again.Options().Labels; len(labels) != 1 || labels[0] != "music" {
		t.Errorf("labels %v", labels)
	}
	awaitStatus(t, again, Seeding)
}

// isExists reports whether err says that a torrent is there.
func isExists(err error, there *Torrent) bool {
	exists, ok := errors.AsType[*ExistsError](err)
	return ok && exists.Torrent == there
}

// TestStopStartRemove: what a user does to a torrent holds across a restart.
func TestStopStartRemove(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	state := t.TempDir()
	d := startDaemon(t, testConfig(state, from, nil))
	seed := add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, seed, Seeding)
	if err := seed.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, seed, Stopped)
	eventually(t, "the pause", func() bool { return seed.State().Swarm.Paused })
	closeDaemon(t, d)

	d = startDaemon(t, testConfig(state, from, nil))
	seed = d.ByID(1)
	if s := seed.State(); s.Status != Stopped || s.Got != 100_000 {
		t.Fatalf("after the restart: %+v", s)
	}
	if seed.opened() != nil {
		t.Error("a torrent that rests was opened")
	}
	files, err := seed.Files(t.Context())
	if err != nil || len(files) != 1 || files[0].Have != 100_000 {
		t.Errorf("files %+v, %v", files, err)
	}
	if err := seed.Start(t.Context(), InTurn); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, seed, Seeding)
	if err := seed.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, seed, Seeding)
	if err := seed.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := seed.Remove(t.Context(), true); !errors.Is(err, ErrRemoved) {
		t.Errorf("removed twice: %v", err)
	}
	if left, _ := os.ReadDir(from); len(left) != 0 {
		t.Errorf("content is left: %v", left)
	}
	left, _ := os.ReadDir(filepath.Join(state, recordsFolder))
	if len(left) != 1 || left[0].Name() != lastFile {
		t.Errorf("files are left: %v", left)
	}
	closeDaemon(t, d)

	d = startDaemon(t, testConfig(state, from, nil))
	if next := add(t, d, AddSpec{Torrent: torrent}); next.ID() != 2 {
		t.Errorf("the id %d was used before", next.ID())
	}
}
