package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// newSeed returns a seed of 64 pieces with a number of places.
func newSeed(t *testing.T, places int, home limit.Home) *attack {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(64, block.Size, 64*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{
		InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1, Limits: Limits{PeersMax: places},
		Home: home,
	})
	a.event(Event{Kind: InfoReady, Info: a.info, Have: bits.Full(64)})
	return a
}

// come connects a leech from an address, which says its first word.
func (a *attack) come(addr netip.AddrPort) PeerRef {
	a.ref++
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'C', byte(a.ref),
		byte(a.ref >> 8), byte(a.ref >> 16)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	ref := a.ref
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: &hello})
	if _, ok := a.dropped(ref); ok {
		a.event(Event{Kind: Closed, Peer: ref})
		return ref
	}
	for _, x := range a.actions {
		if x.Kind == Drop {
			a.event(Event{Kind: Closed, Peer: x.Peer})
		}
	}
	a.message(ref, wire.Message{ID: wire.HaveNone})
	return ref
}

// seatTakers are crowds that want every place of a seed.
var seatTakers = []struct{ name, prefix string }{
	{"one IPv4 address", "60.0.0.9/32"},
	{"2^64 addresses of one /64", "2001:db8:1:2::/64"},
	{"one IPv4 address by 6to4", "2002:3c00:9::/48"},
	{"one /24", "60.0.0.0/24"},
	{"65,536 /64s of one /48", "2001:db8:1::/48"},
	{"a private /24", "10.0.0.0/24"},
	{"a unique local /64", "fd00:1:2:3::/64"},
	{"a /24 of loopback", "127.0.7.0/24"},
}

// TestNewcomersAndCrowds: however many connections come from one source or network, and
// whether they ask for blocks or not, a seed takes all twelve newcomers that come from
// elsewhere, and keeps them while the others come again and again. Twelve idle peers
// that were there before stay as well.
func TestNewcomersAndCrowds(t *testing.T) {
	const places, newcomers = 80, 12
	for _, v := range seatTakers {
		for _, asks := range []bool{false, true} {
			a := newSeed(t, places, limit.Home{netip.MustParseAddr("127.0.0.1")})
			r := rand.New(rand.NewPCG(4, 4))
			var honest []PeerRef
			arrive := func(i int) {
				ref := a.come(netip.MustParseAddrPort(fmt.Sprintf("90.%d.0.1:6881", i)))
				a.message(ref, wire.Message{ID: wire.Interested})
				honest = append(honest, ref)
			}
			crowd := func(n int) {
				for range n {
					ref := a.come(inPrefix(v.prefix, r))
					if asks && a.torrent.peers.live(ref) != nil {
						a.message(ref, wire.Message{ID: wire.Interested})
					}
				}
			}
			for i := range newcomers {
				arrive(i)
			}
			a.wait(2 * time.Minute)
			for _, ref := range honest { // and choke none that is there by then
				a.message(ref, wire.Message{ID: wire.NotInterested})
			}
			crowd(2 * places)
			for i := range newcomers {
				arrive(100 + i)
				if i%4 == 0 {
					crowd(places)
				}
				a.wait(100 * time.Millisecond)
			}
			for range 20 {
				crowd(20)
				a.wait(time.Second)
			}
			stay := 0
			for _, ref := range honest {
				if a.torrent.peers.live(ref) != nil {
					stay++
				}
			}
			if stay < len(honest) {
				t.Errorf("%s, asks %v: %d of %d stay", v.name, asks, stay, len(honest))
			}
			if n := len(a.torrent.peers.list); n > places {
				t.Errorf("%s, asks %v: %d connections", v.name, asks, n)
			}
		}
	}
}

// TestPlacesByNetwork: two networks that both want every place get half of them each,
// and then keep what they have.
func TestPlacesByNetwork(t *testing.T) {
	a := newSeed(t, 20, nil)
	r := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		a.message(a.come(inPrefix("60.0.0.0/24", r)), wire.Message{ID: wire.Interested})
	}
	for range 50 {
		a.message(a.come(inPrefix("70.0.0.0/24", r)), wire.Message{ID: wire.Interested})
	}
	of := map[netip.Prefix]int{}
	before := map[PeerRef]bool{}
	for _, p := range a.torrent.peers.list {
		of[p.network]++
		before[p.ref] = true
	}
	if of[netip.MustParsePrefix("60.0.0.0/24")] != 10 || len(of) != 2 {
		t.Errorf("places by network: %v", of)
	}
	for range 50 {
		a.come(inPrefix("60.0.0.0/24", r))
		a.come(inPrefix("70.0.0.0/24", r))
	}
	for _, p := range a.torrent.peers.list {
		if !before[p.ref] {
			t.Errorf("peer %d has taken a place of a network that has no more than its own", p.ref)
		}
	}
}

// TestHouseholdIsNotLockedOut: when a source has as many connections as it may, one that
// is of no use makes room for another of its hosts.
func TestHouseholdIsNotLockedOut(t *testing.T) {
	a := newSeed(t, 80, nil)
	r := rand.New(rand.NewPCG(6, 6))
	come := func() (ref PeerRef, stays bool) {
		ref = a.come(inPrefix("2001:db8:1:2::/64", r))
		return ref, a.torrent.peers.live(ref) != nil
	}
	for range perSourceConnsMax {
		if _, stays := come(); !stays {
			t.Fatal("one of the first is not taken")
		}
	}
	if _, stays := come(); stays {
		t.Error("one source has more connections than it may")
	}
	a.wait(evictAfter + time.Second)
	if _, stays := come(); !stays {
		t.Error("a host is locked out by four that are of no use")
	}
	if n := len(a.torrent.peers.list); n != perSourceConnsMax {
		t.Errorf("%d connections, want %d", n, perSourceConnsMax)
	}
}

// TestHomeIsNoSource: where we listen ourselves, many nodes of one machine are; another
// address of loopback is one source.
func TestHomeIsNoSource(t *testing.T) {
	for addr, want := range map[string]int{"127.0.0.1": 20, "::ffff:127.0.0.1": 20, "127.0.0.2": 4,
		"10.0.0.1": 4, "::1": 4} {
		a := newSeed(t, 80, limit.NewHome([]netip.Addr{netip.IPv4Unspecified()}))
		for i := range 20 {
			a.come(netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(5000+i)))
		}
		if n := len(a.torrent.peers.list); n != want {
			t.Errorf("%d connections with %s, want %d", n, addr, want)
		}
	}
}

// TestEvictFrom: a driver has the youngest of a network go, an idle one first.
func TestEvictFrom(t *testing.T) {
	a := newSeed(t, 80, nil)
	r := rand.New(rand.NewPCG(7, 7))
	network := netip.MustParsePrefix("60.0.0.0/24")
	first := a.come(inPrefix(network.String(), r))
	second := a.come(inPrefix(network.String(), r))
	a.message(second, wire.Message{ID: wire.Interested})
	a.wait(time.Second)
	other := a.come(netip.MustParseAddrPort("70.0.0.1:1"))
	for _, want := range []PeerRef{first, second} {
		if !a.torrent.EvictFrom(a.now, network) || a.torrent.peers.live(want) != nil {
			t.Errorf("peer %d is there still", want)
		}
	}
	if a.torrent.EvictFrom(a.now, network) || a.torrent.peers.live(other) == nil {
		t.Error("a peer of another network had to go")
	}
	a.wait(evictAfter)
	if a.torrent.Evict(a.now, func(ip netip.Addr) bool {
		return ip != netip.MustParseAddr("70.0.0.1")
	}) {
		t.Error("a peer was evicted that may not be")
	}
	if !a.torrent.Evict(a.now, nil) {
		t.Error("a useless peer was not evicted")
	}
}
