package book

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
)

// TestOwnAddressIsNotDialled: what the DHT gives back of our own announce is no peer, whether
// our address is known before or after.
func TestOwnAddressIsNotDialled(t *testing.T) {
	outside := netip.MustParseAddrPort("40.0.0.1:6881")
	listen := netip.MustParseAddrPort("40.0.0.9:7000")
	for _, late := range []bool{false, true} {
		b := New(Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1)), Port: 6881})
		learn := func() {
			b.SetExternal(outside.Addr())
			b.SetOwn([]netip.AddrPort{listen})
		}
		if !late {
			learn()
		}
		for _, at := range []netip.AddrPort{outside, listen} {
			b.Hear(0, Rumour{Endpoint: endpoint.IP(at), Source: SourceDHT})
		}
		if late {
			learn()
		}
		neighbour := endpoint.IP(netip.AddrPortFrom(outside.Addr(), 6882)) // behind the same router
		b.Hear(0, Rumour{Endpoint: neighbour, Source: SourceDHT})
		d, _, ok := b.Next(0, Wish{DialsMax: 32})
		if !ok || d.Endpoint != neighbour {
			t.Errorf("learnt late %v: dials %v, want %v", late, d.Endpoint, neighbour)
		}
		if d, _, ok := b.Next(0, Wish{DialsMax: 32}); ok {
			t.Errorf("learnt late %v: dials %v too", late, d.Endpoint)
		}
		if _, ok := b.Introduced(0, Introduction{Rumour: Rumour{Endpoint: endpoint.IP(outside),
			Source: SourcePEX}, Room: true}); ok {
			t.Errorf("learnt late %v: an introducer leads us to ourselves", late)
		}
	}
}
