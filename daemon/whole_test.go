package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// TestWholeContentIsNotHashedAgain: content that was hashed just before it was added is not hashed
// by later runs, unless a file has changed since.
func TestWholeContentIsNotHashedAgain(t *testing.T) {
	dir, torrent := makeTorrent(t, "content", 1<<20, metainfo.V1)
	state := t.TempDir()
	d := startDaemon(t, testConfig(state, dir, nil))
	awaitStatus(t, add(t, d, AddSpec{Torrent: torrent, Complete: true}), Seeding)
	closeDaemon(t, d)
	for range 2 {
		d = startDaemon(t, testConfig(state, dir, nil))
		got := d.Torrent(torrent.Info().Hash())
		awaitStatus(t, got, Seeding)
		if s := got.State(); s.Swarm.CheckTotal != 0 || got.recordedWhole() {
			t.Errorf("%d bytes were hashed; taken for whole: %v", s.Swarm.CheckTotal,
				got.recordedWhole())
		}
		closeDaemon(t, d)
	}
	path := filepath.Join(dir, "content")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, testConfig(state, dir, nil))
	got := d.Torrent(torrent.Info().Hash())
	eventually(t, "the change is noticed", func() bool { return got.State().Got == 0 })
}

// recordedWhole reports whether the record says that the content was just hashed.
func (t *Torrent) recordedWhole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Whole
}
