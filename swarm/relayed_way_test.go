package swarm

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/transport/relay"
	"swarmnode/swarm/transport/utp"
)

// heldRelay returns a keeper with an allocation of a server on this machine.
func heldRelay(t *testing.T) *relayKeeper {
	t.Helper()
	at := netip.MustParseAddr("127.0.9.50")
	server, err := relay.Serve(t.Context(), relay.ServerConfig{
		Listen: []netip.AddrPort{netip.AddrPortFrom(at, 0)}, Lend: []relay.Lent{{Public: at}},
		Users: map[string]string{"me": "secret"}, Private: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	e, err := Listen(Config{Relays: noRelays{}, Listen: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	listening := server.Addrs()[0]
	s := RelayServer{URI: relay.URI{Host: listening.Addr().String(), Port: listening.Port(),
		User: "me", Password: "secret"}}
	a, err := e.relays.dial(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	l := newLent(t.Context(), e.relays, s, a)
	e.relays.mu.Lock()
	defer e.relays.mu.Unlock()
	e.relays.held = append(e.relays.held, l)
	e.relays.stands.Mapping = reach.AddressDependent // so the way does not wait for others
	return e.relays
}

// peersOverUTP starts peers at hosts of their own, which know nothing of relays.
func peersOverUTP(t *testing.T, n int) (list []endpoint.Endpoint) {
	t.Helper()
	for i := range n {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 10, byte(i + 1)}), 0)
		s, err := utp.Listen(t.Context(), at, utp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		list = append(list, endpoint.IP(s.AddrPort()))
	}
	return list
}

// A few peers are dialled through a relay, each once, until one of the connections is closed.
func TestWayOverRelay(t *testing.T) {
	t.Parallel()
	k := heldRelay(t)
	way, peers := overRelay{k}, peersOverUTP(t, relayDialsMax+1)
	var conns []net.Conn
	for _, to := range peers[:relayDialsMax] {
		if !way.reaches(to) {
			t.Fatalf("%v is not reached", to)
		}
		conn, err := way.dial(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns = append(conns, conn)
		if way.reaches(to) {
			t.Errorf("%v would be dialled twice", to)
		}
	}
	last := peers[relayDialsMax]
	if conn, err := way.dial(t.Context(), last); !errors.Is(err, errNoWay) {
		t.Errorf("one too many: %v, %v", conn, err)
	}
	conns[0].Close()
	conns[0].Close() // counts once
	if !way.reaches(peers[0]) {
		t.Error("a peer whose connection was closed is not reached again")
	}
	conn, err := way.dial(t.Context(), last)
	if err != nil {
		t.Fatal("with room again: ", err)
	}
	conn.Close()
}

// Nothing leads to hosts of another family, and nothing at all without an allocation.
func TestWayOverRelayLeadsNowhere(t *testing.T) {
	k := heldRelay(t)
	way := overRelay{k}
	for _, at := range []string{"[2001:db8::1]:1", "127.0.9.50:1", "127.0.10.1:0"} {
		if to := endpoint.IP(netip.MustParseAddrPort(at)); way.reaches(to) {
			t.Errorf("%v is reached", to)
		}
	}
	to := peersOverUTP(t, 1)[0]
	k.mu.Lock()
	held := k.held
	k.held = nil
	k.mu.Unlock()
	for _, l := range held {
		l.close()
	}
	if way.reaches(to) {
		t.Error("a peer is reached without an allocation")
	}
	began := time.Now()
	if _, err := way.dial(t.Context(), to); !errors.Is(err, errNoWay) ||
		time.Since(began) < relayVitalAfter {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
