package swarm_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"swarmnode/swarm"
)

// counter counts those who come.
type counter struct{ n atomic.Int64 }

func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.n.Add(1)
	w.WriteHeader(http.StatusNotFound)
}

// listen counts connections to an address, until the test ends.
func (c *counter) listen(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.n.Add(1)
			conn.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// ownHost is an address from which nobody else connects, so that a port there stays free.
var ownHost = netip.MustParseAddrPort("127.0.66.1:0")

// TestPeersOnlyAsksNobodyElse: with PeersOnly a torrent asks neither DHT, LSD,
// trackers, web seeds nor the peers of a link or of an earlier run, and completes
// by the peer that is named.
func TestPeersOnlyAsksNobodyElse(t *testing.T) {
	dir, torrent := makeContent(t, 400<<10)
	state := t.TempDir()
	// An earlier run has met a peer that is gone; somebody else is there now.
	gone := newEngineAt(t, ownHost, "")
	add(t, gone, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	earlier := newEngineAt(t, loopback, state)
	waitDone(t, add(t, earlier, swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
		Peers: []string{gone.Addr().String()}}))
	if err := earlier.Close(); err != nil {
		t.Fatal(err)
	}
	was := gone.Addr()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	var saved, named, tracked, served counter
	saved.listen(t, was.String())
	tracker, web := httptest.NewServer(&tracked), httptest.NewServer(&served)
	defer tracker.Close()
	defer web.Close()

	seeder := newEngine(t)
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	dht, lsd := &fakeDHT{}, &fakeDHT{}
	magnet := torrent.Magnet()
	magnet.Peers = []string{named.listen(t, "127.0.0.1:0").String()}
	magnet.Trackers = []string{tracker.URL + "/announce"}
	magnet.WebSeeds = []string{web.URL + "/"}
	out := t.TempDir()
	engine := newEngineAt(t, loopback, state)
	leech := add(t, engine, swarm.Spec{
		Magnet: magnet, Dir: out, Peers: []string{seeder.Addr().String()}, PeersOnly: true,
		DHT: dht, LSD: lsd,
		Trackers: [][]string{{tracker.URL + "/announce"}}, WebSeeds: []string{web.URL + "/"},
	})
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	if len(dht.asked)+len(lsd.asked) > 0 {
		t.Errorf("the DHT was asked %d times, the local network %d times", len(dht.asked),
			len(lsd.asked))
	}
	for who, c := range map[string]*counter{
		"peer of an earlier run": &saved, "peer of the link": &named, "tracker": &tracked,
		"web seed": &served,
	} {
		if n := c.n.Load(); n > 0 {
			t.Errorf("the %s was asked %d times", who, n)
		}
	}
}
