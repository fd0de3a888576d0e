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
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// routersTimeout bounds TestBehindRouters, which takes a few seconds.
	routersTimeout = 2 * time.Minute
	routersSize    = 1 << 20
	routersPort    = 6881
)

// A routersLab is a torrent whose seed and downloader are behind two home routers. No router
// has been configured, and none maps ports on request.
type routersLab struct {
	*lab.Lab
	binary      string
	seed, leech *lab.Host
	content     string // the file
	torrent     realclient.Torrent
}

// TestBehindRouters: the command exchanges content between two homes that let nobody in.
func TestBehindRouters(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes networks")
	}
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	// A lab has its process for itself: one after the other.
	t.Run("a third peer", func(t *testing.T) { byThirdPeer(t, binary) })
	for _, seat := range []punchSeat{seatSeed, seatDownloader, seatIntroducer} {
		t.Run("libtorrent as "+string(seat), func(t *testing.T) {
			byIntroduction(t, binary, seat)
		})
	}
	t.Run("a relay", func(t *testing.T) { byRelay(t, binary) })
}

// byThirdPeer: both know a public peer that gives almost nothing, and nobody else. The
// routers keep ports and let in whoever was sent something, as most do.
func byThirdPeer(t *testing.T, binary string) {
	l := newRoutersLab(t, binary, lab.NAT{Filtering: lab.AddressAndPortDependent, Preserve: true})
	l.transfer(t, "--no-dht")
	if sent := l.seed.Up().Bytes; sent < routersSize {
		t.Errorf("the seed has sent %d bytes, less than the content", sent)
	}
}

// byRelay: the routers give each destination another port, so there is no other way than by
// the relay of node relay, which is a node of their DHT.
func byRelay(t *testing.T, binary string) {
	l := newRoutersLab(t, binary, lab.NAT{Mapping: lab.AddressAndPortDependent,
		Filtering: lab.AddressAndPortDependent})
	relay := must(l.Modelled("relay", lab.Way{}, lab.Way{}))(t)
	other := must(l.Modelled("other", lab.Way{}, lab.Way{}))(t)
	const user = "lab:secret"
	join := []string{"--bootstrap", netip.AddrPortFrom(relay.Addr, routersPort).String()}
	l.serve(t, relay, "relay", "--user", user, "--bootstrap", "none")
	// With the third peer these are three nodes, which see three ports.
	l.serve(t, other, append([]string{"bootstrap"}, join...)...)
	l.transfer(t, append(join, "--relay", fmt.Sprintf("turn:%s@%v", user,
		netip.AddrPortFrom(relay.Addr, lab.TURNPort)))...)
	if came := must(relay.Came())(t); came < routersSize {
		t.Errorf("%d bytes have come to the relay, less than the content", came)
	}
}

// transfer makes the downloader fetch the content from the seed.
func (l *routersLab) transfer(t *testing.T, flags ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), routersTimeout)
	defer cancel()
	third := must(l.Modelled("third", lab.Way{}, lab.Way{}))(t)
	l.start(t, third, t.TempDir(), append(flags, "--down", "1k", "--up", "1k",
		l.torrent.File)...)
	flags = append(flags, "--peer", netip.AddrPortFrom(third.Addr, routersPort).String())
	l.start(t, l.seed, filepath.Dir(l.content), append(flags, l.torrent.File)...)
	out := t.TempDir()
	leech := l.start(t, l.leech, out, append(flags, l.torrent.Magnet)...)
	if _, err := leech.WaitEvent(ctx, "complete"); err != nil {
		t.Fatal(err)
	}
	sameContent(t, l.content, filepath.Join(out, filepath.Base(l.content)))
}

// newRoutersLab makes two homes with routers of a kind, and a torrent.
func newRoutersLab(t *testing.T, binary string, nat lab.NAT) *routersLab {
	t.Helper()
	l := &routersLab{Lab: lab.OpenModelled(t), binary: binary}
	way := lab.Way{Rate: 20, Delay: 5 * time.Millisecond}
	for name, h := range map[string]**lab.Host{"seed": &l.seed, "leech": &l.leech} {
		router := must(l.Router(name+"-home", lab.RouterConfig{Up: way, Down: way, NAT: nat}))(t)
		*h = must(router.Inside(name))(t)
	}
	l.content = filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, l.content, routersSize)
	l.torrent = must(realclient.MakeTorrent(l.content, 64<<10, ""))(t)
	return l
}

// start runs add on a host until the test ends.
func (l *routersLab) start(t *testing.T, at *lab.Host, dir string, args ...string) *nodeproc.Node {
	t.Helper()
	words := append(at.Enter(), l.binary, "add", "--seed", "-v", "-v", "--port",
		fmt.Sprint(routersPort), "--dir", dir)
	return l.run(t, at, append(words, args...))
}

// serve runs a command that serves others, until the test ends.
func (l *routersLab) serve(t *testing.T, at *lab.Host, args ...string) {
	t.Helper()
	words := append(at.Enter(), l.binary)
	words = append(append(words, args...), "--port", fmt.Sprint(routersPort))
	ctx, cancel := context.WithTimeout(t.Context(), routersTimeout)
	defer cancel()
	if _, err := l.run(t, at, words).WaitEvent(ctx, "start"); err != nil {
		t.Fatal(err)
	}
}

func (l *routersLab) run(t *testing.T, at *lab.Host, words []string) *nodeproc.Node {
	t.Helper()
	n := must(nodeproc.Start(words[0], t.TempDir(), words[1:]...))(t)
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", at.Name, n.Log())
		}
	})
	return n
}

// must returns a function that fails the test if there is an error.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
