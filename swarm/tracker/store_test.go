package tracker

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/limit"
)

// check tests the invariants of the store.
func (s *store) check(t *testing.T) {
	t.Helper()
	for i := range s.shards {
		sh := &s.shards[i]
		networks, listed, chained := 0, 0, 0
		for _, n := range sh.networks {
			networks += int(n)
		}
		for h, sw := range sh.swarms {
			seeds, here := 0, 0
			hosts := make(map[netip.Addr]int)
			for _, list := range [][]slot{sw.v4, sw.v6} {
				for place, i := range list {
					p := &sh.peers[i]
					if int(p.place) != place || p.swarm != sw {
						t.Fatalf("a peer of %v is out of place", h)
					}
					if p.seed {
						seeds++
					}
					if hosts[limit.SourceOf(p.addr())]++; hosts[limit.SourceOf(
						p.addr())] > peersPerHost {
						t.Fatalf("%d peers of a host", hosts[limit.SourceOf(p.addr())])
					}
					here++
				}
			}
			if seeds != int(sw.seeds) || here == 0 {
				t.Fatalf("%v: %d seeds counted as %d, %d peers", h, seeds, sw.seeds, here)
			}
			listed += here
		}
		for chain, i := range sh.chains {
			for ; i != noSlot; i = sh.peers[i].next {
				if p := &sh.peers[i]; sh.chain(p.swarm.hash, p.addr()) != chain {
					t.Fatalf("%v is in a chain of others", p.addrPort())
				}
				chained++
			}
		}
		if n := len(sh.peers); n != networks || n != listed || n != chained || n > sh.peersMax {
			t.Fatalf("%d peers, %d by network, %d listed, %d chained, at most %d", n, networks,
				listed, chained, sh.peersMax)
		}
	}
}

func TestStoreAtRandom(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Unix(1000, 0)
	s := newStore(now, 400)
	for i := range 20_000 {
		now = now.Add(time.Second)
		ip := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(r.IntN(8))})
		if r.IntN(3) == 0 {
			ip = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", r.IntN(3), r.IntN(20)))
		}
		a := announcement{
			hash:  metainfo.Hash{byte(r.IntN(20))},
			addr:  netip.AddrPortFrom(ip, uint16(1+r.IntN(12))),
			event: Event(r.IntN(4)),
			seed:  r.IntN(2) == 0,
			want:  r.IntN(60),
			both:  r.IntN(2) == 0,
		}
		_, v4, v6 := s.announce(now, &a, nil, nil)
		if n := len(v4)/compact4 + len(v6)/compact6; n > a.want {
			t.Fatalf("%d peers, wanted %d", n, a.want)
		}
		if i%500 == 0 {
			s.expire(now.Add(-10 * time.Minute))
			s.check(t)
		}
	}
	s.expire(now.Add(time.Second))
	s.check(t)
	if swarms, peers, evicted, expired := s.size(); swarms != 0 || peers != 0 || evicted == 0 ||
		expired == 0 {
		t.Errorf("in the end %d swarms, %d peers, %d evicted, %d expired", swarms, peers, evicted,
			expired)
	}
}

// A network that floods the store displaces its own peers, not those of others.
func TestFairEviction(t *testing.T) {
	const most = 16 * 100
	now := time.Unix(1000, 0)
	s := newStore(now, most)
	honest := make([]announcement, 64)
	for i := range honest {
		honest[i] = announcement{
			hash: metainfo.Hash{byte(i)},
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 1}), 1),
		}
		s.announce(now, &honest[i], nil, nil)
	}
	for i := range 20 * most {
		now = now.Add(time.Millisecond)
		a := announcement{
			hash: metainfo.Hash{byte(i), byte(i >> 8), byte(i >> 16), 1},
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{66, 6, 6, byte(i)}), 1),
		}
		s.announce(now, &a, nil, nil)
	}
	s.check(t)
	kept := 0
	for i := range honest {
		if _, ok := s.scrape(honest[i].hash); ok {
			kept++
		}
	}
	if kept != len(honest) {
		t.Errorf("%d of %d honest peers were kept", kept, len(honest))
	}
	if _, peers, evicted, _ := s.size(); peers > most || evicted == 0 {
		t.Errorf("%d peers, at most %d; %d evicted", peers, most, evicted)
	}
}

// TestSeedsForSeeds: a seed is told of no seeds, but of a few when it starts, because it may
// be a downloader that does not know yet how much it lacks.
func TestSeedsForSeeds(t *testing.T) {
	const seeds, leeches = 20, 3
	now := time.Unix(1000, 0)
	s := newStore(now, 1000)
	ask := func(i int, seed bool, event Event) int {
		ip := netip.AddrFrom4([4]byte{10, byte(i), 0, 1})
		_, v4, _ := s.announce(now, &announcement{hash: hashA, addr: netip.AddrPortFrom(ip, 1),
			seed: seed, event: event, want: 50}, nil, nil)
		return len(v4) / compact4
	}
	for i := range seeds + leeches {
		ask(i, i < seeds, None)
	}
	for _, c := range []struct {
		seed  bool
		event Event
		want  int
	}{
		{seed: true, event: None, want: leeches},
		{seed: true, event: Completed, want: leeches},
		{seed: true, event: Started, want: leeches + seedsForSeed},
		{seed: false, event: Started, want: seeds + leeches},
		{seed: false, event: None, want: seeds + leeches},
	} {
		if got := ask(100, c.seed, c.event); got != c.want {
			t.Errorf("seed %v, event %v: told of %d peers, want %d", c.seed, c.event, got, c.want)
		}
	}
}

func TestPeersPerHost(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newStore(now, 1000)
	for i := range 100 {
		now = now.Add(time.Second)
		for _, ip := range []string{"192.0.2.1", fmt.Sprintf("2001:db8::%x", i+1)} {
			s.announce(now, &announcement{hash: hashA,
				addr: netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(i+1))}, nil, nil)
		}
	}
	s.check(t)
	if _, peers, _, _ := s.size(); peers != 2*peersPerHost {
		t.Errorf("%d peers of two hosts, want %d", peers, 2*peersPerHost)
	}
	// The newest have stayed.
	_, v4, _ := s.announce(now, &announcement{hash: hashA,
		addr: netip.MustParseAddrPort("192.0.2.9:1"), want: 50}, nil, nil)
	for _, p := range parseCompact(nil, v4, compact4) {
		if p.Port() <= 100-peersPerHost && p.Port() != 1 {
			t.Errorf("an old one: %v", p)
		}
	}
}

// TestPeerBytes measures the memory of a peer that is alone in its swarm and its network,
// and of peers in swarms of a thousand.
func TestPeerBytes(t *testing.T) {
	for _, c := range []struct {
		name  string
		of    func(i int) announcement
		most  float64
		peers int // more than 2^16, that tables have grown; 126,000 are the dearest
	}{
		{"alone, IPv4", func(i int) announcement { return loner(i, false) }, PeerBytes, 200_000},
		{"alone, IPv6", func(i int) announcement { return loner(i, true) }, PeerBytes, 200_000},
		{"alone, dearest", func(i int) announcement { return loner(i, false) }, PeerBytes, 126_000},
		{"a thousand each", func(i int) announcement {
			a := loner(i, false)
			a.hash = metainfo.Hash{byte(i / 1000), byte(i / 256_000)}
			return a
		}, PeerBytes / 2, 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			before := heap()
			// Swarms are divided among the shards by chance: of 200, 26 in one of 16
			// shards are not rare enough for room for twice as many peers.
			s := newStore(now, 8*c.peers)
			for i := range c.peers {
				a := c.of(i)
				s.announce(now, &a, nil, nil)
			}
			each := float64(heap()-before) / float64(c.peers)
			if _, peers, _, _ := s.size(); peers != c.peers {
				t.Fatalf("%d peers", peers)
			}
			t.Logf("%.0f bytes a peer", each)
			if each > c.most {
				t.Errorf("%.0f bytes a peer, documented as %.0f", each, c.most)
			}
			s.expire(now.Add(time.Hour))
			s.check(t)
			for i := range s.shards {
				if n := cap(s.shards[i].peers); n > 1024 {
					t.Fatalf("room for %d peers is kept for none", n)
				}
			}
		})
	}
}

// loner returns an announcement of a peer that shares nothing with others.
func loner(i int, v6 bool) announcement {
	b := [16]byte{0x20, 1, byte(i >> 16), byte(i >> 8), byte(i), 15: 1}
	ip := netip.AddrFrom16(b)
	if !v6 {
		ip = netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})
	}
	return announcement{
		hash: metainfo.Hash{byte(i), byte(i >> 8), byte(i >> 16), 1},
		addr: netip.AddrPortFrom(ip, 1),
	}
}

// heap returns the bytes that are in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkStore(b *testing.B) {
	now := time.Now()
	s := newStore(now, peersMaxDefault)
	a := announcement{want: serverWant}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		a.hash = metainfo.Hash{byte(i), byte(i >> 8)}
		a.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8),
			byte(i)}), uint16(1+i%1000))
		s.announce(now, &a, out[:0], nil)
	}
}
