package dht

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// TestSixAndFour runs nodes in both families: each DHT works alone, and an announce in
// both is found in both.
func TestSixAndFour(t *testing.T) {
	if pc, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 loopback: ", err)
	} else {
		pc.Close()
	}
	ctx := testContext(t)
	start := func(hosts ...string) (*Node, string, string) {
		four, six := listen(t, "127.0.0.1"), listen(t, "::1")
		n, _ := startNodeOn(t, four, Config{Bootstrap: hosts, Conns: []net.PacketConn{six}})
		return n, addrOf(four).String(), addrOf(six).String()
	}
	_, first4, first6 := start()
	a, _, _ := start(first4, first6)
	b, _, _ := start(first6) // learns of the IPv4 DHT in the IPv6 one
	only6, _ := startNodeOn(t, listen(t, "::1"), Config{Bootstrap: []string{first6}})
	for _, n := range []*Node{a, b} {
		waitFor(t, func() bool { s := n.Stats(); return s.Contacts[v4] > 0 && s.Contacts[v6] > 0 })
	}
	ih := metainfo.Hash{6}
	if l, err := a.Announce(ctx, ih, 1006, false, nil); err != nil || l.Stored < 2 {
		t.Fatalf("stored by %d, %v", l.Stored, err)
	}
	for _, n := range []*Node{b, only6} {
		var got []netip.AddrPort
		if _, err := n.GetPeers(ctx, ih, func(p netip.AddrPort) {
			got = append(got, p)
		}); err != nil {
			t.Fatal(err)
		}
		want := 2
		if n == only6 {
			want = 1
		}
		if len(got) != want {
			t.Errorf("peers %v, want %d", got, want)
		}
	}
	if a.ID(true) == (ID{}) || a.ID(true) == a.ID(false) {
		t.Error("the two families share an id")
	}
}

// TestDualSocket serves both families from one socket on the unspecified IPv6 address.
func TestDualSocket(t *testing.T) {
	pc, err := net.ListenPacket("udp", "[::]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	defer pc.Close()
	ctx := testContext(t)
	n, err := New(Config{Conns: []net.PacketConn{pc}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	other, _ := startNode(t)
	port := addrOf(pc).Port()
	pong, err := other.Ping(ctx, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	if err != nil {
		t.Fatal(err)
	}
	if !pong.External.Addr().Is4() {
		t.Errorf("our address is told as %v", pong.External)
	}
	waitFor(t, func() bool { return n.Stats().Contacts[v4] == 1 })
}

// TestMultiHomed: BEP 45. An answer leaves from the address that the query came in at.
func TestMultiHomed(t *testing.T) {
	ctx := testContext(t)
	first, second := listen(t, "127.0.0.1"), listen(t, "127.0.0.2")
	n, err := New(Config{Conns: []net.PacketConn{first, second}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	other, _ := startNode(t)
	for _, pc := range []net.PacketConn{first, second} {
		if _, err := other.Ping(ctx, addrOf(pc)); err != nil {
			t.Errorf("%v: %v", addrOf(pc), err)
		}
	}
}

// plainConn hides that a connection is a *net.UDPConn, as a demultiplexer may.
type plainConn struct{ net.PacketConn }

func TestPlainPacketConn(t *testing.T) {
	ctx := testContext(t)
	pc := listen(t, "127.0.0.1")
	n, err := New(Config{Conns: []net.PacketConn{plainConn{pc}}})
	if err != nil {
		t.Fatal(err)
	}
	other, at := startNode(t)
	if _, err := other.Ping(ctx, addrOf(pc)); err != nil {
		t.Error(err)
	}
	if _, err := n.Ping(ctx, at); err != nil {
		t.Error(err)
	}
	n.Close()
	// The connection is still open, and reads block again.
	if _, err := pc.WriteTo([]byte("x"), pc.LocalAddr()); err != nil {
		t.Error(err)
	}
	pc.SetReadDeadline(time.Now().Add(time.Minute))
	if _, _, err := pc.ReadFrom(make([]byte, 10)); err != nil {
		t.Error(err)
	}
}

// TestGoroutinesEnd: breaking out of Peers, ending its context and closing the
// node leave nothing behind.
func TestGoroutinesEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(testContext(t))
	first, host := startNode(t)
	n, _ := startNode(t, host.String())
	if err := n.Join(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range byte(10) {
		ih := metainfo.Hash{i}
		if _, err := n.Announce(ctx, ih, 1, false, nil); err != nil {
			t.Fatal(err)
		}
		for range first.Peers(ctx, ih, 2, false) {
			break
		}
	}
	ended := make(chan struct{})
	go func() {
		for range n.Peers(ctx, metainfo.Hash{2}, 3, false) {
		}
		close(ended)
	}()
	cancel()
	<-ended
	waitFor(t, func() (none bool) {
		first.call(func(c *core, _ instant) { none = len(c.watchers)+len(c.lookups) == 0 })
		return none
	})
	n.Close()
	first.Close()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}

// TestPeersEndWithNode: a closed node ends its Peers.
func TestPeersEndWithNode(t *testing.T) {
	n, _ := startNode(t)
	ended := make(chan struct{})
	go func() {
		for range n.Peers(context.Background(), metainfo.Hash{2}, 3, false) {
		}
		close(ended)
	}()
	n.Close()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("Peers goes on")
	}
	if _, err := n.FindNode(context.Background(), ID{}); !errors.Is(err, ErrClosed) {
		t.Errorf("FindNode of a closed node: %v", err)
	}
}

// TestWatch: a peer that announces to this very node is yielded at once.
func TestWatch(t *testing.T) {
	ctx := testContext(t)
	n, at := startNode(t)
	other, _ := startNode(t, at.String())
	if err := other.Join(ctx); err != nil {
		t.Fatal(err)
	}
	ih := metainfo.Hash{7}
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		for some := false; !some; {
			n.call(func(c *core, _ instant) { some = len(c.watchers) > 0 })
		}
		if _, err := other.Announce(ctx, ih, 777, false, nil); err != nil {
			t.Error(err)
		}
	}()
	for p := range n.Peers(ctx, ih, 1, false) {
		if p.Port() == 777 {
			break
		}
	}
	<-announced
}

// TestNetworkChanged: NetworkChanged starts new lookups at once.
func TestNetworkChanged(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	first, at := startNode(t)
	n, _ := startNode(t, at.String())
	if err := n.Join(ctx); err != nil {
		t.Fatal(err)
	}
	go func() {
		for range n.Peers(ctx, metainfo.Hash{3}, 3, false) {
		}
	}()
	waitFor(t, func() bool { return first.Stats().Hashes == 1 })
	before := n.Stats().Lookups
	n.NetworkChanged()
	waitFor(t, func() bool { return n.Stats().Lookups >= before+2 })
}

// TestBlocked: a node neither asks nor answers blocked addresses.
func TestBlocked(t *testing.T) {
	ctx := testContext(t)
	var asked atomic.Int32
	n, err := New(Config{Conns: []net.PacketConn{listen(t, "127.0.0.1")},
		Blocked: func(a netip.Addr) bool {
			asked.Add(1)
			return a == netip.MustParseAddr("127.0.0.3")
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	blocked, at := startNodeOn(t, listen(t, "127.0.0.3"), Config{})
	if _, err := n.Ping(ctx, at); !errors.Is(err, ErrFamily) {
		t.Errorf("ping of a blocked address: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := blocked.Ping(short, addrOf(n.conns[0].pc)); err == nil {
		t.Error("a blocked address was answered")
	}
	if asked.Load() == 0 {
		t.Error("the list was not asked")
	}
}

func TestIsPacket(t *testing.T) {
	for packet, want := range map[string]bool{"d1:y1:qe": true, "": false, "\x01\x00": false,
		"\x41\x00": false} {
		if IsPacket([]byte(packet)) != want {
			t.Errorf("%q: %v", packet, !want)
		}
	}
}

// A view that is taken while the node closes is whole, or empty.
func TestViewsWhileClosing(t *testing.T) {
	for range 20 {
		n, _ := startNode(t)
		var wait sync.WaitGroup
		for range 32 {
			wait.Go(func() {
				for n.ctx.Err() == nil {
					if s := n.Stats(); s.Joined {
						t.Error("a node alone has joined")
					}
					n.External()
					n.Table()
					n.Save()
				}
			})
		}
		n.Close()
		wait.Wait()
		if s := n.Stats(); s != (Stats{}) {
			t.Errorf("a closed node counts %+v", s)
		}
	}
}
