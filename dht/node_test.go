package dht

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// listen opens a UDP socket on a free port of a loopback address.
func listen(t testing.TB, host string) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

func addrOf(pc net.PacketConn) netip.AddrPort {
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

// startNode runs a node on 127.0.0.1 for the length of the test.
func startNode(t testing.TB, hosts ...string) (*Node, netip.AddrPort) {
	t.Helper()
	return startNodeOn(t, listen(t, "127.0.0.1"), Config{Bootstrap: hosts})
}

func startNodeOn(t testing.TB, pc net.PacketConn, cfg Config) (*Node, netip.AddrPort) {
	t.Helper()
	cfg.Conns = append(cfg.Conns, pc)
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, addrOf(pc)
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// waitFor polls cond until it is true.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	waitAtMost(t, 2*time.Minute, cond)
}

// waitLong is waitFor for other programs, which join more slowly.
func waitLong(t testing.TB, cond func() bool) {
	t.Helper()
	waitAtMost(t, 4*time.Minute, cond)
}

func waitAtMost(t testing.TB, limit time.Duration, cond func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition did not come true in time")
		}
	}
}

// TestPrivateNetwork runs 50 nodes on one loopback address that know only the first
// node; then two of them find each other.
func TestPrivateNetwork(t *testing.T) {
	ctx := testContext(t)
	_, first := startNode(t)
	nodes := make([]*Node, 49)
	for i := range nodes {
		nodes[i], _ = startNode(t, first.String())
	}
	for _, n := range nodes {
		if err := n.Join(ctx); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return n.Stats().Good[v4] >= k })
	}
	for round := range 10 {
		ih := metainfo.Hash{byte(round), 1, 2, 3}
		want := netip.AddrPortFrom(first.Addr(), uint16(7000+round))
		// Tables change for a while after so many nodes have joined at once, and a
		// busy machine drops packets. So a failed lookup is repeated, as by Peers.
		waitFor(t, func() bool {
			l, err := nodes[round].Announce(ctx, ih, want.Port(), false, nil)
			if err != nil {
				t.Fatal("announce:", err)
			}
			var got []netip.AddrPort
			if _, err := nodes[48-round].GetPeers(ctx, ih, func(a netip.AddrPort) {
				got = append(got, a)
			}); err != nil {
				t.Fatal(err)
			}
			return l.Stored >= k/2 && slices.Equal(got, []netip.AddrPort{want})
		})
	}
}

// TestPeersMeet starts both ends before their bootstrap node is there, the
// downloader first.
func TestPeersMeet(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	bootstrap := listen(t, "127.0.0.1")
	host := addrOf(bootstrap).String()
	ih := metainfo.Hash{9, 9}
	met := make(chan uint16, 16)
	var wg sync.WaitGroup
	for port := range uint16(2) {
		n, _ := startNode(t, host)
		wg.Go(func() {
			for a := range n.Peers(ctx, ih, 4000+port, port == 1) {
				// Both go on to announce: either may find the other before its own
				// first announce.
				if a.Port() == 4001-port {
					met <- port
				}
			}
		})
	}
	startNodeOn(t, bootstrap, Config{Router: true})
	for some := make(map[uint16]bool); len(some) < 2; {
		select {
		case port := <-met:
			some[port] = true
		case <-ctx.Done():
			t.Fatal("the two ends did not meet")
		}
	}
	cancel()
	wg.Wait()
}

func TestPing(t *testing.T) {
	ctx := testContext(t)
	a, at := startNode(t)
	b, bt := startNode(t)
	pong, err := b.Ping(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	if pong.ID != a.ID(false) || pong.External != bt || pong.Version != clientVersion ||
		pong.RTT <= 0 {
		t.Errorf("pong %+v", pong)
	}
	if _, err := b.Ping(ctx, netip.MustParseAddrPort("[::1]:5")); err != ErrFamily {
		t.Errorf("ping of the other family: %v, want %v", err, ErrFamily)
	}
	a.Close()
	if err := a.Join(ctx); err != ErrClosed {
		t.Errorf("Join of a closed node: %v, want %v", err, ErrClosed)
	}
}

// TestState restarts a node whose bootstrap node is gone.
func TestState(t *testing.T) {
	ctx := testContext(t)
	boot, first := startNode(t)
	var others []*Node
	for range 10 {
		n, _ := startNode(t, first.String())
		others = append(others, n)
	}
	n, _ := startNode(t, first.String())
	for _, o := range append(others, n) {
		if err := o.Join(ctx); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return n.Stats().Contacts[v4] >= 5 })
	path := t.TempDir() + "/nodes"
	id := n.ID(false)
	if err := WriteState(path, n.Save()); err != nil {
		t.Fatal(err)
	}
	n.Close()
	boot.Close()
	state, err := ReadState(path)
	if err != nil || state == nil {
		t.Fatalf("state %q, %v", state, err)
	}
	again, _ := startNodeOn(t, listen(t, "127.0.0.1"), Config{State: state})
	if err := again.Join(ctx); err != nil {
		t.Fatal(err)
	}
	if again.ID(false) != id {
		t.Error("the id did not survive")
	}
	waitFor(t, func() bool { return again.Stats().Contacts[v4] >= 5 })
}
