package swarmnode

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"swarmnode/internal/socksserver"
	"swarmnode/swarm"
)

// lockedLog is a log that several goroutines write to.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) has(text string) bool { return strings.Contains(l.String(), text) }

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startProxied starts a node behind a proxy, and returns its log as well.
func startProxied(t *testing.T, s *socksserver.Server, cfg Config,
	bootstrap ...string) (*Node, *lockedLog) {
	t.Helper()
	w, err := NewNetwork(NetworkConfig{Proxy: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	log := new(lockedLog)
	cfg.Network, cfg.Logger = w, slog.New(slog.NewTextHandler(log, nil))
	return startNode(t, cfg, bootstrap...), log
}

// A node behind a proxy with UDP listens nowhere, joins the DHT through a node that it knows
// by name, finds a seed there and fetches from it. All that the proxy is not asked for does
// not happen.
func TestNodeBehindProxy(t *testing.T) {
	dir, torrent := makeTorrent(t, 300<<10)
	router := startNode(t, Config{})
	seeder := startNode(t, Config{}, hostOf(router))
	seed, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	s := socksserver.Start(t, socksserver.Options{User: "user", Password: "secret",
		Hosts: map[string]string{"router.example": "127.0.0.1"}})
	_, port, _ := net.SplitHostPort(hostOf(router))
	leecher, log := startProxied(t, s, Config{StateDir: t.TempDir()}, "router.example:"+port)
	if addrs := leecher.Addrs(); len(addrs) != 0 || leecher.LocalPeers() {
		t.Errorf("the node listens on %v", addrs)
	}
	if leecher.lsd != nil {
		t.Error("the node searches the local network")
	}
	eventually(t, "a contact", func() bool { return leecher.DHT().Stats().Contacts[0] > 0 })
	// On loopback, the seed is near the proxy, where only the user sends us.
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{hostOf(seeder)}})
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, leech)
	eventually(t, "the end of the connection", func() bool { return seed.State().Up >= 300<<10 })
	asked := s.Asked()
	for _, want := range []string{"connect " + hostOf(seeder), "associate",
		"datagram router.example:" + port, "datagram " + hostOf(router)} {
		if !slices.Contains(asked, want) {
			t.Errorf("the proxy was not asked to %s, but to %q", want, asked)
		}
	}
	if log.has("secret") {
		t.Error("the log shows the password")
	}
	for _, err := range []error{leecher.SetPort(0), leecher.Listen(loopback...),
		leecher.SetLSD(true)} {
		if err != nil || len(leecher.Addrs()) != 0 || leecher.lsd != nil {
			t.Errorf("the node listens on %v: %v", leecher.Addrs(), err)
		}
	}
}

// Through a proxy without UDP there is no DHT, whatever the user switches, and that is said
// once.
func TestNodeBehindProxyWithoutUDP(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{NoUDP: true})
	n, log := startProxied(t, s, Config{}, "127.0.0.1:1")
	eventually(t, "the end of the DHT", func() bool { return !n.DHT().On() })
	for range 2 {
		if err := n.SetDHT(true); err != nil || n.DHT().On() {
			t.Errorf("the DHT is on: %v, %v", n.DHT().On(), err)
		}
	}
	eventually(t, "a word", func() bool { return log.has("relays no UDP") })
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := strings.Count(log.text.String(), "relays no UDP"); n != 1 {
		t.Errorf("said %d times that there is no UDP", n)
	}
}

// A proxy that is away is waited for. Nobody is dialled meanwhile, and no peer is thought
// dead for it.
func TestProxyComesLater(t *testing.T) {
	dir, torrent := makeTorrent(t, 300<<10)
	seeder := startNode(t, Config{NoDHT: true})
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	s := socksserver.Start(t, socksserver.Options{NoUDP: true})
	s.Stop()
	leecher, log := startProxied(t, s, Config{NoDHT: true})
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{hostOf(seeder)}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a warning", func() bool { return log.has("waiting for the proxy") })
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	waitDone(t, leech)
	eventually(t, "a word", func() bool { return log.has("the proxy is back") })
	if leecher.ProxyAway() || !slices.Contains(s.Asked(), "connect "+hostOf(seeder)) {
		t.Errorf("the proxy was asked for %q", s.Asked())
	}
}

// A program can wait for a proxy that is away. One that does not want us is not waited for.
func TestAwaitProxy(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{User: "u", Password: "p"})
	network := func(url string) *Network {
		w, err := NewNetwork(NetworkConfig{Proxy: url})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	never := func(err error) { t.Errorf("told of %v", err) }
	if err := new(Network).AwaitProxy(t.Context(), never); err != nil {
		t.Errorf("without a proxy: %v", err)
	}
	if err := network("socks5://"+s.Addr().String()).AwaitProxy(t.Context(),
		never); !errors.Is(err, ErrProxyCredentials) {
		t.Errorf("without a password: %v", err)
	}
	s.Stop()
	times := 0
	if err := network(s.URL()).AwaitProxy(t.Context(), func(error) {
		times++
		if err := s.Resume(); err != nil {
			t.Error(err)
		}
	}); err != nil || times != 1 {
		t.Errorf("told %d times that it is away: %v", times, err)
	}
	s.Stop()
	short, cancel := context.WithCancel(t.Context())
	if err := network(s.URL()).AwaitProxy(short, func(error) { cancel() }); !errors.Is(err,
		context.Canceled) {
		t.Errorf("without patience: %v", err)
	}
}

// A download from a URL goes through the proxy by name.
func TestDownloadBehindProxy(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{Reply: 5})
	w, err := NewNetwork(NetworkConfig{Proxy: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Download(t.Context(), "http://server.invalid/x.torrent"); err == nil ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want what the proxy said", err)
	}
}

func TestProxyURLs(t *testing.T) {
	for _, bad := range []string{"http://proxy.example:1080",
		"socks5://user:secret@proxy.example"} {
		_, err := NewNetwork(NetworkConfig{Proxy: bad})
		if _, ok := errors.AsType[*ProxyURLError](err); !ok ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	s := socksserver.Start(t, socksserver.Options{User: "u", Password: "p"})
	w, err := NewNetwork(NetworkConfig{Proxy: "socks5h://" + s.Addr().String()})
	if err != nil || !w.Proxied() {
		t.Fatal(w.Proxied(), err)
	}
	if err := w.CheckProxy(t.Context()); !errors.Is(err, ErrProxyCredentials) {
		t.Errorf("without a password: %v", err)
	}
	var none *Network
	if none.Proxied() || none.CheckProxy(t.Context()) != nil {
		t.Error("no network has a proxy")
	}
	// What the user's own programs connect to is no business of the proxy's.
	l, err := w.Serve(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// A DHT node alone goes through the proxy as well, and keeps what it knows apart.
func TestDHTBehindProxy(t *testing.T) {
	router := startNode(t, Config{})
	s := socksserver.Start(t, socksserver.Options{})
	w, err := NewNetwork(NetworkConfig{Proxy: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := StartDHT(DHTConfig{Network: w, Bootstrap: []string{hostOf(router)},
		StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	eventually(t, "a contact", func() bool { return d.Stats().Contacts[0] > 0 })
	if len(d.Addrs()) != 0 || d.saved.name != "dht-proxy" {
		t.Errorf("it listens on %v, and saves %s", d.Addrs(), d.saved.name)
	}
	if !slices.Contains(s.Asked(), "datagram "+hostOf(router)) {
		t.Errorf("the proxy was asked for %q", s.Asked())
	}
}
