package swarmnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

// relaysOf returns what the relays of a node yield in one search.
func relaysOf(t *testing.T, r *relays) (list []swarm.RelayServer) {
	t.Helper()
	for s := range r.Relays(t.Context()) {
		list = append(list, s)
	}
	return list
}

// portsOf returns the ports of relays, sorted.
func portsOf(list []swarm.RelayServer) (ports []uint16) {
	for _, s := range list {
		ports = append(ports, s.URI.Port)
	}
	slices.Sort(ports)
	return ports
}

// A node finds relays in the DHT, and gets an allocation of each with the credentials that it is
// given there. Liars in the DHT are asked once. What has worked is remembered.
func TestRelaysFromTheDHT(t *testing.T) {
	router := startAlone(t, DHTConfig{Router: true})
	way := router.Addrs()[0].String()
	first, _ := startRelay(t, RelayConfig{}, way)
	second, _ := startRelay(t, RelayConfig{}, way)
	liar := startAlone(t, DHTConfig{Bootstrap: []string{way}})
	if _, err := liar.Node().Announce(t.Context(), dht.RelayTarget, 0, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*RelayServer{first, second} {
		eventually(t, "an announce", func() bool { return r.State().Announced > 0 })
	}
	dir := t.TempDir()
	node := startNode(t, Config{StateDir: dir}, way)
	list := relaysOf(t, node.relays)
	want := []uint16{first.State().Listen[0].Port(), second.State().Listen[0].Port()}
	slices.Sort(want)
	if got := portsOf(list); !slices.Equal(got, want) {
		t.Fatalf("relays at the ports %v, want %v", got, want)
	}
	for i, s := range list {
		uri := s.URI
		var err error
		if uri.User, uri.Password, err = s.Credentials(t.Context(), netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		a, err := relay.Dial(t.Context(), relay.Config{Server: uri})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if i == 0 {
			s.Outcome(nil)
		} else {
			s.Outcome(relay.ErrGone)
		}
	}
	fails := 0
	for _, r := range node.relays.book.records {
		fails += r.fails
	}
	if fails != 2 || len(node.relays.book.records) != 3 {
		t.Errorf("the book has %v, want one that worked, one that failed, and the liar",
			node.relays.book.records)
	}
	good := list[0].URI.Port
	if again := relaysOf(t, node.relays); len(again) != 1 || again[0].URI.Port != good {
		t.Errorf("the next search finds %v, want the one that worked", again)
	}
	other := startNode(t, Config{StateDir: dir})
	if again := relaysOf(t, other.relays); len(again) != 1 || again[0].URI.Port != good {
		t.Errorf("the next run finds %v, want the one that worked, without a DHT", again)
	}
}

// The relays of the user come first and in order, then those of the bootstrap list. One without
// a user is asked for credentials at the DHT port of its host.
func TestRelaysOfTheUser(t *testing.T) {
	t.Parallel()
	r, d := startRelay(t, RelayConfig{})
	port := r.State().Listen[0].Port()
	bare := fmt.Sprintf("turn:127.0.0.1:%d", port)
	log := new(lockedLog)
	cfg := Config{Relays: []string{"turn:a:b@192.0.2.1", "turn:192.0.2.7", "turn:c:d@192.0.2.2:99",
		"turn:a:b@192.0.2.1"}, Bootstrap: []string{bare, "turn:e:f@192.0.2.3",
		d.Addrs()[0].String()}, Logger: slog.New(slog.NewTextHandler(log, nil)), NoLSD: true,
		Listen: []netip.AddrPort{netip.AddrPortFrom(testHost, 0)}, AnyPort: true}
	node, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	node.relays.found, node.relays.when = nil, time.Now().Add(time.Hour) // no search in the DHT
	node.relays.ports["192.0.2.7"] = 1                                   // where nobody answers
	list := relaysOf(t, node.relays)
	if len(list) != 4 {
		t.Fatalf("relays %v, want 4", list)
	}
	if list[0].URI.Host != "192.0.2.1" || list[0].URI.User != "a" || list[1].URI.Port != 99 {
		t.Errorf("first come %v and %v", list[0].URI, list[1].URI)
	}
	for _, s := range list[2:] {
		switch s.URI.Host {
		case "192.0.2.3":
		case "127.0.0.1":
			user, password, err := s.Credentials(t.Context(), netip.Addr{})
			if err != nil || user == "" || password == "" || s.URI.Port != port {
				t.Errorf("%v: %q, %v", s.URI, user, err)
			}
		default:
			t.Errorf("a relay at %v", s.URI)
		}
	}
	if !log.has(`level=WARN msg="a relay cannot be used" err="turn:192.0.2.7: no DHT node`) {
		t.Errorf("no warning of the relay that answers nothing in %s", log)
	}
	list[1].Outcome(nil)
	if log.has("turn:192.0.2.2:99") {
		t.Error("there is a warning of a relay that works")
	}
	refused := fmt.Errorf("asking %v: %w", list[1].URI,
		&relay.ServerError{Code: 401, Reason: "secret"})
	list[1].Outcome(refused)
	list[1].Outcome(refused)
	for _, s := range list[2:] {
		if s.URI.Host == "192.0.2.3" {
			// Nobody has named it on the command line.
			s.Outcome(fmt.Errorf("asking %v: %w", s.URI, refused))
		}
	}
	const warning = `err="asking turn:192.0.2.2:99: relay: the server refuses our credentials`
	n := strings.Count(log.String(), warning)
	if n != 1 || log.has("192.0.2.3") || log.has("secret") {
		t.Errorf("%d warnings of the relay that refuses the password, want 1 and no others", n)
	}
	if want := []string{d.Addrs()[0].String()}; !slices.Equal(node.cfg.Bootstrap, want) {
		t.Errorf("the DHT is joined through %v, want %v", node.cfg.Bootstrap, want)
	}
}

// A reader that has enough stops the search, and so does the end of its context.
func TestRelaysStop(t *testing.T) {
	node := startNode(t, Config{Relays: []string{"turn:a:b@192.0.2.1", "turn:a:b@192.0.2.2"}})
	n := 0
	for range node.relays.Relays(t.Context()) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d relays, want 1", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for s := range node.relays.Relays(ctx) {
		t.Errorf("%v after the end", s.URI)
	}
}

// Credentials are asked for again after half of their life.
func TestRelayTicketsAreRenewed(t *testing.T) {
	_, d := startRelay(t, RelayConfig{})
	node := startNode(t, Config{}, d.Addrs()[0].String())
	k := &ticket{relays: node.relays, at: d.Addrs()[0]}
	k.given, k.since = dht.TurnCredentials{User: "old", Life: time.Minute}, time.Now()
	if user, _, err := k.credentials(t.Context(), netip.Addr{}); err != nil || user != "old" {
		t.Errorf("fresh ones: %q, %v", user, err)
	}
	k.since = time.Now().Add(-31 * time.Second)
	if user, _, err := k.credentials(t.Context(), netip.Addr{}); err != nil || user == "old" {
		t.Errorf("old ones: %q, %v", user, err)
	}
}

// With a proxy, relays are reached over TCP; without relays, the engine has none.
func TestRelaysByConfig(t *testing.T) {
	w, err := NewNetwork(NetworkConfig{Proxy: "socks5://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRelays(&Config{Network: w, Relays: []string{"turn:a:b@192.0.2.1?transport=udp",
		"turn:a:b@192.0.2.2"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.node = func() *dht.Node { return nil }
	list := relaysOf(t, r)
	if len(list) != 1 || list[0].URI.Host != "192.0.2.2" || list[0].URI.Transport != relay.TCP {
		t.Errorf("behind a proxy: %v", list)
	}
	none, err := newRelays(&Config{NoRelay: true, Relays: []string{"turn:a:b@192.0.2.1"}})
	if err != nil || none != nil {
		t.Errorf("without relays: %v, %v", none, err)
	}
	for _, cfg := range []Config{{Relays: []string{"turn:a:secret@"}},
		{Bootstrap: []string{"turn:a:secret@"}}} {
		_, err := Start(t.Context(), cfg)
		if !errors.As(err, new(*RelayError)) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", cfg.Relays, err)
		}
	}
}

// Those that have failed are left alone, longer each time, until they have worked.
func TestRelayBook(t *testing.T) {
	b := openRelayBook(folder{}, slog.New(slog.DiscardHandler))
	at, now := netip.MustParseAddrPort("9.9.9.9:6881"), time.Unix(1_796_000_000, 0)
	b.note(at, true, now)
	if got := b.good(now); len(got) != 1 || b.avoids(at, now) {
		t.Errorf("after it has worked: good %v", got)
	}
	if got := b.good(now.Add(relayFresh)); len(got) != 0 {
		t.Errorf("a week later: good %v", got)
	}
	b.note(at, false, now)
	b.note(at, false, now)
	for after, want := range map[time.Duration]bool{0: true, 2*relayPause - 1: true,
		2 * relayPause: false, -time.Second: false} {
		if got := b.avoids(at, now.Add(after)); got != want {
			t.Errorf("after two failures and %v it is avoided: %v", after, got)
		}
	}
	for range 300 {
		b.note(at, false, now)
	}
	if !b.avoids(at, now.Add(relayPauseMax-1)) || b.avoids(at, now.Add(relayPauseMax)) {
		t.Error("after many failures it is not avoided for a day")
	}
	b.note(at, true, now)
	for i := range 3 * relayRecordsMax {
		b.note(netip.AddrPortFrom(at.Addr(), uint16(i+1)), false, now)
	}
	if len(b.records) != relayRecordsMax || len(b.good(now)) != 1 {
		t.Errorf("%d records after a flood, good %v", len(b.records), b.good(now))
	}
	text := b.text()
	if len(text) > relayBookMax {
		t.Errorf("the file has %d bytes", len(text))
	}
	same := func(x, y relayRecord) bool {
		return x.worked.Equal(y.worked) && x.failed.Equal(y.failed) && x.fails == y.fails
	}
	if got := parseRelayBook(text); !maps.EqualFunc(got, b.records, same) {
		t.Errorf("read back: %v", got)
	}
}

// A file of something else is no error, and is replaced.
func TestRelayBookOfGarbage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, relaysFile)
	if err := os.WriteFile(path, []byte("\x00garbage\n9.9.9.9:1 1 0 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openRelayBook(folder{path: dir}, slog.New(slog.DiscardHandler))
	if len(b.records) != 1 {
		t.Errorf("records %v", b.records)
	}
	b.note(netip.MustParseAddrPort("8.8.8.8:1"), true, time.Unix(5, 0))
	got, err := os.ReadFile(path)
	if want := "8.8.8.8:1 5 0 0\n9.9.9.9:1 1 0 0\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// TestParseRelays: the lines of relays in a bootstrap list, and what is wrong with others.
func TestParseRelays(t *testing.T) {
	text := "\ufeff# list\nrouter.example:6881\r\n  turn:relay.example  # a comment\r\n" +
		"turn:me:secret@192.0.2.1:99?transport=tcp\nturn:\nturn:me:hidden@:1\nturn:relay.example\n"
	uris, faults := ParseRelays([]byte(text))
	want := []string{"turn:relay.example", "turn:me:secret@192.0.2.1:99?transport=tcp"}
	if !slices.Equal(uris, want) {
		t.Errorf("relays %q, want %q", uris, want)
	}
	if len(faults) != 2 || !strings.Contains(faults[0].Error(), "line 5") ||
		strings.Contains(fmt.Sprint(faults), "hidden") {
		t.Errorf("faults %v", faults)
	}
	hosts, faults := dht.ParseBootstrap([]byte(text))
	if !slices.Equal(hosts, []string{"router.example:6881"}) || len(faults) != 0 {
		t.Errorf("hosts %q, faults %v", hosts, faults)
	}
	many := ""
	for i := range 2 * relaysMax {
		many += fmt.Sprintf("turn:r%d.example\n", i)
	}
	if uris, faults := ParseRelays([]byte(many)); len(uris) != relaysMax || len(faults) != 1 {
		t.Errorf("%d relays of many, faults %v", len(uris), faults)
	}
	wrong := strings.Repeat("turn:\n", 1000) + strings.Repeat("#", relayTextMax) +
		"\nturn:a.example"
	if uris, faults := ParseRelays([]byte(wrong)); len(uris) != 0 || len(faults) != relayFaultsMax {
		t.Errorf("%d relays behind the limit, %d faults", len(uris), len(faults))
	}
	if _, faults := ParseRelays([]byte(Bootstrap)); len(faults) != 0 {
		t.Errorf("the built-in list: %v", faults)
	}
}

// FuzzParseRelays: what is taken from a list can be parsed, and is bounded.
func FuzzParseRelays(f *testing.F) {
	f.Add([]byte("turn:me:secret@192.0.2.1:99?transport=tcp\nturn:[2001:db8::1] # x\nturn:%\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		uris, faults := ParseRelays(text)
		if len(uris) > relaysMax || len(faults) > relayFaultsMax+1 {
			t.Errorf("%d relays, %d faults", len(uris), len(faults))
		}
		if _, err := parseURIs(uris); err != nil {
			t.Error(err)
		}
		hosts, _ := dht.ParseBootstrap(text)
		for _, host := range hosts {
			_, _, err := net.SplitHostPort(host)
			if err != nil || strings.HasPrefix(host, "turn:") {
				t.Errorf("a host %q", host)
			}
		}
	})
}

// FuzzRelayBook: a book that was read is written and read the same way.
func FuzzRelayBook(f *testing.F) {
	f.Add([]byte("9.9.9.9:6881 1796000000 0 0\n[2a00::1]:1 0 5 3\nx\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := openRelayBook(folder{}, slog.New(slog.DiscardHandler))
		b.records = parseRelayBook(text)
		again := parseRelayBook(b.text())
		if len(b.records) > relayRecordsMax || !maps.Equal(again, b.records) {
			t.Errorf("%v, and again %v", b.records, again)
		}
		for at := range b.records {
			b.avoids(at, time.Unix(1_796_000_000, 0))
		}
		b.good(time.Unix(1_796_000_000, 0))
	})
}

// Where nobody tells of a relay, the bootstrap hosts are asked whether they are one.
func TestRelayAtTheBootstrapHost(t *testing.T) {
	r, d := startRelay(t, RelayConfig{})
	_, port, _ := net.SplitHostPort(d.Addrs()[0].String())
	node := startNode(t, Config{}, "localhost:"+port)
	list := relaysOf(t, node.relays)
	if len(list) != 1 || list[0].URI.Port != r.State().Listen[0].Port() {
		t.Errorf("relays %v, want that of the bootstrap host", list)
	}
}

// A look-up that has found no relay counts for a few seconds alone: the first relay of a young
// DHT may be about to come.
func TestRelaysAreLookedUpAgain(t *testing.T) {
	router := startAlone(t, DHTConfig{Router: true})
	way := router.Addrs()[0].String()
	node := startNode(t, Config{}, way)
	if list := relaysOf(t, node.relays); len(list) != 0 {
		t.Fatalf("relays %v, want none", list)
	}
	first, _ := startRelay(t, RelayConfig{}, way)
	eventually(t, "an announce", func() bool { return first.State().Announced > 0 })
	node.relays.mu.Lock()
	node.relays.when = time.Now().Add(-relayNoneGap)
	node.relays.mu.Unlock()
	list := relaysOf(t, node.relays)
	if len(list) != 1 || list[0].URI.Port != first.State().Listen[0].Port() {
		t.Errorf("relays %v, want the new one", list)
	}
}
