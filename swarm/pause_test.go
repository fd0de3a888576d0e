package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	"swarmnode/swarm/wire"
)

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("did not happen: ", what)
		}
	}
}

// mustDo fails the test if one of the commands failed.
func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refuses reports whether an engine hangs up on a handshake for a torrent.
func refuses(t *testing.T, at netip.AddrPort, hash metainfo.Hash) bool {
	t.Helper()
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	hello := wire.AppendHello(nil, wire.Hello{InfoHash: hash, PeerID: [20]byte{'x'}})
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	n, _ := conn.Read(make([]byte, 1))
	return n == 0
}

// A leech that is paused loses its peers, gets nothing, lets nobody in and asks no source;
// one that goes on completes with what it had.
func TestPauseLeech(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder, leecher := newEngine(t), newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	dht, out := &fakeDHT{}, t.TempDir()
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out, DHT: dht, Down: 64 << 10,
		Peers: []string{seeder.Addr().String()}})
	await(t, "some pieces", func() bool { return leech.State().Have > 0 })
	mustDo(t, leech.Pause(), leech.Pause())
	await(t, "the peers leave", func() bool {
		return leech.State().PeersConnected == 0 && seed.State().PeersConnected == 0
	})
	await(t, "the search ends", func() bool { return dht.searches() == 0 })
	s := leech.State()
	if !s.Paused || s.Phase != swarm.Paused || s.Drops[core.ReasonPaused] == 0 || s.Asked != 0 {
		t.Errorf("while paused: %+v", s)
	}
	if !refuses(t, leecher.Addr(), torrent.Info().Hash()) {
		t.Error("a paused torrent shakes hands")
	}
	leech.AddPeer(seeder.Addr())
	if after := leech.State(); after.Down != s.Down || after.PeersDialling != 0 {
		t.Errorf("traffic while paused: %d bytes, %d dials", after.Down-s.Down, after.PeersDialling)
	}
	mustDo(t, leech.SetLimits(swarm.Limits{}), leech.Resume(), leech.Resume())
	waitDone(t, leech)
	sameContent(t, dir, out)
	if s := leech.State(); s.Paused || s.Phase != swarm.Seeding || s.Down < s.Length {
		t.Errorf("after the pause: %+v", s)
	}
	if dht.searches() == 0 {
		t.Error("the search did not go on")
	}
	mustDo(t, leech.Close())
	if err := leech.Pause(); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("Pause after Close: %v", err)
	}
	if err := leech.Resume(); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("Resume after Close: %v", err)
	}
}

// A dial that a pause cuts off is made again at once when the torrent goes on, although the
// torrent goes on before the end of the dial is known.
func TestPauseDuringDial(t *testing.T) {
	_, torrent := makeContent(t, 1<<20)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// A dial that is put off waits 10 s.
	silent.(*net.TCPListener).SetDeadline(time.Now().Add(9 * time.Second))
	leech := add(t, newEngine(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{silent.Addr().String()}})
	for i := range 3 {
		conn, err := silent.Accept()
		if err != nil {
			t.Fatalf("dial %d: %v", i, err)
		}
		defer conn.Close()
		mustDo(t, leech.Pause(), leech.Resume())
	}
}

// A seed that is paused gives nothing: its peer sees the connection closed, and others are
// refused.
func TestPauseSeed(t *testing.T) {
	dir, torrent := makeContent(t, 200<<10)
	seeder, other := newEngine(t), newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	hash := torrent.Info().Hash()
	if refuses(t, seeder.Addr(), hash) {
		t.Fatal("a seed does not shake hands")
	}
	conn, err := net.Dial("tcp", seeder.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := wire.AppendHello(nil, wire.Hello{InfoHash: hash, PeerID: [20]byte{'y'}})
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	await(t, "the peer is connected", func() bool { return seed.State().PeersConnected > 0 })
	mustDo(t, seed.Pause())
	conn.SetDeadline(time.Now().Add(patience))
	for err == nil {
		_, err = conn.Read(make([]byte, 1024))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the peer of a paused seed stays connected")
	}
	if !refuses(t, seeder.Addr(), hash) {
		t.Error("a paused seed shakes hands")
	}
	mustDo(t, seed.Resume())
	leech := add(t, other, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{seeder.Addr().String()}})
	waitDone(t, leech)
	await(t, "the seed has sent all", func() bool { return seed.State().Up >= 200<<10 })
}

// A torrent that is added paused does nothing until it is resumed: it fetches no metadata
// and hashes no content.
func TestAddedPaused(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder, leecher := newEngine(t), newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	dht := &fakeDHT{}
	link := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(), DHT: dht,
		Peers: []string{seeder.Addr().String()}, Paused: true})
	there := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, DHT: dht, Paused: true})
	for _, torrent := range []*swarm.Torrent{link, there} {
		if s := torrent.State(); s.Phase != swarm.Paused || !s.Paused || s.PeersDialling > 0 {
			t.Errorf("added paused: %+v", s)
		}
	}
	await(t, "the content is found", func() bool { return there.State().CheckTotal > 0 })
	if s := there.State(); s.Checked != 0 || s.Phase != swarm.Paused {
		t.Errorf("%d bytes were hashed while paused: %v", s.Checked, s.Phase)
	}
	if dht.mu.Lock(); len(dht.asked) > 0 {
		t.Error("a search began while paused")
	}
	dht.mu.Unlock()
	mustDo(t, link.Resume(), there.Resume())
	waitDone(t, link)
	waitDone(t, there)
	if s := there.State(); s.Down != 0 || s.Phase != swarm.Seeding {
		t.Errorf("content that was there: %+v", s)
	}
}

// Trackers hear "stopped" when a torrent pauses, "started" when it goes on, and the numbers
// continue.
func TestPauseIsAnnounced(t *testing.T) {
	events := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		events <- q.Get("event") + " " + q.Get("downloaded") + " " + q.Get("left")
		fmt.Fprint(w, "d8:intervali1800e5:peers0:e")
	}))
	defer server.Close()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-events:
			if got != want {
				t.Errorf("announced %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%q was not announced", want)
		}
	}
	dir, torrent := makeContent(t, 100<<10)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
		Trackers: [][]string{{server.URL}}})
	next("started 0 102400")
	mustDo(t, leech.Pause())
	next("stopped 0 102400")
	mustDo(t, leech.Resume())
	next("started 0 102400")
	leech.AddPeer(seeder.Addr())
	next("completed 102400 0")
	mustDo(t, leech.Pause(), leech.Pause())
	next("stopped 102400 0")
	mustDo(t, leech.Resume())
	next("started 102400 0")
	mustDo(t, leech.Pause())
	next("stopped 102400 0")
	mustDo(t, leech.Close())
	if len(events) > 0 {
		t.Errorf("a paused torrent that ends announced %q", <-events)
	}
}

// A web seed stops with a pause, and goes on after it.
func TestPauseWebSeed(t *testing.T) {
	dir, torrent := makeContent(t, 2<<20)
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out, Down: 1 << 20,
		WebSeeds: []string{webServer(t, dir, nil)}})
	await(t, "some pieces", func() bool { return leech.State().Have > 0 })
	mustDo(t, leech.Pause())
	await(t, "the web seed leaves", func() bool { return leech.State().PeersConnected == 0 })
	mustDo(t, leech.Resume())
	waitDone(t, leech)
	sameContent(t, dir, out)
}

// Pauses from many goroutines at once, in any order with everything else, leave a torrent
// that can complete.
func TestPauseStorm(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder, leecher := newEngine(t), newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir})
	out := t.TempDir()
	leech := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: out, Paused: true})
	var storm sync.WaitGroup
	for i := range 8 {
		storm.Go(func() {
			for j := range 25 {
				which := []*swarm.Torrent{seed, leech}[(i+j)%2]
				err := errors.Join(which.Pause(), which.SetSequential(j%3 == 0))
				leech.AddPeer(seeder.Addr())
				_ = which.State()
				if err = errors.Join(err, which.Resume()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	storm.Wait()
	await(t, "the leech meets the seed", func() bool {
		mustDo(t, leech.Resume(), seed.Resume())
		if leech.State().Phase == swarm.Seeding {
			return true
		}
		if leech.State().PeersConnected+leech.State().PeersDialling == 0 {
			mustDo(t, leech.Pause(), leech.Resume()) // dials at once
		}
		return false
	})
	sameContent(t, dir, out)
}

// A tracker forgets a torrent that pauses and knows one that goes on, over UDP.
func TestPauseAtTracker(t *testing.T) {
	server := tracker.NewServer(tracker.ServerConfig{})
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	serving.Go(func() { server.Serve(ctx, nil, conn) })
	defer serving.Wait()
	defer stop()
	dir, torrent := makeContent(t, 100<<10)
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Trackers: [][]string{{"udp://" + conn.LocalAddr().String()}}})
	for range 2 {
		await(t, "the tracker knows the seed", func() bool { return server.Stats().Peers == 1 })
		mustDo(t, seed.Pause())
		await(t, "the tracker forgets the seed", func() bool { return server.Stats().Peers == 0 })
		mustDo(t, seed.Resume())
	}
	await(t, "the tracker knows the seed again", func() bool { return server.Stats().Peers == 1 })
}
