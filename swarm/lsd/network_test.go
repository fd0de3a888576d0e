//go:build linux

package lsd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm/lsd"
)

// run runs a command that prepares the network of a namespace.
func run(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// start starts a Service that is bound to the addresses.
func start(t *testing.T, bound ...string) *lsd.Service {
	var cfg lsd.Config
	for _, a := range bound {
		cfg.Bound = append(cfg.Bound, netip.MustParseAddr(a))
	}
	s := lsd.New(cfg)
	t.Cleanup(s.Close)
	return s
}

// search collects peers in a goroutine until the test ends.
func search(t *testing.T, s *lsd.Service, ih metainfo.Hash, port uint16) <-chan netip.AddrPort {
	found := make(chan netip.AddrPort, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a := range s.Peers(ctx, ih, port, false) {
			found <- a
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return found
}

// patience bounds every wait of these tests. It is only reached by a failure.
const patience = 2 * time.Minute

// finds waits until all peers that are wanted were found. Each is described by
// a function, and by words.
func finds(t *testing.T, found <-chan netip.AddrPort, wait time.Duration,
	wanted map[string]func(netip.AddrPort) bool) {
	t.Helper()
	timeout := time.After(wait)
	for len(wanted) > 0 {
		select {
		case a := <-found:
			for what, is := range wanted {
				if is(a) {
					delete(wanted, what)
				}
			}
		case <-timeout:
			for what := range wanted {
				t.Errorf("%s was not found within %v", what, wait)
			}
			return
		}
	}
}

// Two nodes on one host, on sockets, in both families: the second finds the
// first within a second, and is found.
func TestSockets(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	run(t, "ip link add lan0 type veth peer name lan1")
	run(t, "ip addr add 192.168.9.1/24 dev lan0")
	run(t, "ip addr add fd00:9::1/64 dev lan0 nodad")
	ih := metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	const ip4, ip6 = "192.168.9.1", "fd00:9::1"
	first, second := start(t, ip4, ip6), start(t, ip4, ip6)
	foundFirst := search(t, first, ih, 1001)
	foundSecond := search(t, second, ih, 1002)
	// The interface comes up under their eyes.
	run(t, "ip link set lan0 up")
	run(t, "ip link set lan1 up")
	v4 := func(port uint16) func(netip.AddrPort) bool {
		return func(a netip.AddrPort) bool {
			return a == netip.AddrPortFrom(netip.MustParseAddr("192.168.9.1"), port)
		}
	}
	v6 := func(port uint16) func(netip.AddrPort) bool {
		return func(a netip.AddrPort) bool { return a.Addr().Is6() && a.Port() == port }
	}
	type wanted = map[string]func(netip.AddrPort) bool
	finds(t, foundFirst, patience, wanted{"the second": v4(1002),
		"the second, over IPv6,": v6(1002)})
	finds(t, foundSecond, patience, wanted{"the first": v4(1001),
		"the first, over IPv6,": v6(1001)})
	// The others have announced themselves a moment ago and say nothing yet, but
	// they hear whoever is new.
	search(t, start(t, ip4, ip6), ih, 1003)
	finds(t, foundFirst, patience, wanted{"the third": v4(1003), "the third, over IPv6,": v6(1003)})
}

// TestSecondAddress: who is reached at a further address of an interface alone is
// announced from that one, in both families, and at no other; who is reached at
// several is announced from each.
func TestSecondAddress(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	run(t, "ip link add lan0 type veth peer name lan1")
	run(t, "ip addr add 192.168.9.1/24 dev lan0")
	for _, a := range []string{"192.168.9.2/24", "192.168.9.3/24", "fd00:9::1/64", "fd00:9::2/64",
		"fd00:9::3/64"} {
		run(t, "ip addr add "+a+" dev lan0 nodad")
	}
	run(t, "ip link set lan0 up")
	run(t, "ip link set lan1 up")
	ih := metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	found := search(t, start(t, "0.0.0.0", "::"), ih, 1001)
	want := make(map[netip.AddrPort]bool)
	for port, ips := range map[uint16][]string{
		1002: {"192.168.9.2"},
		1003: {"fd00:9::2"},
		1004: {"192.168.9.1", "192.168.9.3", "fd00:9::3"},
	} {
		search(t, start(t, ips...), ih, port)
		for _, ip := range ips {
			want[netip.AddrPortFrom(netip.MustParseAddr(ip), port)] = true
		}
	}
	timeout := time.After(patience)
	for left := maps.Clone(want); len(left) > 0; {
		select {
		case a := <-found:
			if !want[a] {
				t.Errorf("found %v, where nobody is", a)
			}
			delete(left, a)
		case <-timeout:
			t.Fatalf("not found: %v", slices.Collect(maps.Keys(left)))
		}
	}
}

// hears waits for a connection of a peer that asks for a torrent.
func hears(l net.Listener, ih metainfo.Hash) <-chan time.Time {
	at := make(chan time.Time, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				// The handshake of BEP 3; a client that prefers encryption
				// tries without it after we have hung up.
				hello := make([]byte, 48)
				if _, err := io.ReadFull(conn, hello); err == nil &&
					bytes.Equal(hello[28:], ih[:]) {
					select {
					case at <- time.Now():
					default:
					}
				} else if err == nil && hello[0] != 19 {
					select {
					case at <- time.Now(): // encrypted: nobody else knows of us
					default:
					}
				}
			}()
		}
	}()
	return at
}

// Real clients, whoever comes first: they find us, and we find them.
func TestRealClients(t *testing.T) {
	settings := map[realclient.Kind]map[string]any{
		realclient.Libtorrent:   {"enable_lsd": true},
		realclient.Transmission: {"lpd-enabled": true},
		realclient.Aria2:        {"bt-enable-lpd": true},
	}
	var kinds []realclient.Kind
	for _, kind := range []realclient.Kind{realclient.Libtorrent, realclient.Transmission,
		realclient.Aria2} {
		if err := realclient.Installed(kind); err == nil ||
			os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		t.Skip("no client is installed")
	}
	if !realclient.InNamespace(t) {
		return
	}
	run(t, "ip route add default dev lo")
	for i, kind := range kinds {
		for j, oursFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, ours first %v", kind, oursFirst), func(t *testing.T) {
				t.Parallel()
				// A torrent of its own for each, since all share the network.
				dir := t.TempDir()
				file := filepath.Join(dir, "content")
				if err := os.WriteFile(file, bytes.Repeat([]byte{byte(i), byte(j)}, 50_000),
					0o644); err != nil {
					t.Fatal(err)
				}
				torrent, err := realclient.MakeTorrent(file, 16<<10, "")
				if err != nil {
					t.Fatal(err)
				}
				ih, err := metainfo.ParseHash(torrent.Hash)
				if err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("tcp", "10.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				ours := netip.MustParseAddrPort(l.Addr().String())
				client := realclient.Start(t, kind,
					realclient.Options{IP: netip.MustParseAddr("10.0.0.1"),
						Settings: settings[kind]})
				seed := func() {
					if err := client.Seed(t.Context(), torrent.File, dir); err != nil {
						t.Fatal(err)
					}
					if err := client.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if !oursFirst {
					seed()
				}
				service := start(t, "10.0.0.1")
				begin := time.Now()
				came := hears(l, ih)
				found := search(t, service, ih, ours.Port())
				if oursFirst {
					seed()
					begin = time.Now()
				}
				var byThem, byUs time.Duration
				timeout := time.After(3 * time.Minute)
				for byUs == 0 && byThem == 0 {
					select {
					case at := <-came:
						byThem = max(1, at.Sub(begin))
					case a := <-found:
						if a.Port() == client.Addr.Port() {
							byUs = max(1, time.Since(begin))
						}
					case <-timeout:
						t.Fatal("nobody found anybody")
					}
				}
				t.Logf("first contact after: we knew of it %v, it connected %v",
					byUs.Round(time.Millisecond), byThem.Round(time.Millisecond))
			})
		}
	}
}
