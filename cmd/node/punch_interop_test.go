//go:build linux

package main_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
)

// portRestricted is what most home routers do.
var portRestricted = lab.NAT{Filtering: lab.AddressAndPortDependent, Preserve: true}

// A punchSeat is where libtorrent is when two homes are introduced to each other.
type punchSeat string

const (
	seatSeed       punchSeat = "seed"
	seatDownloader punchSeat = "downloader"
	seatIntroducer punchSeat = "introducer"
)

// punchWithin bounds the time until data comes. It takes two seconds; a busy machine takes
// longer.
const punchWithin = 30 * time.Second

// byIntroduction: two homes whose routers let in whom they have sent something to know a third
// peer alone (BEP 55). libtorrent has one of the seats.
func byIntroduction(t *testing.T, binary string, libtorrent punchSeat) {
	realclient.Require(t, realclient.Libtorrent)
	l := newRoutersLab(t, binary, portRestricted)
	ctx, cancel := context.WithTimeout(t.Context(), routersTimeout)
	defer cancel()
	third := must(l.Modelled("third", lab.Way{}, lab.Way{}))(t)
	at := netip.AddrPortFrom(third.Addr, routersPort)
	if libtorrent == seatIntroducer {
		l.libtorrent(t, third, true).seed(ctx, t, l.torrent.File, t.TempDir(), netip.AddrPort{})
	} else {
		l.start(t, third, t.TempDir(), "--no-dht", "--down", "1k", "--up", "1k", l.torrent.File)
	}
	if libtorrent == seatSeed {
		l.libtorrent(t, l.seed, false).seed(ctx, t, l.torrent.File, filepath.Dir(l.content), at)
	} else {
		l.start(t, l.seed, filepath.Dir(l.content), "--no-dht", "--peer", at.String(),
			l.torrent.File)
	}
	began, out := time.Now(), t.TempDir()
	if libtorrent == seatDownloader {
		c := l.libtorrent(t, l.leech, false)
		c.magnet(ctx, t, l.torrent.Magnet, out, at)
		if err := c.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	} else {
		leech := l.start(t, l.leech, out, "--no-dht", "--peer", at.String(), l.torrent.Magnet)
		if _, err := leech.WaitEvent(ctx, "complete"); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	t.Logf("libtorrent as %s: complete after %v", libtorrent, took.Round(100*time.Millisecond))
	if took > punchWithin {
		t.Errorf("complete after %v, want within %v", took, punchWithin)
	}
	sameContent(t, l.content, filepath.Join(out, filepath.Base(l.content)))
	if sent := l.seed.Up().Bytes; sent < routersSize {
		t.Errorf("the seed has sent %d bytes, less than the content", sent)
	}
}

// A punchClient is libtorrent on a host of the lab.
type punchClient struct{ *realclient.Client }

// libtorrent starts libtorrent, with its own defaults, until the test ends. idle makes it ask
// nobody for content.
func (l *routersLab) libtorrent(t *testing.T, at *lab.Host, idle bool) punchClient {
	t.Helper()
	c := must(realclient.Launch(t.Context(), realclient.Libtorrent, realclient.Options{
		IP: at.Addr, Port: routersPort, Dir: t.TempDir(), Enter: at.Enter(), Idle: idle,
		Settings: map[string]any{
			"listen_interfaces":   fmt.Sprintf("0.0.0.0:%d", routersPort),
			"outgoing_interfaces": "", "enable_lsd": true,
		}}))(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", at.Name, c.TailLog())
		}
		c.Close()
	})
	return punchClient{c}
}

// seed gives the client a torrent file and content, or a folder without, and a peer.
func (c punchClient) seed(ctx context.Context, t *testing.T, file, data string,
	peer netip.AddrPort) {
	t.Helper()
	if err := c.Seed(ctx, file, data); err != nil {
		t.Fatal(err)
	}
	c.know(ctx, t, peer)
}

// magnet gives the client a link and a peer.
func (c punchClient) magnet(ctx context.Context, t *testing.T, link, dir string,
	peer netip.AddrPort) {
	t.Helper()
	if err := c.Add(ctx, link, dir); err != nil {
		t.Fatal(err)
	}
	c.know(ctx, t, peer)
}

func (c punchClient) know(ctx context.Context, t *testing.T, peer netip.AddrPort) {
	t.Helper()
	if !peer.IsValid() {
		return
	}
	if err := c.Connect(ctx, peer); err != nil {
		t.Fatal(err)
	}
}
