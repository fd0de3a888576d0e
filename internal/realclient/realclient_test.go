//go:build linux

package realclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// addr returns an address that is local inside a namespace.
func addr(host byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, host, 1}) }

// newContent writes size random bytes and makes a torrent of them.
func newContent(t *testing.T, size int, announce string) (dir string, torrent Torrent) {
	t.Helper()
	dir = t.TempDir()
	content := make([]byte, size)
	rand.Read(content)
	path := filepath.Join(dir, "content.bin")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := MakeTorrent(path, 64<<10, announce)
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// sameContent compares what was fetched into dir with what is in the other.
func sameContent(t *testing.T, want, dir string) {
	t.Helper()
	a, err := os.ReadFile(filepath.Join(want, "content.bin"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "content.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s: content differs", dir)
	}
}

// startSeed starts a client that has the content and waits until it knows so.
func startSeed(t *testing.T, ctx context.Context, kind Kind, opts Options, torrent Torrent,
	dir string) *Client {
	t.Helper()
	c := Start(t, kind, opts)
	if err := c.Seed(ctx, torrent.File, dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLibtorrentByHand(t *testing.T) {
	if !InNamespace(t) {
		return
	}
	Require(t, Libtorrent)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir, torrent := newContent(t, 1<<20, "")
	seed := startSeed(t, ctx, Libtorrent, Options{IP: netip.MustParseAddr("127.0.41.1")}, torrent,
		dir)
	leech := Start(t, Libtorrent, Options{IP: netip.MustParseAddr("127.0.41.2")})
	out := t.TempDir()
	if err := leech.Add(ctx, torrent.Magnet, out); err != nil {
		t.Fatal(err)
	}
	if p, err := leech.Progress(ctx); err != nil || p.Complete || p.Total != 0 {
		t.Errorf("progress without a peer: got %v, %v, want nothing", p, err)
	}
	if err := leech.Connect(ctx, seed.Addr); err != nil {
		t.Fatal(err)
	}
	if err := leech.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, out)
	if u, err := leech.Usage(); err != nil || u.PeakRSS == 0 {
		t.Errorf("usage: got %v, %v", u, err)
	}
}

// A client that ends under our hands is an error and not a wait until the
// deadline; one without peers is an error that tells how far it got.
func TestWaitEnds(t *testing.T) {
	Require(t, Libtorrent)
	_, torrent := newContent(t, 1<<10, "")
	c := Start(t, Libtorrent, Options{IP: netip.MustParseAddr("127.0.41.3")})
	if err := c.Add(t.Context(), torrent.Magnet, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx); err == nil {
		t.Error("without peers: got nil, want an error")
	}
	c.proc.Stop()
	if err := c.Wait(t.Context()); err == nil {
		t.Error("ended client: got nil, want an error")
	}
}

// Over a private DHT of libtorrent nodes, clients fetch by bare magnet. The
// pairs that take longer than a few seconds run with SWARM_SOAK only.
func TestPairs(t *testing.T) {
	if !InNamespace(t) {
		return
	}
	limit := 4 * time.Minute
	pairs := []struct{ from, to Kind }{{Libtorrent, Libtorrent}, {Libtorrent, QBittorrent}}
	if os.Getenv("SWARM_SOAK") != "" {
		limit = 8 * time.Minute
		for _, kind := range []Kind{Aria2, RTorrent, Transmission} {
			pairs = append(pairs, struct{ from, to Kind }{kind, Libtorrent},
				struct{ from, to Kind }{Libtorrent, kind})
		}
		pairs = append(pairs, struct{ from, to Kind }{QBittorrent, Libtorrent})
	}
	// qBittorrent finds its way into a DHT on one port only.
	bootstrap := Start(t, Libtorrent, Options{IP: addr(1), Port: 6881, DHT: true})
	nodes := []netip.AddrPort{bootstrap.Addr}
	for host := byte(2); host <= 8; host++ {
		Start(t, Libtorrent, Options{IP: addr(host), Bootstrap: nodes})
	}
	for i, pair := range pairs {
		host := byte(20 + 2*i)
		t.Run(fmt.Sprintf("%s to %s", pair.from, pair.to), func(t *testing.T) {
			t.Parallel()
			testPair(t, nodes, limit, host, pair.from, pair.to)
		})
	}
}

func testPair(t *testing.T, nodes []netip.AddrPort, limit time.Duration, host byte, from, to Kind) {
	Require(t, from, to)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dir, torrent := newContent(t, 1<<20, "")
	out := t.TempDir()
	// libtorrent looks again for peers every quarter of an hour by default; a
	// first look that comes before the seed's announce would decide the test.
	var settings map[string]any
	if to == Libtorrent {
		settings = map[string]any{"dht_announce_interval": 5}
	}
	leech := Start(t, to, Options{IP: addr(host + 1), Bootstrap: nodes, Settings: settings})
	startSeed(t, ctx, from, Options{IP: addr(host), Bootstrap: nodes}, torrent, dir)
	start := time.Now()
	if err := leech.Add(ctx, torrent.Magnet, out); err != nil {
		t.Fatal(err)
	}
	if err := leech.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s to %s: %.1f s", from, to, time.Since(start).Seconds())
	sameContent(t, dir, out)
}

// Inside a namespace 10.x addresses are local, and the machine's own are not
// there.
func TestNamespace(t *testing.T) {
	if !InNamespace(t, "REALCLIENT_TEST=handed over") {
		return
	}
	if got := os.Getenv("REALCLIENT_TEST"); got != "handed over" {
		t.Errorf("environment: got %q", got)
	}
	if _, err := freePort(addr(77)); err != nil {
		t.Error(err)
	}
	if err := addHost(addr(77), "seventy-seven.invalid"); err != nil {
		t.Fatal(err)
	}
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil || !bytes.Contains(hosts, []byte("10.0.77.1 seventy-seven.invalid\n")) {
		t.Errorf("/etc/hosts: got %q, %v", hosts, err)
	}
}

func TestAddHostOutside(t *testing.T) {
	t.Setenv(inNamespace, "")
	if err := addHost(addr(1), "example.invalid"); err == nil {
		t.Error("got nil, want an error: the machine's own file must stay as it is")
	}
}

func TestLaunchUnknown(t *testing.T) {
	if _, err := Launch(t.Context(), "gopher", Options{}); err == nil {
		t.Error("Launch: got nil, want an error")
	}
	if err := Installed("gopher"); err == nil {
		t.Error("Installed: got nil, want an error")
	}
}
