package tracker

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// check compares what the store holds with its invariants.
func (s *store) check(t *testing.T) {
	t.Helper()
	for i := range s.shards {
		sh := &s.shards[i]
		networks, listed, chained := 0, 0, 0
		for _, n := range sh.networks {
			networks += n
		}
		for h, sw := range sh.swarms {
			seeds, here := 0, 0
			for _, list := range [][]*peer{sw.v4, sw.v6} {
				for place, p := range list {
					if p.place != place || p.swarm != sw {
						t.Fatalf("a peer of %v is out of place", h)
					}
					if p.seed {
						seeds++
					}
					here++
				}
			}
			if seeds != sw.seeds || here == 0 {
				t.Fatalf("%v: %d seeds counted as %d, %d peers", h, seeds, sw.seeds, here)
			}
			listed += here
			for _, p := range sw.hosts {
				n := 0
				for ; p != nil; p = p.next {
					n++
				}
				if n > peersPerHost {
					t.Fatalf("%d peers of a host", n)
				}
				chained += n
			}
		}
		if n := len(sh.all); n != networks || n != listed || n != chained || n > sh.peersMax {
			t.Fatalf("%d peers, %d by network, %d listed, %d by host, at most %d", n, networks, listed, chained, sh.peersMax)
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
	s := newStore(400)
	now := time.Unix(1000, 0)
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
	if swarms, peers, evicted, expired := s.size(); swarms != 0 || peers != 0 || evicted == 0 || expired == 0 {
		t.Errorf("in the end %d swarms, %d peers, %d evicted, %d expired", swarms, peers, evicted, expired)
	}
}

// One network that announces without end costs itself, not the others.
func TestFairEviction(t *testing.T) {
	const most = 16 * 100
	s := newStore(most)
	now := time.Unix(1000, 0)
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

func TestPeersPerHost(t *testing.T) {
	s := newStore(1000)
	now := time.Unix(1000, 0)
	for i := range 100 {
		now = now.Add(time.Second)
		for _, ip := range []string{"192.0.2.1", fmt.Sprintf("2001:db8::%x", i+1)} {
			s.announce(now, &announcement{hash: hashA, addr: netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(i+1))}, nil, nil)
		}
	}
	s.check(t)
	if _, peers, _, _ := s.size(); peers != 2*peersPerHost {
		t.Errorf("%d peers of two hosts, want %d", peers, 2*peersPerHost)
	}
	// The newest are those that stayed.
	_, v4, _ := s.announce(now, &announcement{hash: hashA, addr: netip.MustParseAddrPort("192.0.2.9:1"), want: 50}, nil, nil)
	for _, p := range parseCompact(nil, v4, compact4) {
		if p.Port() <= 100-peersPerHost && p.Port() != 1 {
			t.Errorf("an old one: %v", p)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	s := newStore(peersMaxDefault)
	now := time.Now()
	a := announcement{want: serverWant}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		a.hash = metainfo.Hash{byte(i), byte(i >> 8)}
		a.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(1+i%1000))
		s.announce(now, &a, out[:0], nil)
	}
}
