package tracker

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"swarmnode/internal/socksserver"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/transport/socks"
)

// newProxied returns a Client behind a proxy, which knows tracker.example.
func newProxied(t *testing.T, opts socksserver.Options) (*Client, *socksserver.Server) {
	t.Helper()
	opts.Hosts = map[string]string{"tracker.example": "127.0.0.1"}
	s := socksserver.Start(t, opts)
	server, err := socks.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	n, err := egress.New(egress.Config{Proxy: socks.New(socks.Config{Server: server})})
	if err != nil {
		t.Fatal(err)
	}
	web := guard.New(guard.Config{UserAgent: "node/test", Net: n})
	t.Cleanup(web.Close)
	c := NewClient(ClientConfig{HTTP: web, Net: n})
	t.Cleanup(c.Close)
	return c, s
}

// Trackers are asked through the proxy, which gets their names, and over UDP by one relay for
// each tracker.
func TestThroughProxy(t *testing.T) {
	_, at := startServer(t, ServerConfig{}, "127.0.0.1")
	direct := newClient(t)
	request := Request{InfoHash: hashA, PeerID: [20]byte{1}, Port: 7000, Left: 1, Event: Started,
		Want: 50}
	if _, err := direct.Announce(t.Context(), parse(t, "http://"+at.String()+"/announce", false),
		request, guard.Any); err != nil {
		t.Fatal(err)
	}
	c, s := newProxied(t, socksserver.Options{User: "u", Password: "p"})
	request.PeerID, request.Port = [20]byte{2}, portNone
	named := fmt.Sprintf("tracker.example:%d", at.Port())
	for _, scheme := range []string{"http", "udp", "udp"} {
		tracker := parse(t, scheme+"://"+named+"/announce", true)
		response, err := c.Announce(t.Context(), tracker, request, guard.Any)
		if err != nil || response.Interval == 0 {
			t.Fatalf("%s: %+v, %v", scheme, response, err)
		}
		// An answer over UDP comes with the tracker's address, and one on loopback may name
		// peers there. That of an HTTP server counts as public.
		want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7000")}
		if scheme == "http" {
			want = nil
		}
		if !slices.Equal(response.Peers, want) {
			t.Errorf("%s: the peers are %v, want %v", scheme, response.Peers, want)
		}
		if counts, err := c.Scrape(t.Context(), tracker, hashA); err != nil ||
			counts[0].Leeches != 2 {
			t.Errorf("%s: scrape: %+v, %v", scheme, counts, err)
		}
	}
	asked := s.Asked()
	if n := len(slices.DeleteFunc(slices.Clone(asked), func(what string) bool {
		return what != "associate"
	})); n != 1 {
		t.Errorf("%d relays for one tracker", n)
	}
	for _, what := range asked {
		if what != "associate" && what != "connect "+named && what != "datagram "+named {
			t.Errorf("the proxy was asked to %s", what)
		}
	}
}

// The trackers that strangers name lead to public hosts alone, and a proxy without UDP is
// no way to a UDP tracker.
func TestProxyRefusals(t *testing.T) {
	c, s := newProxied(t, socksserver.Options{NoUDP: true})
	for _, url := range []string{"udp://localhost:6969/announce", "udp://127.0.0.1:6969/announce",
		"udp://nas.local:6969", "udp://10.0.0.1:6969", "http://localhost:6969/announce",
		"http://10.0.0.1:6969/announce"} {
		_, err := c.Announce(t.Context(), parse(t, url, true), Request{InfoHash: hashA}, guard.Any)
		var why *NotAskedError
		if !errors.As(err, &why) || !errors.Is(err, guard.ErrRefused) ||
			strings.Contains(why.Error(), "\n") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if got := s.Asked(); len(got) > 0 {
		t.Errorf("the proxy was asked for %q", got)
	}
	_, err := c.Announce(t.Context(), parse(t, "udp://tracker.example:6969", true),
		Request{InfoHash: hashA}, guard.Any)
	if !errors.Is(err, socks.ErrNoUDP) {
		t.Errorf("a UDP tracker: %v", err)
	}
}

// A proxy chooses the family, so a tracker is asked once, whatever its name has.
func TestProxyChoosesTheFamily(t *testing.T) {
	c, _ := newProxied(t, socksserver.Options{})
	r := &trackerState{tracker: parse(t, "http://tracker.example/announce", true)}
	for client, want := range map[*Client][]guard.Family{c: {guard.Any},
		newClient(t): {guard.IPv4, guard.IPv6}} {
		g := &tierGroup{swarm: &swarmAnnounce{a: &Announcer{cfg: Config{Client: client}}}}
		if got := g.families(r); !slices.Equal(got, want) {
			t.Errorf("asked in %v, want %v", got, want)
		}
	}
}

// Nobody can connect to a peer without a port, and trackers refuse port 0.
func TestPortNowhere(t *testing.T) {
	p := &swarmAnnounce{a: &Announcer{}}
	for port, want := range map[uint16]uint16{0: 1, 6881: 6881} {
		if got := p.request(&trackerState{}, port, Stats{}, Started).Port; got != want {
			t.Errorf("port %d is announced as %d, want %d", port, got, want)
		}
	}
}
