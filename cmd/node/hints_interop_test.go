//go:build linux

package main_test

import (
	"context"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// hintsTimeout bounds TestHintsWithLibtorrent.
const hintsTimeout = 4 * time.Minute

// TestHintsWithLibtorrent: each hint of a link, a .torrent file or a peer is enough to
// start from, with nothing else known: no bootstrap node, no tracker, no local search.
// libtorrent uses our hints, and we use its.
func TestHintsWithLibtorrent(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many clients")
	}
	command, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), hintsTimeout)
	t.Cleanup(cancel)
	for i, c := range []struct {
		name string
		run  func(*hints, *testing.T)
	}{
		{"x.pe of ours", (*hints).peerOut}, {"x.pe of theirs", (*hints).peerIn},
		{"nodes of ours", (*hints).nodesOut}, {"nodes of theirs", (*hints).nodesIn},
		{"PORT of ours", (*hints).portOut}, {"PORT of theirs", (*hints).portIn},
	} {
		h := &hints{n: &interop{binary: command}, ctx: ctx, group: byte(60 + i)}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(h, t)
		})
	}
}

// hints is one case: a private network of a few hosts.
type hints struct {
	n     *interop
	ctx   context.Context
	group byte
}

func (h *hints) addr(number byte) netip.AddrPort {
	return netip.AddrPortFrom(host(h.group, number), 7000)
}

// node starts the command at a host.
func (h *hints) node(t *testing.T, number byte, command string, args ...string) (wait func()) {
	n := &interop{binary: h.n.binary}
	a := h.addr(number)
	p := n.startNode(t, a.Addr(), a.Port(), command, append(args, "--no-lsd")...)
	if command == "add" {
		return func() { waitNode(t, h.ctx, p) }
	}
	return func() {
		if _, err := p.WaitEvent(h.ctx, "seeding"); err != nil {
			t.Fatal(err)
		}
	}
}

// libtorrent starts libtorrent at a host, with a DHT node.
func (h *hints) libtorrent(t *testing.T, number byte,
	bootstrap ...netip.AddrPort) *realclient.Client {
	a := h.addr(number)
	return realclient.Start(t, realclient.Libtorrent,
		realclient.Options{IP: a.Addr(), Port: a.Port(), DHT: true, Bootstrap: bootstrap})
}

// content makes content to exchange.
func (h *hints) content(t *testing.T, name string) (dir string, torrent realclient.Torrent) {
	dir = t.TempDir()
	writeContent(t, filepath.Join(dir, name), 300<<10)
	torrent, err := realclient.MakeTorrent(filepath.Join(dir, name), 64<<10, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

func (h *hints) seed(t *testing.T, c *realclient.Client, dir string, torrent realclient.Torrent) {
	if err := c.Seed(h.ctx, torrent.File, dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(h.ctx); err != nil {
		t.Fatal(err)
	}
}

// fetch makes libtorrent fetch a link, or a .torrent file.
func (h *hints) fetch(t *testing.T, c *realclient.Client, what string) {
	start := time.Now()
	var err error
	if strings.HasPrefix(what, "magnet:") {
		err = c.Add(h.ctx, what, t.TempDir())
	} else {
		err = c.Seed(h.ctx, what, t.TempDir())
	}
	if err == nil {
		err = c.Wait(h.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("libtorrent has all after %.1f s", time.Since(start).Seconds())
}

func (h *hints) peerOut(t *testing.T) {
	dir, torrent := h.content(t, "content.bin")
	a := h.addr(1)
	n := &interop{binary: h.n.binary}
	seed := n.startNode(t, a.Addr(), a.Port(), "seed", "--no-dht", "--no-lsd", "--piece-length",
		"64K", filepath.Join(dir, "content.bin"))
	e, err := seed.WaitEvent(h.ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	if e.Torrent != torrent.Hash || !strings.Contains(e.Magnet, "x.pe="+a.String()) {
		t.Fatalf("got %s, want the hash %s and x.pe=%v", e.Magnet, torrent.Hash, a)
	}
	h.fetch(t, h.libtorrent(t, 2), e.Magnet)
}

func (h *hints) peerIn(t *testing.T) {
	dir, torrent := h.content(t, "content.bin")
	h.seed(t, h.libtorrent(t, 1), dir, torrent)
	h.node(t, 2, "add", "--no-dht", "--dir", t.TempDir(),
		torrent.Magnet+"&x.pe="+h.addr(1).String())()
}

// nodesOut: libtorrent joins our DHT through the nodes in a .torrent file of ours.
func (h *hints) nodesOut(t *testing.T) {
	dir, _ := h.content(t, "content.bin")
	h.bootstrap(t, 1)
	path := filepath.Join(dir, "content.bin")
	file := filepath.Join(dir, "hinted.torrent")
	out, err := exec.Command(h.n.binary, "create", "--v1", "--piece-length", "64K", "--node",
		h.addr(1).String(), "-o", file, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h.seedThrough(t, 2, 1, path)
	h.fetch(t, h.libtorrent(t, 3), file)
}

// nodesIn: we join a DHT of libtorrent through the nodes in the .torrent file.
func (h *hints) nodesIn(t *testing.T) {
	dir, torrent := h.content(t, "content.bin")
	h.libtorrent(t, 1)
	h.seed(t, h.libtorrent(t, 2, h.addr(1)), dir, torrent)
	file := filepath.Join(dir, "hinted.torrent")
	out, err := exec.Command(h.n.binary, "edit", "--node", h.addr(1).String(), "-o", file,
		torrent.File).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h.node(t, 3, "add", "--dir", t.TempDir(), file)()
}

// portOut: libtorrent knows one peer of one torrent. That peer tells it the port of its
// DHT node, and libtorrent finds the other torrent there.
func (h *hints) portOut(t *testing.T) {
	dir1, first := h.content(t, "first.bin")
	dir2, second := h.content(t, "second.bin")
	h.node(t, 1, "seed", "--piece-length", "64K", filepath.Join(dir1, "first.bin"))()
	h.seedThrough(t, 2, 1, filepath.Join(dir2, "second.bin"))
	c := h.libtorrent(t, 3)
	h.fetch(t, c, first.Magnet+"&x.pe="+h.addr(1).String())
	h.fetch(t, c, second.Magnet)
}

// portIn: the same in the other direction.
func (h *hints) portIn(t *testing.T) {
	dir1, first := h.content(t, "first.bin")
	dir2, second := h.content(t, "second.bin")
	h.seed(t, h.libtorrent(t, 1), dir1, first)
	h.seed(t, h.libtorrent(t, 2, h.addr(1)), dir2, second)
	h.node(t, 3, "add", "--dir", t.TempDir(), first.Magnet+"&x.pe="+h.addr(1).String(),
		second.Magnet)()
}

// bootstrap starts a DHT node at a host, and waits until it listens.
func (h *hints) bootstrap(t *testing.T, number byte) {
	n := &interop{binary: h.n.binary}
	a := h.addr(number)
	if _, err := n.startNode(t, a.Addr(), a.Port(), "bootstrap").Addr(h.ctx); err != nil {
		t.Fatal(err)
	}
}

// seedThrough makes the command seed path at a host, with a DHT node that joins through
// another.
func (h *hints) seedThrough(t *testing.T, number, through byte, path string) {
	n := &interop{binary: h.n.binary, nodes: []netip.AddrPort{h.addr(through)}}
	a := h.addr(number)
	p := n.startNode(t, a.Addr(), a.Port(), "seed", "--no-lsd", "--piece-length", "64K", path)
	if _, err := p.WaitEvent(h.ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
}
