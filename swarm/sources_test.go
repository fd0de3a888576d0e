package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
)

func TestWebSeedAlone(t *testing.T) {
	dir, torrent := makeContent(t, 700<<10)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out, WebSeeds: []string{server.URL + "/"}})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}

func TestTrackerBringsPeersTogether(t *testing.T) {
	server := tracker.NewServer(tracker.ServerConfig{})
	port, err := transport.ListenPair(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, port.TCP, port.UDP) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			dir, torrent := makeContent(t, 100<<10+len(scheme))
			torrent.Trackers = [][]string{{scheme + "://" + port.AddrPort().String() + "/announce"}}
			seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
			waitDone(t, seed)
			out := t.TempDir()
			leech := add(t, newEngine(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: out})
			waitDone(t, leech)
			if err := leech.Err(); err != nil {
				t.Fatal(err)
			}
			sameContent(t, dir, out)
		})
	}
}

func TestPrivateTorrentAsksTrackersAlone(t *testing.T) {
	dir, _ := makeContent(t, 50<<10)
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: dir + "/content", PieceLength: 32 << 10, Private: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	dht, lsd := &fakeDHT{}, &fakeDHT{}
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, DHT: dht, LSD: lsd})
	waitDone(t, seed)
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	if len(dht.asked) != 0 || len(lsd.asked) != 0 {
		t.Error("a private torrent was announced outside of its trackers")
	}
}

func TestWantedFilesAlone(t *testing.T) {
	dir, torrent := makeContent(t, 900<<10)
	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leech := add(t, newEngine(t), swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Peers: []string{seeder.Addr().String()},
		Wanted: func(l *metainfo.Layout) []bool {
			wanted := make([]bool, len(l.Files))
			for i, f := range l.Files {
				wanted[i] = f.Path[0] == "a"
			}
			return wanted
		},
	})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	layout := leech.Info().Layout()
	first, end := layout.FilePieces(0)
	var want int64
	for i := first; i < end; i++ {
		want += int64(layout.PieceSize(i))
	}
	if s := leech.Stats(); s.Down != want || s.Left != 0 {
		t.Errorf("fetched %d bytes with %d left, want %d", s.Down, s.Left, want)
	}
}

func TestNothingWanted(t *testing.T) {
	_, torrent := makeContent(t, 100<<10)
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{
		Torrent: torrent, Dir: out, Wanted: func(l *metainfo.Layout) []bool { return make([]bool, len(l.Files)) },
	})
	waitDone(t, leech)
	if err := leech.Err(); !errors.Is(err, swarm.ErrNothingWanted) {
		t.Errorf("got error %v, want %v", err, swarm.ErrNothingWanted)
	}
	if made, err := os.ReadDir(out); err != nil || len(made) != 0 {
		t.Errorf("made %v, %v", made, err)
	}
}

func TestLyingWebSeedIsLeftAlone(t *testing.T) {
	dir, torrent := makeContent(t, 400<<10)
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 400<<10)))
	}))
	defer liar.Close()
	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	leecher := newEngine(t)
	out := t.TempDir()
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out, WebSeeds: []string{liar.URL + "/"}})
	leech.AddPeer(seeder.Addr())
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}
