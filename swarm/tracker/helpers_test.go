package tracker

import (
	"context"
	"net/netip"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/transport"
)

var (
	hashA = metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	hashB = metainfo.Hash([]byte("b& %+\x00\xffbbbbbbbbbbbbb"))
)

func parse(t testing.TB, raw string, stranger bool) Tracker {
	t.Helper()
	tr, err := ParseTracker(raw, stranger)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func newClient(t testing.TB) *Client {
	t.Helper()
	web := guard.New(guard.Config{UserAgent: "node/test"})
	t.Cleanup(web.Close)
	c := NewClient(ClientConfig{HTTP: web})
	t.Cleanup(c.Close)
	return c
}

// startServer serves a tracker on one port of an address, until the test ends.
func startServer(t testing.TB, cfg ServerConfig, ip string) (*Server, netip.AddrPort) {
	t.Helper()
	s := NewServer(cfg)
	addr := serve(t, s, ip)
	return s, addr
}

func serve(t testing.TB, s *Server, ip string) netip.AddrPort {
	t.Helper()
	pair, err := transport.ListenPair(t.Context(), nil,
		netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
	if err != nil {
		if ip == "::1" {
			t.Skip("no IPv6 here: ", err)
		}
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, pair.TCP, pair.UDP) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return pair.AddrPort()
}
