package dht

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"swarmnode/metainfo"
)

// A lossyConn loses the first datagrams in each direction, and records who was sent to.
type lossyConn struct {
	net.PacketConn
	mu        sync.Mutex
	out, in   int // still to be lost
	recipient []netip.Addr
}

func (c *lossyConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recipient = append(c.recipient, to.(*net.UDPAddr).AddrPort().Addr().Unmap())
	if c.out > 0 {
		c.out--
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *lossyConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		c.mu.Lock()
		lost := err == nil && c.in > 0
		if lost {
			c.in--
		}
		c.mu.Unlock()
		if !lost {
			return n, from, err
		}
	}
}

// throughNetwork starts three nodes that know each other.
func throughNetwork(t *testing.T) []*Node {
	first, at := startNode(t)
	nodes := []*Node{first}
	for range 2 {
		n, _ := startNode(t, at.String())
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if err := n.Join(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	return nodes
}

// An announce through another connection names the address of that connection, and survives the
// loss of datagrams. The peers that the nodes name come back.
func TestAnnounceThrough(t *testing.T) {
	nodes, ctx := throughNetwork(t), testContext(t)
	hash := metainfo.Hash{1, 2, 3}
	for stored := 0; stored < 2; { // the first node does not ask itself
		l, err := nodes[2].Announce(ctx, hash, 7000, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		stored = l.Stored
	}
	conn := &lossyConn{PacketConn: listen(t, "127.0.7.1"), out: 1, in: 1}
	var permitted []netip.Addr
	permit := func(_ context.Context, hosts []netip.Addr) error {
		permitted = append(permitted, hosts...)
		return errors.New("some of them are refused")
	}
	taken, peers, err := nodes[0].AnnounceThrough(ctx, conn, permit, hash, true)
	if err != nil || taken == 0 {
		t.Fatalf("%d nodes have taken it, %v", taken, err)
	}
	other := netip.MustParseAddrPort("127.0.0.1:7000")
	if !slices.Contains(peers, other) {
		t.Errorf("the peers are %v, want %v among them", peers, other)
	}
	for _, ip := range conn.recipient {
		if !slices.Contains(permitted, ip) {
			t.Errorf("%v was sent to without a permit", ip)
		}
	}
	found := false
	_, err = nodes[1].GetPeers(ctx, hash, func(a netip.AddrPort) {
		found = found || a == addrOf(conn.PacketConn)
	})
	if err != nil || !found {
		t.Errorf("the address is not found: %v", err)
	}
}

// An announce that nobody answers ends with an error, as does one whose connection or context
// ends.
func TestAnnounceThroughNobody(t *testing.T) {
	nodes, ctx := throughNetwork(t), testContext(t)
	deaf := &lossyConn{PacketConn: listen(t, "127.0.7.2"), out: 1 << 20}
	if taken, _, err := nodes[0].AnnounceThrough(ctx, deaf, nil, metainfo.Hash{1},
		false); !errors.Is(err, ErrNotStored) || taken != 0 {
		t.Errorf("%d have taken it, %v", taken, err)
	}
	closed := listen(t, "127.0.7.3")
	closed.Close()
	if _, _, err := nodes[0].AnnounceThrough(ctx, closed, nil, metainfo.Hash{1},
		false); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	deaf.out = 1 << 20
	permit := func(context.Context, []netip.Addr) error { cancel(); return nil }
	if _, _, err := nodes[0].AnnounceThrough(ended, deaf, permit, metainfo.Hash{1},
		false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	lone, _ := startNode(t)
	if _, _, err := lone.AnnounceThrough(ctx, deaf, nil, metainfo.Hash{1},
		false); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// Answers that nobody asked for, of strangers or of a wrong shape, change nothing.
func FuzzThrough(f *testing.F) {
	here := netip.MustParseAddrPort("127.0.7.9:1")
	f.Add([]byte("d1:rd2:id20:aaaaaaaaaaaaaaaaaaaa5:token4:abcde1:t4:\x00\x00\x00\x001:y1:re"))
	f.Add([]byte("d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t4:\x00\x01\x00\x001:y1:re"))
	f.Add([]byte("d1:eli203e4:nope1:t4:\x00\x00\x00\x00e1:y1:ee"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		run := &through{conn: nowhere{}, nodes: []throughNode{{addr: here}}}
		run.take(netip.MustParseAddrPort("127.0.7.8:1"), packet)
		if run.nodes[0].over || run.nodes[0].token != nil || run.taken != 0 {
			t.Fatal("a stranger has answered")
		}
		for range 3 {
			run.take(here, packet)
		}
		if run.taken > 1 || run.taken == 1 && run.nodes[0].token == nil ||
			len(run.nodes[0].token) > tokenMax {
			t.Fatalf("%d nodes have taken it", run.taken)
		}
	})
}

// nowhere is a connection that takes everything.
type nowhere struct{ net.PacketConn }

func (nowhere) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }
