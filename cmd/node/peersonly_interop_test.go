//go:build linux

package main_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"swarmnode/internal/nodeproc"
)

// witness counts what arrives at one place, and describes the first.
type witness struct {
	n     atomic.Int64
	first chan struct{}
}

func newWitness() *witness { return &witness{first: make(chan struct{})} }

func (w *witness) saw() {
	if w.n.Add(1) == 1 {
		close(w.first)
	}
}

func (w *witness) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	w.saw()
	out.WriteHeader(http.StatusNotFound)
}

// packets counts what arrives at a socket.
func (w *witness) packets(conn net.PacketConn) {
	b := make([]byte, 2048)
	for {
		if _, _, err := conn.ReadFrom(b); err != nil {
			return
		}
		w.saw()
	}
}

// TestPeersOnlyOnTheWire: the named peer sees "node add --peers-only". No DHT node, local
// network, tracker, web seed or peer of the link does, although all of them see the same
// command without the flag.
func TestPeersOnlyOnTheWire(t *testing.T) {
	t.Parallel()
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	const home = "10.9.0.1"
	ip(t, "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
	ip(t, "addr", "add", home+"/24", "dev", "lan0")
	ip(t, "link", "set", "lan0", "up")
	ip(t, "link", "set", "lan1", "up")
	ctx, cancel := context.WithTimeout(t.Context(), privateTimeout)
	defer cancel()
	start := func(args ...string) *nodeproc.Node {
		n, err := nodeproc.Start(binary, t.TempDir(), append(args, "--listen", home+":0")...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			n.Stop()
			if t.Failed() {
				t.Logf("%v:\n%s", args, n.Log())
			}
		})
		return n
	}
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, 1<<20)
	seed := start("seed", "--no-dht", "--no-lsd", content)
	seeding, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	began, err := seed.WaitEvent(ctx, "start")
	if err != nil {
		t.Fatal(err)
	}

	seen := map[string]*witness{
		"DHT node": newWitness(), "local network": newWitness(), "tracker": newWitness(),
		"web seed": newWitness(), "peer of the link": newWitness(),
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp4", home+":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	tracker, web, peer := listen(), listen(), listen()
	go http.Serve(tracker, seen["tracker"])
	go http.Serve(web, seen["web seed"])
	go func() {
		for {
			conn, err := peer.Accept()
			if err != nil {
				return
			}
			seen["peer of the link"].saw()
			conn.Close()
		}
	}()
	dht, err := net.ListenPacket("udp4", home+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dht.Close() })
	go seen["DHT node"].packets(dht)
	lan, err := net.InterfaceByName("lan0")
	if err != nil {
		t.Fatal(err)
	}
	group, err := net.ListenMulticastUDP("udp4", lan,
		&net.UDPAddr{IP: net.IPv4(239, 192, 152, 143), Port: 6771})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { group.Close() })
	go seen["local network"].packets(group)

	magnet := "magnet:?xt=urn:btih:" + seeding.Torrent + "&x.pe=" + peer.Addr().String() +
		"&tr=" + url.QueryEscape("http://"+tracker.Addr().String()+"/announce") +
		"&ws=" + url.QueryEscape("http://"+web.Addr().String()+"/content.bin")
	fetch := func(flags ...string) *nodeproc.Node {
		all := append([]string{"add", "--seed", "--dir", t.TempDir(), "--peer", began.Listen[0],
			"--bootstrap", dht.LocalAddr().String(), magnet}, flags...)
		add := start(all...)
		if _, err := add.WaitEvent(ctx, "complete"); err != nil {
			t.Fatal(err)
		}
		return add
	}
	only := fetch("--peers-only")
	// What the other ways do, they do in the first second: LSD gathers for 20 ms,
	// the DHT node joins at once.
	if _, err := only.WaitFor(ctx, "progress", func(e nodeproc.Event) bool {
		return e.Event == "progress" && e.Have > 0
	}); err != nil {
		t.Fatal(err)
	}
	only.Stop()
	for who, w := range seen {
		if n := w.n.Load(); n > 0 {
			t.Errorf("with --peers-only the %s saw %d", who, n)
		}
	}
	fetch()
	for who, w := range seen {
		select {
		case <-w.first:
		case <-ctx.Done():
			t.Errorf("without the flag the %s saw nothing in %v", who, privateTimeout)
		}
	}
}
