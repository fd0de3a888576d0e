package main_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// A mappedHome is a host behind a router that maps ports, and a host of the internet.
type mappedHome struct {
	t                *testing.T
	binary           string
	inside, far, way *lab.Host
}

// newMappedHome makes the hosts. The router offers all protocols.
func newMappedHome(t *testing.T, binary string) *mappedHome {
	t.Helper()
	l, h := lab.OpenModelled(t), &mappedHome{t: t, binary: binary}
	var err error
	h.far, err = l.Modelled("far", lab.Way{}, lab.Way{})
	if err != nil {
		t.Fatal(err)
	}
	h.way, err = l.Router("router", lab.RouterConfig{IPv6: true,
		Offers: lab.Offers{PCP: true, NATPMP: true, UPnP: true}})
	if err != nil {
		t.Fatal(err)
	}
	if h.inside, err = h.way.Inside("inside"); err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts the command on a host.
func (h *mappedHome) start(on *lab.Host, args ...string) *nodeproc.Node {
	h.t.Helper()
	words := append(on.Enter(), h.binary)
	words = append(words, args...)
	n, err := nodeproc.Start(words[0], h.t.TempDir(), words[1:]...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		n.Stop()
		if h.t.Failed() {
			h.t.Logf("%v:\n%s", args, n.Log())
		}
	})
	return n
}

// reached waits until the host of the internet can connect to an address.
func (h *mappedHome) reached(ctx context.Context, at netip.AddrPort) {
	h.t.Helper()
	began := time.Now()
	if err := h.far.Do(func() error {
		for {
			conn, err := net.DialTimeout("tcp", at.String(), time.Second/4)
			if err == nil {
				return conn.Close()
			}
			if ctx.Err() != nil {
				return err
			}
		}
	}); err != nil {
		h.t.Fatal(err)
	}
	h.t.Logf("reached after %v", time.Since(began).Round(time.Millisecond))
}

// maps reports whether the router has a rule for a port.
func (h *mappedHome) maps(port uint16) bool {
	h.t.Helper()
	words := append(h.way.Enter(), "nft", "list", "ruleset")
	rules, err := exec.Command(words[0], words[1:]...).Output()
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Contains(string(rules), fmt.Sprintf("dport %d", port))
}

// forgotten waits until the router has no rule for a port.
func (h *mappedHome) forgotten(ctx context.Context, port uint16) {
	h.t.Helper()
	began := time.Now()
	for h.maps(port) {
		if ctx.Err() != nil {
			h.t.Fatal("the router still maps the port")
		}
	}
	h.t.Logf("not mapped any more after %v", time.Since(began).Round(time.Millisecond))
}

// TestMappedPorts: nodes behind a router can be reached from outside, and leave no mapping
// behind, however they end.
func TestMappedPorts(t *testing.T) {
	realclient.RequireServer(t, realclient.Miniupnpd)
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	h := newMappedHome(t, binary)
	ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
	defer cancel()
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, 1<<20)
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(h.way.Addr, port) }

	seed := h.start(h.inside, "seed", "--port", "7001", "--bootstrap", "none", content)
	h.reached(ctx, at(7001))
	link, err := seed.WaitEvent(ctx, "link") // which names the mapped port
	if err != nil {
		t.Fatal(err)
	}
	add := h.start(h.far, "add", "--no-dht", "--dir", t.TempDir(), link.Magnet)
	waitNode(t, ctx, add)

	// The same file goes the other way: a seed outside comes by the mapped port of a fetch that
	// knows nobody, and the fetch ends by itself.
	back := h.start(h.inside, "add", "--port", "7003", "--bootstrap", "none", "--no-lsd", "--dir",
		t.TempDir(), "magnet:?xt=urn:btih:"+link.Torrent)
	h.reached(ctx, at(7003))
	h.start(h.far, "seed", "--port", "7002", "--bootstrap", "none", "--peer", at(7003).String(),
		content)
	waitNode(t, ctx, back)
	h.forgotten(ctx, 7003)

	seed.Stop()
	h.forgotten(ctx, 7001)

	tracker := h.start(h.inside, "tracker", "--port", "7004")
	h.reached(ctx, at(7004))
	tracker.Stop()
	h.forgotten(ctx, 7004)

	router := h.start(h.inside, "bootstrap", "--port", "7005", "--bootstrap", "none")
	for !h.maps(7005) {
		if ctx.Err() != nil {
			t.Fatal("the port of a bootstrap node is not mapped")
		}
	}
	router.Stop()
	h.forgotten(ctx, 7005)

	hidden := h.start(h.inside, "seed", "--no-portmap", "--port", "7006", "--bootstrap", "none",
		content)
	if _, err := hidden.WaitEvent(ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
	shown := h.start(h.inside, "seed", "--port", "7007", "--bootstrap", "none", content)
	h.reached(ctx, at(7007))
	if h.maps(7006) {
		t.Error("--no-portmap maps a port")
	}
	shown.Stop()
}

// TestMappedElsewhere: two nodes of one home have the same port. The router maps that of the
// second one to another, which peers find in the DHT.
func TestMappedElsewhere(t *testing.T) {
	realclient.RequireServer(t, realclient.Miniupnpd)
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	h := newMappedHome(t, binary)
	second, err := h.way.Inside("second")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
	defer cancel()
	dir := t.TempDir()
	content := filepath.Join(dir, "content.bin")
	writeContent(t, content, 1<<20)
	const port = 7001
	at := netip.AddrPortFrom(h.far.Addr, port)
	ways := h.start(h.far, "bootstrap", "--bootstrap", "none", "--port", fmt.Sprint(port))
	if _, err := ways.WaitEvent(ctx, "start"); err != nil {
		t.Fatal(err)
	}
	h.start(h.inside, "seed", "--port", fmt.Sprint(port), "--bootstrap", "none", binary)
	h.reached(ctx, netip.AddrPortFrom(h.way.Addr, port))
	seed := h.start(second, "seed", "--port", fmt.Sprint(port), "--bootstrap", at.String(),
		content)
	link, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	found := h.announced(ctx, at, link.Torrent, port)
	t.Logf("announced as %v after %v", found, time.Since(began).Round(time.Millisecond))
	h.reached(ctx, found)
}

// announced waits until the DHT behind a node names a peer at the router at another port than
// the given one.
func (h *mappedHome) announced(ctx context.Context, node netip.AddrPort, hash string,
	port uint16) netip.AddrPort {
	h.t.Helper()
	for ctx.Err() == nil {
		words := append(h.far.Enter(), h.binary, "dht", "peers", "--ephemeral", "--bootstrap",
			node.String(), "--timeout", "5s", hash)
		out, _ := exec.CommandContext(ctx, words[0], words[1:]...).Output() // nobody yet: no peers
		for _, line := range strings.Fields(string(out)) {
			at, err := netip.ParseAddrPort(line)
			if err == nil && at.Addr() == h.way.Addr && at.Port() != port {
				return at
			}
		}
	}
	h.t.Fatal("the DHT does not name the mapped port")
	return netip.AddrPort{}
}
