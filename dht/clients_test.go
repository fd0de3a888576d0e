//go:build linux

package dht

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"swarmnode/internal/realclient"
)

// asked owns one query of a test and keeps the answer. A query has either an answer or
// a failure.
type asked struct {
	done  chan struct{}
	nodes []netip.AddrPort
	token int // bytes
	err   error
}

func (a *asked) answered(_ instant, _ *query, m *message) {
	eachNode(m.nodes, compactNode4, nodesPerReply, func(_ ID, addr netip.AddrPort) {
		a.nodes = append(a.nodes, addr)
	})
	a.token = len(m.token)
	close(a.done)
}

func (a *asked) stalled(instant, *query) {}

func (a *asked) failed(_ instant, _ *query, err error) {
	a.err = err
	close(a.done)
}

// askOne sends one query to the node at addr and waits for its outcome.
func askOne(t *testing.T, n *Node, addr netip.AddrPort, r request) *asked {
	t.Helper()
	a := &asked{done: make(chan struct{})}
	if err := n.call(func(c *core, now instant) {
		if err := c.ask(now, addr, &r, &query{owner: a}); err != nil {
			a.failed(now, nil, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	<-a.done // at the latest after queryTimeout
	return a
}

// TestClientsInOurNetwork runs Transmission and aria2 in a network of our nodes: they
// join through us, become good contacts, ask us, and answer our queries.
func TestClientsInOurNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	if !realclient.Inside() && realclient.Installed(realclient.Transmission) != nil {
		realclient.Require(t, realclient.Aria2)
	}
	if !realclient.InNamespace(t) {
		return
	}
	nodes, addrs := interopNetwork(t, "10.60", 12)
	for i, kind := range []realclient.Kind{realclient.Transmission, realclient.Aria2} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ip := netip.AddrFrom4([4]byte{10, 61, byte(i + 1), 1})
			client := realclient.Start(t, kind, realclient.Options{IP: ip, Bootstrap: addrs[:8]})
			// aria2 opens its DHT with the first torrent.
			magnet := fmt.Sprintf("magnet:?xt=urn:btih:%v", ID{0x60, byte(i)})
			if err := client.Add(t.Context(), magnet, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			livesAmongUs(t, nodes, addrs, client.Addr)
		})
	}
}

// contactOf returns n's contact at addr, and whether that node has asked n anything.
func contactOf(n *Node, addr netip.AddrPort) (good, asks bool) {
	_ = n.call(func(c *core, now instant) {
		for _, b := range c.families[v4].table.buckets {
			for _, known := range b.contacts {
				if known.addr() == addr {
					good, asks = known.good(now), known.asked != 0
				}
			}
		}
	})
	return good, asks
}

func livesAmongUs(t *testing.T, nodes []*Node, addrs []netip.AddrPort, theirs netip.AddrPort) {
	ctx := interopContext(t)
	waitLong(t, func() bool {
		someGood, someAsks := false, false
		for _, n := range nodes {
			good, asks := contactOf(n, theirs)
			someGood, someAsks = someGood || good, someAsks || asks
		}
		return someGood && someAsks
	})
	node := nodes[len(nodes)-1]
	pong, err := node.Ping(ctx, theirs)
	if err != nil {
		t.Fatalf("ping: %v", err)
	}
	t.Logf("version %q, id %v", pong.Version, pong.ID)
	if good, _ := contactOf(node, theirs); !good {
		t.Error("it answered, but is no good contact")
	}
	// They can only name nodes from our answers: there are no others.
	var found *asked
	waitLong(t, func() bool {
		found = askOne(t, node, theirs, request{method: methodFindNode, target: node.ID(false)})
		return found.err == nil && slices.ContainsFunc(found.nodes, func(a netip.AddrPort) bool {
			return slices.Contains(addrs, a)
		})
	})
	for _, a := range found.nodes {
		if a.Addr().As4()[0] != 10 {
			t.Errorf("find_node: %v is not of this network", a)
		}
	}
	got := askOne(t, node, theirs, request{method: methodGetPeers, target: ID{0x60, 1}})
	if got.err != nil || got.token == 0 || len(got.nodes) == 0 {
		t.Fatalf("get_peers: %d nodes, token of %d bytes, %v", len(got.nodes), got.token, got.err)
	}
	// And a lookup of ours gets an answer from them on its way.
	l, err := node.FindNode(ctx, pong.ID)
	if err != nil || len(l.Closest) == 0 || l.Closest[0].Addr != theirs {
		t.Errorf("find_node of its id: %v, %v; want it as the closest", fmt.Sprint(l.Closest), err)
	}
}
