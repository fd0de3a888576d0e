package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
)

// TestStateFolderIsSwapped: another folder that takes the place of the state folder is not written
// to, and when the old one is back, what was changed meanwhile is kept.
func TestStateFolderIsSwapped(t *testing.T) {
	top, log := t.TempDir(), new(logbook)
	state, away := filepath.Join(top, "state"), filepath.Join(top, "away")
	d := startDaemon(t, testConfig(state, t.TempDir(), log))
	torrent := add(t, d, AddSpec{Magnet: metainfo.Magnet{V1: hashOf(1), HasV1: true},
		Options: Options{Stopped: true}})
	swap := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	swap(state, away)
	other := filepath.Join(state, recordsFolder)
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	err := torrent.Set(t.Context(), func(o *Options) { o.Labels = []string{"label"} })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.saver.flush(); !errors.Is(err, errReplaced) {
		t.Errorf("written to another folder: %v", err)
	}
	_, err = d.Add(t.Context(), AddSpec{Magnet: metainfo.Magnet{V1: hashOf(2), HasV1: true}})
	if keep, ok := errors.AsType[*KeepError](err); !ok || !errors.Is(keep, errReplaced) {
		t.Errorf("added to another folder: %v", err)
	}
	if entries, err := os.ReadDir(other); err != nil || len(entries) != 0 {
		t.Errorf("the other folder has %v, %v", entries, err)
	}
	if lines := log.lines(errReplaced.Error()); len(lines) != 1 {
		t.Errorf("the log says %q", lines)
	}
	swap(state, filepath.Join(top, "other"))
	swap(away, state)
	if err := d.saver.flush(); err != nil || !torrent.isSaved() {
		t.Errorf("with the folder back: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(state, recordsFolder)); err != nil {
		t.Fatal(err)
	}
	torrent.saveSoon()
	if err := d.saver.flush(); err != nil || !torrent.isSaved() {
		t.Errorf("with the folder of records gone: %v", err)
	}
	closeDaemon(t, d)
	d = startDaemon(t, testConfig(state, t.TempDir(), log))
	if got := d.ByID(1).Options().Labels; len(got) != 1 {
		t.Errorf("labels %v", got)
	}
}

// TestBadMetadataIsFetchedAgain: a .torrent file that is damaged or gone makes a link of its
// torrent, which fetches the metadata from peers.
func TestBadMetadataIsFetchedAgain(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 50_000, metainfo.Hybrid)
	seeds := seeder(t, from, torrent)
	state, dir, log := t.TempDir(), t.TempDir(), new(logbook)
	d := startDaemon(t, testConfig(state, dir, nil))
	add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	awaitStatus(t, d.ByID(1), Seeding)
	closeDaemon(t, d)
	path := filepath.Join(state, recordsFolder, torrent.Info().Hash().String()+infoSuffix)
	for _, spoil := range []func() error{
		func() error { return os.WriteFile(path, []byte("nonsense"), 0o600) },
		func() error { return os.Remove(path) },
		func() error { return os.WriteFile(path, nil, 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		d := startDaemon(t, testConfig(state, dir, log))
		got := d.ByID(1)
		awaitStatus(t, got, Seeding)
		eventually(t, "the metadata is written", func() bool {
			_, err := d.records.readTorrent(got.Hash())
			return err == nil
		})
		if s := got.State(); s.Got != 50_000 || s.Error != "" {
			t.Errorf("it is %+v", s)
		}
		closeDaemon(t, d)
	}
	if lines := log.lines("set aside"); len(lines) != 2 {
		t.Errorf("the log says %q", lines)
	}
}

// TestContentInTheWay: a torrent that cannot use its files is stopped with an error, which a new
// start forgets.
func TestContentInTheWay(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 50_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "content"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	got := add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	eventually(t, "an error", func() bool { return got.State().Error != "" })
	if s := got.State(); s.Status != Stopped {
		t.Errorf("it is %v: %s", s.Status, s.Error)
	}
	if err := os.Remove(filepath.Join(dir, "content")); err != nil {
		t.Fatal(err)
	}
	if err := got.Start(t.Context(), InTurn); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, got, Seeding)
	if s := got.State(); s.Error != "" {
		t.Errorf("the error stays: %s", s.Error)
	}
}

// TestDiskIsMissing: a torrent whose folder is empty at the start fetches nothing, until the disk
// is back or the user asks for a check.
func TestDiskIsMissing(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 50_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	state, top := t.TempDir(), t.TempDir()
	dir, away := filepath.Join(top, "disk"), filepath.Join(top, "away")
	d := startDaemon(t, testConfig(state, dir, nil))
	add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	awaitStatus(t, d.ByID(1), Seeding)
	closeDaemon(t, d)
	for _, empty := range []bool{false, true} {
		if err := os.Rename(dir, away); err != nil {
			t.Fatal(err)
		}
		if empty {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		d = startDaemon(t, testConfig(state, dir, nil))
		got := d.ByID(1)
		eventually(t, "an error", func() bool { return got.State().Error != "" })
		if s := got.State(); s.Status != Stopped || s.Got != 50_000 {
			t.Errorf("it is %v with %d bytes", s.Status, s.Got)
		}
		if !isBare(dir) {
			t.Error("something was made in the folder")
		}
		os.Remove(dir)
		if err := os.Rename(away, dir); err != nil {
			t.Fatal(err)
		}
		if err := got.Start(t.Context(), InTurn); err != nil {
			t.Fatal(err)
		}
		awaitStatus(t, got, Seeding)
		closeDaemon(t, d)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, testConfig(state, dir, nil))
	got := d.ByID(1)
	eventually(t, "an error", func() bool { return got.State().Error != "" })
	other, torrent2 := makeTorrent(t, "content2", 20_000, metainfo.V1)
	second := add(t, d, AddSpec{Torrent: torrent2, Options: Options{Dir: other}})
	awaitStatus(t, second, Seeding)
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pause", func() bool { return second.State().Swarm.Paused })
	if err := errors.Join(second.closeIdle(), os.RemoveAll(other)); err != nil {
		t.Fatal(err)
	}
	if err := second.Remove(t.Context(), true); err != nil {
		t.Errorf("removed with content that is gone: %v", err)
	}
	if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is fetched again", func() bool {
		return got.State().Status == Seeding && !isBare(dir)
	})
}
