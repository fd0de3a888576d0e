package main_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
	"swarmnode/swarm/tracker"
)

// A sixWorld is a machine that has no IPv4 address at all. Each node has an address in a network
// of its own.
type sixWorld struct {
	t      *testing.T
	ctx    context.Context
	binary string
	hosts  byte
	mu     sync.Mutex
}

// host gives the machine one more address.
func (w *sixWorld) host() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts++
	at := netip.AddrFrom16([16]byte{0: 0xfd, 3: 6, 5: w.hosts, 15: 1}).String()
	ip(w.t, "-6", "addr", "add", at+"/128", "dev", "lo", "nodad")
	return at
}

// start runs the node at an address until the test ends.
func (w *sixWorld) start(t *testing.T, at string, args ...string) *nodeproc.Node {
	t.Helper()
	args = append(args, "--verbose", "--listen", "["+at+"]:0")
	if args[0] != "bootstrap" {
		args = append(args, "--no-lsd")
	}
	n, err := nodeproc.Start(w.binary, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(args, " "), n.Log())
		}
	})
	return n
}

// content makes content, and returns its path and torrent.
func content(t *testing.T, size int) (path string, torrent realclient.Torrent) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, path, size)
	torrent, err := realclient.MakeTorrent(path, 64<<10, "")
	if err != nil {
		t.Fatal(err)
	}
	return path, torrent
}

// TestIPv6Alone: two nodes on machines without any IPv4 address find each other by the DHT, by
// trackers, by the addresses of a link and by peer exchange, and exchange content with
// libtorrent. TestLAN has the local network.
func TestIPv6Alone(t *testing.T) {
	t.Parallel()
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	ip(t, "-4", "addr", "flush", "dev", "lo")
	ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
	t.Cleanup(cancel)
	w := &sixWorld{t: t, ctx: ctx, binary: binary}
	t.Run("DHT", func(t *testing.T) {
		t.Parallel()
		boot, err := w.start(t, w.host(), "bootstrap", "--bootstrap", "none").Addr(ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.meet(t, "--bootstrap", boot.String())
	})
	for _, scheme := range []string{"http", "udp"} {
		t.Run("tracker over "+scheme, func(t *testing.T) {
			t.Parallel()
			w.meet(t, "--no-dht", "--tracker", scheme+"://"+w.tracker(t)+"/announce")
		})
	}
	t.Run("link", func(t *testing.T) {
		t.Parallel()
		path, torrent := content(t, 1<<20)
		at, err := w.start(t, w.host(), "seed", "--no-dht", "--piece-length", "64K",
			path).Addr(ctx)
		if err != nil {
			t.Fatal(err)
		}
		waitNode(t, ctx, w.start(t, w.host(), "add", "--no-dht", "--dir", t.TempDir(),
			torrent.Magnet+"&x.pe="+at.String()))
	})
	t.Run("peer exchange", w.exchange)
	t.Run("libtorrent seeds", w.libtorrentSeeds)
	t.Run("libtorrent fetches", w.libtorrentFetches)
	t.Run("every address", w.everyAddress)
}

// tracker starts a tracker and returns its address.
func (w *sixWorld) tracker(t *testing.T) string {
	t.Helper()
	pairs, err := tracker.Listen(t.Context(), nil,
		[]netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(w.host()), 0)})
	if err != nil {
		t.Fatal(err)
	}
	serving, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		tracker.NewServer(tracker.ServerConfig{}).Serve(serving, pairs[0].TCP, pairs[0].UDP)
	})
	t.Cleanup(func() { cancel(); wait.Wait() })
	return pairs[0].AddrPort().String()
}

// meet seeds and fetches content by two nodes with the same flags.
func (w *sixWorld) meet(t *testing.T, flags ...string) {
	t.Helper()
	path, torrent := content(t, 1<<20)
	seed := w.start(t, w.host(), append([]string{"seed", "--piece-length", "64K", path},
		flags...)...)
	if _, err := seed.WaitEvent(w.ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitNode(t, w.ctx, w.start(t, w.host(), append([]string{"add", "--dir", t.TempDir(),
		torrent.Magnet}, flags...)...))
	t.Logf("complete after %v", time.Since(began).Round(time.Millisecond))
}

// exchange: a node that knows a slow peer alone learns of the seed from it.
func (w *sixWorld) exchange(t *testing.T) {
	t.Parallel()
	path, torrent := content(t, 1<<20)
	seed, err := w.start(t, w.host(), "seed", "--no-dht", "--piece-length", "64K",
		path).Addr(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	slow := w.start(t, w.host(), "add", "--no-dht", "--down", "20k", "--up", "1k", "--peer",
		seed.String(), "--dir", t.TempDir(), torrent.Magnet)
	if _, err := slow.WaitFor(w.ctx, "a piece", func(e nodeproc.Event) bool {
		return e.Event == "progress" && e.Have > 0
	}); err != nil {
		t.Fatal(err)
	}
	at, err := slow.Addr(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	waitNode(t, w.ctx, w.start(t, w.host(), "add", "--no-dht", "--peer", at.String(), "--dir",
		t.TempDir(), torrent.Magnet))
}

// libtorrentAt returns how libtorrent is started at an address: on loopback with uTP alone, which
// carries datagrams there that libtorrent would cut off.
func libtorrentAt(at string) realclient.Options {
	opts := realclient.Options{IP: netip.MustParseAddr(at)}
	if opts.IP.IsLoopback() {
		opts.Settings = map[string]any{"enable_incoming_tcp": false, "enable_outgoing_tcp": false}
	}
	return opts
}

func (w *sixWorld) libtorrentSeeds(t *testing.T) {
	t.Parallel()
	realclient.Require(t, realclient.Libtorrent)
	for _, at := range []string{"::1", w.host()} {
		path, torrent := content(t, 1<<20)
		client := realclient.Start(t, realclient.Libtorrent, libtorrentAt(at))
		if err := client.Seed(w.ctx, torrent.File, filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		waitNode(t, w.ctx, w.start(t, at, "add", "--no-dht", "--peer", client.Addr.String(),
			"--dir", t.TempDir(), torrent.Magnet))
	}
}

func (w *sixWorld) libtorrentFetches(t *testing.T) {
	t.Parallel()
	realclient.Require(t, realclient.Libtorrent)
	for _, at := range []string{"::1", w.host()} {
		path, torrent := content(t, 1<<20)
		seed, err := w.start(t, at, "seed", "--no-dht", "--piece-length", "64K", path).Addr(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		client := realclient.Start(t, realclient.Libtorrent, libtorrentAt(at))
		dir := t.TempDir()
		if err := client.Add(w.ctx, torrent.Magnet, dir); err != nil {
			t.Fatal(err)
		}
		if err := client.Connect(w.ctx, seed); err != nil {
			t.Fatal(err)
		}
		if err := client.Wait(w.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Error(err)
		}
	}
}

// everyAddress: without --listen, one port serves both families, also where one of them has no
// address.
func (w *sixWorld) everyAddress(t *testing.T) {
	t.Parallel()
	path, torrent := content(t, 1<<20)
	seed, err := nodeproc.Start(w.binary, t.TempDir(), "seed", "--no-dht", "--no-lsd",
		"--piece-length", "64K", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(seed.Stop)
	e, err := seed.WaitEvent(w.ctx, "start")
	if err != nil {
		t.Fatal(err)
	}
	var ports []uint16
	for _, s := range e.Listen {
		ports = append(ports, netip.MustParseAddrPort(s).Port())
	}
	if len(ports) != 2 || ports[0] != ports[1] {
		t.Fatalf("listening on %v, want one port in both families", e.Listen)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(w.host()), ports[0])
	waitNode(t, w.ctx, w.start(t, w.host(), "add", "--no-dht", "--peer", at.String(), "--dir",
		t.TempDir(), torrent.Magnet))
}
