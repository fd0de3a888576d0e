package swarm_test

import (
	"runtime"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// TestManyTorrents: a torrent at rest costs one goroutine and a few kilobytes,
// however large its queues may become.
func TestManyTorrents(t *testing.T) {
	const (
		torrents  = 300
		bytesMax  = 32 << 10 // each, with the race detector's share
		otherwise = 20       // goroutines of the engine and of tests beside
	)
	e := newEngine(t)
	before, used := runtime.NumGoroutine(), heap()
	var all []*swarm.Torrent
	for i := range torrents {
		all = append(all, add(t, e, swarm.Spec{
			Magnet: metainfo.Magnet{V1: metainfo.Hash{1, byte(i), byte(i >> 8)}, HasV1: true},
			Dir:    t.TempDir(),
		}))
	}
	for _, torrent := range all {
		if s := torrent.State(); s.Phase != swarm.Metadata {
			t.Errorf("state %v", s.State)
		}
	}
	deadline := time.After(patience)
	for runtime.NumGoroutine() > before+torrents+otherwise {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines for %d torrents", runtime.NumGoroutine()-before, torrents)
		case <-time.After(time.Millisecond):
		}
	}
	if each := (heap() - used) / torrents; each > bytesMax {
		t.Errorf("%d bytes for each torrent at rest, want at most %d", each, bytesMax)
	}
}
