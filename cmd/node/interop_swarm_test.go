//go:build linux

package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/internal/capped"
	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// lookInterval is the time between two checks of a client's progress.
const lookInterval = 20 * time.Millisecond

// swarms are swarms of real clients on addresses that count as public; group is
// the second byte of those.
var swarms = []struct {
	name string
	test func(n *interop, t *testing.T, ctx context.Context, group byte)
}{
	{"limited uplinks", (*interop).limitedUplinks},
	{"limits hold", (*interop).limitsHold},
	{"super-seeding", (*interop).superSeeding},
	{"partial seed", (*interop).partialSeed},
	{"addresses change", (*interop).addressesChange},
	{"killed node", func(n *interop, t *testing.T, ctx context.Context, group byte) {
		n.killed(t, ctx, group, func(s *capped.Swarm) *capped.Member { return s.Leechs[0] })
	}},
	{"killed libtorrent", func(n *interop, t *testing.T, ctx context.Context, group byte) {
		n.killed(t, ctx, group, func(s *capped.Swarm) *capped.Member { return s.Leechs[2] })
	}},
	{"killed seed", func(n *interop, t *testing.T, ctx context.Context, group byte) {
		n.killed(t, ctx, group, func(s *capped.Swarm) *capped.Member { return s.Seeds[0] })
	}},
}

// capConfig describes a swarm that shares a new file of size bytes.
func (n *interop) capConfig(t *testing.T, group byte, size int) capped.Config {
	t.Helper()
	from := filepath.Join(t.TempDir(), "from")
	writeContent(t, filepath.Join(from, "content.bin"), size)
	return capped.Config{Binary: n.binary, Group: group, Dir: t.TempDir(), Name: "content.bin",
		From: from, Piece: 64 << 10}
}

// completeAll fails the test for each downloader that is not complete, or whose content
// differs from that of the seed.
func completeAll(t *testing.T, cfg capped.Config, results []capped.Result) {
	t.Helper()
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s at %v: %v", r.Kind, r.Addr, r.Err)
			continue
		}
		t.Logf("%s at %v was complete after %.1f s", r.Kind, r.Addr, r.Took.Seconds())
		sameContent(t, filepath.Join(cfg.From, cfg.Name), filepath.Join(r.Dir, cfg.Name))
	}
}

// limitedUplinks runs one seed and six downloaders of four kinds, all with upload limits,
// so that each depends on the others.
func (n *interop) limitedUplinks(t *testing.T, ctx context.Context, group byte) {
	realclient.Require(t, realclient.Libtorrent, realclient.Transmission, realclient.Aria2)
	cfg := n.capConfig(t, group, 4<<20+77)
	const up = 512 << 10
	cfg.Seeds = []capped.Seat{{Kind: realclient.Libtorrent, Up: 2 * up}}
	for _, kind := range []realclient.Kind{
		realclient.Libtorrent, realclient.Libtorrent, realclient.Transmission, realclient.Aria2,
		capped.Node, capped.Node,
	} {
		cfg.Leechs = append(cfg.Leechs, capped.Seat{Kind: kind, Up: up})
	}
	results, err := capped.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	completeAll(t, cfg, results)
}

// limitsHold puts a node between a libtorrent seed and a libtorrent downloader, with
// limits in both directions: neither side makes it exceed them.
func (n *interop) limitsHold(t *testing.T, ctx context.Context, group byte) {
	realclient.Require(t, realclient.Libtorrent)
	const size, rate = 3 << 20, 512 << 10
	// A limit is kept from the start, but for what a bucket holds, and what is
	// read or written before it is paid for.
	const least = (size - 256<<10) / rate * time.Second
	for _, c := range []struct {
		name         string
		seed, leech  realclient.Kind
		limit        string
		seedArgs     []string
		limitOfLeech bool
	}{
		{name: "up", seed: capped.Node, leech: realclient.Libtorrent, limit: "--up"},
		{name: "down", seed: realclient.Libtorrent, leech: capped.Node, limit: "--down",
			limitOfLeech: true},
	} {
		cfg := n.capConfig(t, group, size)
		args := []string{c.limit, fmt.Sprint(rate)}
		seed, leech := capped.Seat{Kind: c.seed}, capped.Seat{Kind: c.leech}
		if c.limitOfLeech {
			leech.Args = args
		} else {
			seed.Args = args
		}
		cfg.Seeds, cfg.Leechs = []capped.Seat{seed}, []capped.Seat{leech}
		results, err := capped.Run(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		completeAll(t, cfg, results)
		// No machine is too slow for this: a limit that does not hold ends early.
		if took := results[0].Took; took < least {
			t.Errorf("%s: %d bytes at %d bytes a second took %v, want at least %v", c.name, size,
				rate, took, least)
		}
		group += 100
	}
}

// superSeeding runs "seed --super-seed" and libtorrent downloaders, which have to get the
// pieces from each other.
func (n *interop) superSeeding(t *testing.T, ctx context.Context, group byte) {
	realclient.Require(t, realclient.Libtorrent)
	const leeches, size = 4, 3<<20 + 77
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, size)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, group, 0, 1}), capped.Port)
	seed := n.startNode(t, addr.Addr(), addr.Port(), "seed", "--super-seed", "--no-lsd", "--no-dht",
		content)
	e, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	magnet := "magnet:?xt=urn:btih:" + e.Torrent
	var clients []*realclient.Client
	for i := range byte(leeches) {
		clients = append(clients, realclient.Start(t, realclient.Libtorrent, realclient.Options{
			IP:       netip.AddrFrom4([4]byte{11, group, i + 1, 1}),
			Settings: map[string]any{"enable_outgoing_utp": false, "enable_incoming_utp": false},
		}))
	}
	outs := make([]string, leeches)
	for i, c := range clients {
		outs[i] = t.TempDir()
		if err := c.Add(ctx, magnet, outs[i]); err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(ctx, addr); err != nil {
			t.Fatal(err)
		}
		for _, other := range clients[:i] {
			if err := c.Connect(ctx, other.Addr); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, c := range clients {
		if err := c.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		sameContent(t, content, filepath.Join(outs[i], "content.bin"))
	}
	// A later progress event tells what was sent, but for the last blocks of downloaders
	// that hung up as soon as they had everything.
	var sent int64
	if _, err := seed.WaitFor(ctx, "the count of what was sent", func(e nodeproc.Event) bool {
		sent = max(sent, e.Uploaded)
		return e.Event == "progress" && e.Uploaded >= size*9/10
	}); err != nil {
		t.Fatal(err)
	}
	copies := float64(sent) / size
	t.Logf("the seed sent %.2f copies to %d downloaders", copies, leeches)
	if copies > leeches-1 {
		t.Errorf("the seed sent %.2f copies to %d downloaders: they got next to nothing from "+
			"each other", copies, leeches)
	}
}

// partialSeed runs a node that fetched one of two files and keeps seeding it when the
// seed is gone. libtorrent and another node get from it what it has.
func (n *interop) partialSeed(t *testing.T, ctx context.Context, group byte) {
	realclient.Require(t, realclient.Libtorrent)
	const piece = 64 << 10
	content := filepath.Join(t.TempDir(), "content")
	first, second := filepath.Join("content", "1.bin"), filepath.Join("content", "2.bin")
	writeContent(t, filepath.Join(content, "1.bin"), 16*piece) // ends with a piece
	writeContent(t, filepath.Join(content, "2.bin"), 8*piece+5)
	ip := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{11, group, i, 1}) }
	at := func(i byte) string { return netip.AddrPortFrom(ip(i), capped.Port).String() }
	torrent := filepath.Join(t.TempDir(), "content.torrent")
	seed := n.startNode(t, ip(1), capped.Port, "seed", "--piece-length", fmt.Sprint(piece),
		"--no-lsd", "--no-dht",
		"--torrent", torrent, content)
	if _, err := seed.WaitEvent(ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	add := func(i byte, out string, args ...string) *nodeproc.Node {
		return n.startNode(t, ip(i), capped.Port, "add",
			append([]string{"--no-lsd", "--no-dht", "--dir", out, torrent}, args...)...)
	}
	// Slow enough for what libtorrent thinks of it to be seen before they part.
	partial := add(2, out, "--files", "0", "--seed", "--up", "512k", "--peer", at(1))
	if _, err := partial.WaitEvent(ctx, "complete"); err != nil {
		t.Fatal(err)
	}
	sameContent(t, filepath.Join(content, "1.bin"), filepath.Join(out, first))
	if _, err := os.Stat(filepath.Join(out, second)); err == nil {
		t.Errorf("%s was fetched too", second)
	}
	seed.Kill()

	other := t.TempDir()
	waitNode(t, ctx, add(3, other, "--files", "0", "--peer", at(2)))
	sameContent(t, filepath.Join(content, "1.bin"), filepath.Join(other, first))

	// Once it has all that there is it would leave at once a peer that wants
	// nothing, and what that said could not be seen any more.
	stays := map[string]any{"close_redundant_connections": false}
	leech := realclient.Start(t, realclient.Libtorrent,
		realclient.Options{IP: ip(4), Settings: stays})
	got := t.TempDir()
	if err := leech.Seed(ctx, torrent, got); err != nil {
		t.Fatal(err)
	}
	if err := leech.Connect(ctx, netip.AddrPortFrom(ip(2), capped.Port)); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	seen := 0
	for {
		p, err := leech.Progress(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen = max(seen, p.UploadOnly)
		if p.Done == 16*piece && seen > 0 {
			break
		}
		if p.Done > 16*piece {
			t.Fatalf("libtorrent has %d bytes, the partial seed %d", p.Done, 16*piece)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("libtorrent got %d of %d bytes; %d peers said that they want nothing", p.Done,
				16*piece, seen)
		}
	}
	sameContent(t, filepath.Join(content, "1.bin"), filepath.Join(got, first))
}

// killed ends a member of a swarm by SIGKILL when it, or the first downloader, has a
// random part of the content. The others complete; the killed one starts again and
// completes.
func (n *interop) killed(t *testing.T, ctx context.Context, group byte,
	choose func(*capped.Swarm) *capped.Member) {
	realclient.Require(t, realclient.Libtorrent)
	const size = 6<<20 + 77
	cfg := n.capConfig(t, group, size)
	const up = 1 << 20
	cfg.Seeds = []capped.Seat{{Kind: capped.Node, Up: up}, {Kind: realclient.Libtorrent, Up: up}}
	cfg.Leechs = []capped.Seat{{Kind: capped.Node, Up: up}, {Kind: capped.Node, Up: up},
		{Kind: realclient.Libtorrent, Up: up}}
	s, err := capped.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	victim := choose(s)
	watched := victim
	if victim == s.Seeds[0] {
		watched = s.Leechs[0]
	}
	when := size/20 + rand.Int64N(size*7/10)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	var have int64
	for have < when {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("stuck at %d of %d bytes", have, size)
		}
		if have, err = watched.Have(ctx); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s at %v is killed when %v has %d of %d bytes", victim.Kind, victim.Addr, watched.Addr,
		have, size)
	victim.Kill()
	completeAll(t, cfg, s.Wait(ctx, victim))
	if err := victim.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	sameContent(t, filepath.Join(cfg.From, cfg.Name), filepath.Join(victim.Dir, cfg.Name))
}

// addressesChange makes a node fetch from a node over links of 8 Mbit/s, the downloader
// behind NAT. In mid-download the seed gets another address, then the home router does.
// The fetch continues without anybody being told.
func (n *interop) addressesChange(t *testing.T, ctx context.Context, _ byte) {
	const size, piece, rate, port = 10 << 20, 64 << 10, 8, 6881
	l, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := l.Host("seed", rate)
	if err != nil {
		t.Fatal(err)
	}
	leech, err := l.Behind("leech", rate, true)
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := lab.NewTracker(netip.AddrFrom4([4]byte{11, 0, 0, 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	from, out := t.TempDir(), t.TempDir()
	content := filepath.Join(from, "content.bin")
	writeContent(t, content, size)
	torrent, err := realclient.MakeTorrent(content, piece, tracker.URL)
	if err != nil {
		t.Fatal(err)
	}
	add := func(h *lab.Host, dir string, args ...string) *nodeproc.Node {
		words := slices.Concat(h.Enter(), []string{n.binary, "add", "--no-dht", "--no-lsd", "-v",
			"-v", "--port", fmt.Sprint(port), "--dir", dir}, args, []string{torrent.File})
		p, err := nodeproc.Start(words[0], t.TempDir(), words[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			p.Stop()
			if t.Failed() {
				t.Logf("%s:\n%s", h.Name, p.Log())
			}
		})
		return p
	}
	if _, err := add(seed, from, "--seed").WaitEvent(ctx, "complete"); err != nil {
		t.Fatal(err)
	}
	node := add(leech, out)
	has := func(bytes int64) {
		t.Helper()
		_, err := node.WaitFor(ctx, "progress", func(e nodeproc.Event) bool {
			return e.Event == "progress" && e.Have >= bytes
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	has(size / 5)
	if err := seed.Readdress(seed.Addr.Next()); err != nil {
		t.Fatal(err)
	}
	has(size / 2)
	if err := leech.Readdress(netip.AddrFrom4([4]byte{198, 18, 2, 77})); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	waitNode(t, ctx, node)
	t.Logf("complete %.1f s after the second move", time.Since(start).Seconds())
	sameContent(t, content, filepath.Join(out, "content.bin"))
}
