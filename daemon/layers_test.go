package daemon

import (
	"testing"

	"swarmnode/metainfo"
)

// layersKept reports whether the .torrent file of a torrent has all piece layers.
func layersKept(d *Daemon, hash metainfo.Hash) bool {
	torrent, err := d.records.readTorrent(hash)
	return err == nil && torrent.Info().Layout().HashesKnown()
}

// TestLayersAreKept: piece layers (BEP 52) that come after the metadata of a link are kept, and
// the next run checks the content by them while nobody else is there.
func TestLayersAreKept(t *testing.T) {
	for _, kind := range []metainfo.Kind{metainfo.V2, metainfo.Hybrid} {
		const size = 40*16<<10 - 5
		from, torrent := makeTorrent(t, "content", size, kind)
		seeds := seeder(t, from, torrent)
		state, dir := t.TempDir(), t.TempDir()
		d := startDaemon(t, testConfig(state, dir, nil))
		got := add(t, d, AddSpec{Magnet: torrent.Magnet(), Peers: []string{hostOf(seeds)}})
		awaitStatus(t, got, Seeding)
		if kind == metainfo.V2 {
			eventually(t, "the layers are kept", func() bool { return layersKept(d, got.Hash()) })
		}
		closeDaemon(t, d)
		closeDaemon(t, seeds)
		d = startDaemon(t, testConfig(state, dir, nil))
		if !layersKept(d, torrent.Info().Hash()) {
			t.Errorf("%v: the layers are not kept", kind)
		}
		got = d.Torrent(torrent.Info().Hash())
		if err := got.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the content is hashed", func() bool {
			s := got.State()
			return s.Status == Seeding && s.Swarm.CheckTotal == size
		})
		if s := got.State(); s.Left != 0 {
			t.Errorf("%v: %d bytes are left", kind, s.Left)
		}
		full, err := got.Metainfo(t.Context())
		if err != nil || !full.Info().Layout().HashesKnown() {
			t.Errorf("%v: the .torrent file for others lacks layers: %v", kind, err)
		}
	}
}

// TestLayersOfFile: a .torrent file without piece layers is completed, and keeps everything else
// that it says.
func TestLayersOfFile(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 20*16<<10, metainfo.V2)
	seeds := seeder(t, from, torrent)
	info, err := metainfo.ParseInfo(torrent.Info().Raw())
	if err != nil {
		t.Fatal(err)
	}
	bare := metainfo.NewTorrent(info)
	bare.Comment = "a word"
	if bare, err = metainfo.ParseTorrent(bare.Marshal()); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	got := add(t, d, AddSpec{Torrent: bare, Peers: []string{hostOf(seeds)}})
	if layersKept(d, got.Hash()) {
		t.Fatal("there are layers before anybody has told them")
	}
	awaitStatus(t, got, Seeding)
	eventually(t, "the layers are kept", func() bool { return layersKept(d, got.Hash()) })
	kept, err := d.records.readTorrent(got.Hash())
	if err != nil || kept.Comment != "a word" {
		t.Errorf("the comment is %q: %v", kept.Comment, err)
	}
}

// TestMetainfoIsACopy: what is done to an answer does not show in the next one, which may come
// from the same parsed file.
func TestMetainfoIsACopy(t *testing.T) {
	_, torrent := makeTorrent(t, "content", 3*16<<10, metainfo.V1)
	torrent.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	eventually(t, "the file is written", func() bool {
		_, err := d.records.readTorrent(got.Hash())
		return err == nil
	})
	for range 3 {
		answer, err := got.Metainfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := answer.Trackers[0][0]; s != "http://127.0.0.1:1/announce" {
			t.Fatalf("the tracker is %s", s)
		}
		answer.Trackers[0][0] = "http://127.0.0.1:2/announce"
		answer.Trackers = append(answer.Trackers, []string{"http://127.0.0.1:3/announce"})
	}
}
