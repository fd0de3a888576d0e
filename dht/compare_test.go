package dht

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// slowConn delays the packets of a node, as distance does.
type slowConn struct {
	*net.UDPConn
	delay time.Duration
}

func (c slowConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	b = slices.Clone(b)
	time.AfterFunc(c.delay, func() { c.UDPConn.WriteToUDPAddrPort(b, to) })
	return len(b), nil
}

// comparison is one row of the table.
type comparison struct {
	found, tries, holders int
	announces             int
	first, done, asked    []float64 // ms, ms, nodes
}

func (c *comparison) String() string {
	return fmt.Sprintf("success %3d/%-3d first peer %4.0f / %4.0f ms  completion %5.0f / %5.0f "+
		"ms  asked %4.1f  true 8 %.2f",
		c.found, c.tries, quantile(c.first, .5), quantile(c.first, .9), quantile(c.done, .5),
		quantile(c.done, .9),
		quantile(c.asked, .5), float64(c.holders)/float64(max(1, c.announces)))
}

// servers are nodes of ours, each in a /24 of its own and 30 to 120 ms away.
type servers struct {
	nodes []*Node
	addrs []netip.AddrPort
	dead  []bool
}

func startServers(b *testing.B, prefix, size int) *servers {
	s := &servers{dead: make([]bool, size)}
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range size {
		host := fmt.Sprintf("127.%d.%d.1", prefix+i/250, i%250+1)
		pc := listen(b, host).(*net.UDPConn)
		cfg := Config{Conns: []net.PacketConn{slowConn{pc,
			30*time.Millisecond + time.Duration(rng.Int64N(int64(90*time.Millisecond)))}}}
		if i > 0 {
			cfg.Bootstrap = []string{s.addrs[0].String()}
		}
		n, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		s.nodes, s.addrs = append(s.nodes, n), append(s.addrs, addrOf(pc))
		if i > 0 && i%50 == 0 { // not all at one instant
			if err := n.Join(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return s
}

// kill closes a fraction of the nodes, but never the first.
func (s *servers) kill(fraction float64) {
	rng := rand.New(rand.NewPCG(2, 2))
	for i := 1; i < len(s.nodes); i++ {
		if rng.Float64() < fraction {
			s.nodes[i].Close()
			s.dead[i] = true
		}
	}
}

// holders counts how many of the eight closest living nodes store peers of that
// address.
func (s *servers) holders(ih metainfo.Hash, from netip.Addr) (n int) {
	type placed struct {
		id ID
		n  *Node
	}
	var list []placed
	for i, node := range s.nodes {
		if !s.dead[i] {
			list = append(list, placed{node.ID(false), node})
		}
	}
	target := ID(ih)
	slices.SortFunc(list, func(a, b placed) int { return compareDistance(&target, &a.id, &b.id) })
	for _, p := range list[:k] {
		p.n.call(func(c *core, _ instant) {
			if slices.ContainsFunc(c.families[v4].peers.of(target), func(p storedPeer) bool {
				return p.addr.Addr() == from
			}) {
				n++
			}
		})
	}
	return n
}

func (s *servers) anyLive(rng *rand.Rand) *Node {
	for {
		if i := rng.IntN(len(s.nodes)); !s.dead[i] {
			return s.nodes[i]
		}
	}
}

// ltPatience bounds a lookup of libtorrent in seconds. A dead node costs the lookup
// 15 s, after which libtorrent gives up on the node, or twice that.
const ltPatience = 32

// BenchmarkBesideLibtorrent lets libtorrent and a node of ours look up and announce in
// the same network of our nodes, and prints the figures of both. Only our node runs in
// the larger network, to bound the time.
func BenchmarkBesideLibtorrent(b *testing.B) {
	for _, row := range []struct {
		size, lookups int
		dead          float64
		beside        bool
	}{
		{200, 20, 0, true}, {200, 10, .3, true}, {1000, 40, 0, false}, {1000, 40, .3, false},
	} {
		b.Run(fmt.Sprintf("%d,%.0f%%dead", row.size, row.dead*100), func(b *testing.B) {
			for b.Loop() {
				compare(b, row.size, row.dead, row.lookups, row.beside)
			}
		})
	}
}

func compare(b *testing.B, size int, dead float64, lookups int, beside bool) {
	var lt *libtorrents
	if beside {
		lt = startLibtorrents(b)
	}
	s := startServers(b, 80, size)
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	own, ownAddr := startNodeOn(b, listen(b, "127.90.1.1"),
		Config{Bootstrap: []string{s.addrs[0].String()}})
	session, ltAddr := 0, netip.AddrPort{}
	if beside {
		session, ltAddr = lt.add("127.90.2.1", s.addrs[0])
	}
	for _, n := range append(s.nodes, own) {
		waitFor(b, func() bool { return n.Stats().Good[v4] >= 4*k })
	}
	s.kill(dead)
	rng := rand.New(rand.NewPCG(3, 3))
	var ours, theirs comparison
	for i := range lookups {
		ih := metainfo.Hash(randomID(rng))
		if _, err := s.anyLive(rng).Announce(ctx, ih, uint16(1000+i), false, nil); err != nil {
			b.Fatal(err)
		}
		ours.look(b, ctx, own, ih)
		if beside {
			theirs.lookLibtorrent(lt, session, ih)
		}
		ih = metainfo.Hash(randomID(rng))
		if _, err := own.Announce(ctx, ih, 1, false, nil); err != nil {
			b.Fatal(err)
		}
		ours.announces++
		if beside {
			theirs.announces++
			lt.do("announce", map[string]any{"session": session, "hash": ih.String(),
				"seconds": ltPatience})
			theirs.holders += s.holders(ih, ltAddr.Addr())
		}
		ours.holders += s.holders(ih, ownAddr.Addr())
	}
	b.Logf("%4d nodes, 30-120 ms, %2.0f%% dead  ours       %v", size, dead*100, &ours)
	if beside {
		b.Logf("%4d nodes, 30-120 ms, %2.0f%% dead  libtorrent %v", size, dead*100, &theirs)
	}
}

func (c *comparison) look(b *testing.B, ctx context.Context, n *Node, ih metainfo.Hash) {
	c.tries++
	began := time.Now()
	first := time.Duration(0)
	l, err := n.GetPeers(ctx, ih, func(netip.AddrPort) {
		if first == 0 {
			first = time.Since(began)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	if first > 0 {
		c.found++
		c.first = append(c.first, float64(first)/1e6)
	}
	c.done = append(c.done, float64(l.Duration)/1e6)
	c.asked = append(c.asked, float64(l.Asked))
}

func (c *comparison) lookLibtorrent(lt *libtorrents, session int, ih metainfo.Hash) {
	c.tries++
	a := lt.do("get_peers", map[string]any{"session": session, "hash": strings.ToLower(ih.String()),
		"seconds": ltPatience})
	if len(a.Peers) > 0 && a.First != nil {
		c.found++
		c.first = append(c.first, *a.First*1e3)
	}
	if a.Done != nil {
		c.done = append(c.done, *a.Done*1e3)
	}
	c.asked = append(c.asked, float64(a.Asked))
}
