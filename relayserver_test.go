package swarmnode

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/transport/relay"
)

var testHost = netip.MustParseAddr("127.0.0.1")

// startAlone starts a DHT node alone, on loopback.
func startAlone(t *testing.T, cfg DHTConfig) *DHTNode {
	t.Helper()
	cfg.Listen = []netip.AddrPort{netip.AddrPortFrom(testHost, 0)}
	if cfg.Bootstrap == nil {
		cfg.Bootstrap = []string{}
	}
	d, err := StartDHT(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// startRelay starts a relay on loopback, beside a DHT node that knows the others.
func startRelay(t *testing.T, cfg RelayConfig, others ...string) (*RelayServer, *DHTNode) {
	t.Helper()
	d := startAlone(t, DHTConfig{Bootstrap: append([]string{}, others...)})
	if cfg.Lend == nil {
		cfg.Lend = []netip.Addr{testHost}
	}
	r, err := StartRelay(t.Context(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, d
}

// A host gets an allocation through what it is told in the DHT. When the relay is closed, the
// DHT node gives out no more.
func TestRelayServer(t *testing.T) {
	r, d := startRelay(t, RelayConfig{})
	asker := startAlone(t, DHTConfig{})
	given, err := asker.Node().TurnCredentials(t.Context(), d.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if given.Life != relay.CredentialLife || given.Port != r.State().Listen[0].Port() {
		t.Errorf("%+v, and the relay listens on %v", given, r.State().Listen)
	}
	a, err := relay.Dial(t.Context(), relay.Config{Server: relay.URI{Host: "127.0.0.1",
		Port: given.Port, User: given.User, Password: given.Password,
		Transport: relay.TCP}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s := r.State()
	if s.Open != [2]bool{true, false} || s.Why != "" || s.Stats.Admitted != 1 ||
		s.Stats.Tenants != 1 {
		t.Errorf("%+v", s)
	}
	uri := relay.URI{Host: "127.0.0.1", Port: given.Port}.String()
	if got := s.URIs(); len(got) != 1 || got[0] != uri {
		t.Errorf("it is called %v, want %v", got, uri)
	}
	r.Close()
	_, err = asker.Node().TurnCredentials(t.Context(), d.Addrs()[0])
	if !errors.Is(err, dht.ErrNoRelay) {
		t.Errorf("after its end: %v", err)
	}
	select {
	case <-a.Done():
	case <-time.After(10 * time.Second):
		t.Error("the allocation has outlived the relay")
	}
}

// A relay without a public address waits, and serves nobody. With users, these are served where
// it is not proven public.
func TestRelayServerUnproven(t *testing.T) {
	r, d := startRelay(t, RelayConfig{Lend: []netip.Addr{netip.MustParseAddr("9.9.9.9")},
		Listen: []netip.AddrPort{netip.AddrPortFrom(testHost, 0)},
		Users:  map[string]string{"me": "secret"}})
	asker := startAlone(t, DHTConfig{})
	_, err := asker.Node().TurnCredentials(t.Context(), d.Addrs()[0])
	if !errors.Is(err, dht.ErrNoRelay) {
		t.Errorf("strangers get credentials: %v", err)
	}
	s := r.State()
	if s.Open != [2]bool{} || !strings.Contains(s.Why, "strangers of 0 of 2 networks") {
		t.Errorf("%+v", s)
	}
	a, err := relay.Dial(t.Context(), relay.Config{Server: relay.URI{Host: "127.0.0.1",
		Port: s.Listen[0].Port(), User: "me", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got := a.AddrPort().Addr(); got != netip.MustParseAddr("9.9.9.9") {
		t.Errorf("the relayed address is %v", a.AddrPort())
	}
}

// A port in use is an error at the start, and nothing stays open.
func TestRelayServerPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	d := startAlone(t, DHTConfig{})
	_, err = StartRelay(t.Context(), RelayConfig{Lend: []netip.Addr{testHost}, Port: port}, d)
	if !errors.As(err, new(*ListenError)) {
		t.Errorf("%v", err)
	}
}

// After the interface was made again, the relay serves on new sockets, and keeps its counts.
func TestRelayServerRenews(t *testing.T) {
	r, _ := startRelay(t, RelayConfig{Users: map[string]string{"me": "secret"}})
	dial := func() error {
		a, err := relay.Dial(t.Context(), relay.Config{Server: relay.URI{Host: "127.0.0.1",
			Port: r.State().Listen[0].Port(), User: "me", Password: "secret",
			Transport: relay.TCP}})
		if err == nil {
			a.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	before := r.State()
	r.renew()
	eventually(t, "new sockets", func() bool {
		s := r.State()
		return len(s.Listen) > 0 && s.Listen[0] != before.Listen[0]
	})
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	if n := r.State().Stats.Admitted; n != 2 {
		t.Errorf("%d allocations are counted, want 2", n)
	}
}

// TestRelayProof: when a relay serves everybody, and what it says otherwise.
func TestRelayProof(t *testing.T) {
	four, six := netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2a00::1")
	at := func(ip string) []netip.AddrPort {
		return []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(ip), 6881)}
	}
	for name, c := range map[string]struct {
		proof relayProof
		open  [2]bool
		why   string
	}{
		"no address": {relayProof{strangers: [2]int{9, 9}}, [2]bool{}, "no public address"},
		"nobody came": {relayProof{lent: []netip.Addr{four}, strangers: [2]int{1, 9}}, [2]bool{},
			"strangers of 1 of 2 networks have reached 9.9.9.9"},
		"public": {relayProof{lent: []netip.Addr{four}, strangers: [2]int{2, 0}},
			[2]bool{true, false}, ""},
		"seen there": {relayProof{lent: []netip.Addr{four}, strangers: [2]int{2, 0},
			external: at("9.9.9.9")}, [2]bool{true, false}, ""},
		"seen elsewhere": {relayProof{lent: []netip.Addr{four}, strangers: [2]int{2, 0},
			external: at("8.8.8.8")}, [2]bool{}, "others see this machine at 8.8.8.8"},
		"one family": {relayProof{lent: []netip.Addr{four, six}, strangers: [2]int{0, 2}},
			[2]bool{false, true}, ""},
		"neither": {relayProof{lent: []netip.Addr{four, six}}, [2]bool{}, "9.9.9.9; strangers"},
		"private": {relayProof{lent: []netip.Addr{testHost}, private: true,
			external: at("8.8.8.8")}, [2]bool{true, false}, ""},
	} {
		open, why := c.proof.judge()
		if open != c.open || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: %v, %q; want %v, %q", name, open, why, c.open, c.why)
		}
	}
	if p := (relayProof{private: true, external: at("8.8.8.8")}); !p.hidden() {
		t.Error("a private relay announces itself in the DHT of the Internet")
	}
	if p := (relayProof{private: true, external: at("10.0.0.1")}); p.hidden() {
		t.Error("a private relay is not announced in a private DHT")
	}
}

// A relay needs sockets of its own.
func TestRelayServerBehindProxy(t *testing.T) {
	w, err := NewNetwork(NetworkConfig{Proxy: "socks5://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := StartRelay(context.Background(), RelayConfig{Network: w}, nil); err == nil {
		r.Close()
		t.Error("a relay behind a proxy")
	}
}

// Of several addresses, the one is lent that others see, or else the one that was lent before.
func TestOneOfEach(t *testing.T) {
	addrs := func(list string) (ips []netip.Addr) {
		for _, text := range strings.Fields(list) {
			ips = append(ips, netip.MustParseAddr(text))
		}
		return ips
	}
	for _, c := range []struct{ all, better, want string }{
		{"", "9.9.9.9", ""},
		{"8.8.8.8 9.9.9.9", "", "8.8.8.8"},
		{"8.8.8.8 9.9.9.9", "9.9.9.9", "9.9.9.9"},
		{"8.8.8.8 9.9.9.9", "7.7.7.7 9.9.9.9 8.8.8.8", "9.9.9.9"},
		{"2a00::1 2a00::2 8.8.8.8", "2a00::2", "8.8.8.8 2a00::2"},
	} {
		if got := oneOfEach(addrs(c.all), addrs(c.better)); !slices.Equal(got, addrs(c.want)) {
			t.Errorf("of %s, preferring %q: %v, want %s", c.all, c.better, got, c.want)
		}
	}
}

// Nobody on the blocklist is served, not even a user; and nobody there is asked for a relay.
func TestRelayServerRefusesTheBlocked(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("127.0.1.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startAlone(t, DHTConfig{Blocklists: []string{list}})
	r, err := StartRelay(t.Context(), RelayConfig{Lend: []netip.Addr{testHost},
		Users: map[string]string{"me": "secret"}}, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dial := func(ip string) error {
		a, err := relay.Dial(t.Context(), relay.Config{Local: netip.MustParseAddr(ip),
			Server: relay.URI{Host: "127.0.0.1", Port: r.State().Listen[0].Port(), User: "me",
				Password: "secret", Transport: relay.TCP}})
		if err != nil {
			return err
		}
		defer a.Close()
		return a.Permit(t.Context(), []netip.Addr{netip.MustParseAddr("127.0.1.7")})
	}
	if err := dial("127.0.1.1"); err == nil || errors.Is(err, relay.ErrForbidden) {
		t.Errorf("a blocked client is served: %v", err)
	}
	if err := dial("127.0.2.1"); !errors.Is(err, relay.ErrForbidden) {
		t.Errorf("a permit for a blocked peer: %v", err)
	}
	node := startNode(t, Config{Blocklists: []string{list}})
	tried := make(map[netip.AddrPort]struct{})
	blocked := []netip.AddrPort{netip.MustParseAddrPort("127.0.1.1:1")}
	node.relays.ask(t.Context(), blocked, tried, func(swarm.RelayServer) bool { return true })
	if len(tried) != 0 {
		t.Errorf("asked %v", tried)
	}
}

// A relay of IPv6 serves by IPv6 alone.
func TestRelayServerOfIPv6(t *testing.T) {
	six := netip.IPv6Loopback()
	d, err := StartDHT(DHTConfig{Bootstrap: []string{}, Listen: []netip.AddrPort{
		netip.AddrPortFrom(testHost, 0), netip.AddrPortFrom(six, 0)}})
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	defer d.Close()
	r, err := StartRelay(t.Context(), RelayConfig{Lend: []netip.Addr{six}}, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s := r.State(); s.Open != [2]bool{false, true} || len(s.URIs()) != 1 {
		t.Errorf("%+v", s)
	}
	asker, err := StartDHT(DHTConfig{Bootstrap: []string{}, Listen: []netip.AddrPort{
		netip.AddrPortFrom(testHost, 0), netip.AddrPortFrom(six, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	_, err = asker.Node().TurnCredentials(t.Context(), d.Addrs()[0])
	if !errors.Is(err, dht.ErrNoRelay) {
		t.Errorf("over IPv4: %v", err)
	}
	given, err := asker.Node().TurnCredentials(t.Context(), d.Addrs()[1])
	if err != nil {
		t.Fatal(err)
	}
	a, err := relay.Dial(t.Context(), relay.Config{Server: relay.URI{Host: six.String(),
		Port: given.Port, User: given.User, Password: given.Password}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.AddrPort().Addr() != six {
		t.Errorf("the relayed address is %v", a.AddrPort())
	}
}
