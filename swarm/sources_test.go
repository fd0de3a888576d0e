package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
)

func TestWebSeedAlone(t *testing.T) {
	dir, torrent := makeContent(t, 700<<10)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out,
		WebSeeds: []string{server.URL + "/"}})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}

func TestTrackerBringsPeersTogether(t *testing.T) {
	server := tracker.NewServer(tracker.ServerConfig{})
	port, err := transport.ListenPair(t.Context(), nil, netip.MustParseAddrPort("127.0.0.1:0"))
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
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, DHT: dht,
		LSD: lsd})
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
	if s := leech.State(); s.Down != want || s.Left != 0 {
		t.Errorf("fetched %d bytes with %d left, want %d", s.Down, s.Left, want)
	}
}

func TestNothingWanted(t *testing.T) {
	_, torrent := makeContent(t, 100<<10)
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{
		Torrent: torrent, Dir: out, Wanted: func(l *metainfo.Layout) []bool {
			return make([]bool, len(l.Files))
		},
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
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out,
		WebSeeds: []string{liar.URL + "/"}})
	leech.AddPeer(seeder.Addr())
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}

// newEngineAt is newEngine with a folder for what is remembered.
func newEngineAt(t *testing.T, at netip.AddrPort, state string) *swarm.Engine {
	t.Helper()
	return listen(t, swarm.Config{Listen: []netip.AddrPort{at}, Client: "test", StateDir: state})
}

// TestRestartFindsItsSwarm: who was met once is met again after a restart, by
// whichever side, with nothing else to find anybody.
func TestRestartFindsItsSwarm(t *testing.T) {
	dir, torrent := makeContent(t, 700<<10)
	state := t.TempDir()
	seeder := newEngineAt(t, loopback, t.TempDir())
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})

	first := newEngineAt(t, loopback, state)
	leech := add(t, first, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := newEngineAt(t, loopback, state) // knows the seeder alone from then
	out := t.TempDir()
	leech = add(t, second, swarm.Spec{Magnet: torrent.Magnet(), Dir: out})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}

// TestRestartedSeedCallsItsDownloaders: a seed that comes back calls those who
// have not all yet, who know nobody else.
func TestRestartedSeedCallsItsDownloaders(t *testing.T) {
	dir, torrent := makeContent(t, 700<<10)
	state := t.TempDir()
	seeder := newEngineAt(t, loopback, state)
	// gives nothing yet
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, Up: 1})
	out := t.TempDir()
	leech := add(t, newEngineAt(t, loopback, t.TempDir()),
		swarm.Spec{Torrent: torrent, Dir: out, Peers: []string{seeder.Addr().String()}})
	for deadline := time.Now().Add(patience); ; {
		if s := leech.State(); s.PeersServing > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("never unchoked: %+v", leech.State())
		}
	}
	if err := seeder.Close(); err != nil {
		t.Fatal(err)
	}
	// At another address, so that the downloader cannot find it.
	add(t, newEngineAt(t, loopback, state), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}

// TestPrivateMagnetIsNotSearchedOn: the searches of a magnet in the DHT and on the
// local network end as soon as it turns out to be private, peers that they find
// afterwards are not met, and what they had found is left.
func TestPrivateMagnetIsNotSearchedOn(t *testing.T) {
	dir, _ := makeContent(t, 50<<10)
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: dir + "/content", PieceLength: 32 << 10, Private: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	dht, lsd := &fakeDHT{peers: []netip.AddrPort{seeder.Addr()}}, &fakeDHT{}
	leech := add(t, newEngine(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(), DHT: dht,
		LSD: lsd})
	<-leech.HaveInfo()
	for deadline := time.Now().Add(patience); ; {
		s := leech.State()
		if s.Phase == swarm.Downloading && s.PeersConnected == 0 && s.PeersKnown == 0 &&
			s.Drops[core.ReasonPrivate] == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the seed that the DHT named is still there: %+v", s)
		}
	}
	for deadline := time.Now().Add(patience); dht.searches()+lsd.searches() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d searches of the DHT and %d of the local network run on", dht.searches(),
				lsd.searches())
		}
	}
	dht.mu.Lock()
	defer dht.mu.Unlock()
	if n := len(dht.asked); n != 1 {
		t.Errorf("the DHT was asked %d times", n)
	}
}

// Several web servers and a peer work at the same time: each server gives nothing
// before the other was asked.
func TestWebSeedsAndPeersAtOnce(t *testing.T) {
	dir, torrent := makeContent(t, 8<<20)
	files := http.FileServer(http.Dir(dir))
	asked := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	var urls []string
	for i := range asked {
		var first sync.Once
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			first.Do(func() { close(asked[i]) })
			select {
			case <-asked[1-i]:
			case <-time.After(patience):
				t.Error("one web seed was asked while the other had nothing to do")
			}
			files.ServeHTTP(w, r)
		}))
		defer server.Close()
		urls = append(urls, server.URL+"/")
	}
	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, Up: 256 << 10})
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out, WebSeeds: urls,
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
}
