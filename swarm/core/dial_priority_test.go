package core

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// byPriority returns n addresses, the one that the torrent prefers first.
func byPriority(t *Torrent, n int) []netip.AddrPort {
	var list []netip.AddrPort
	for i := range n {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i), 1, 1}), 6881))
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Compare(t.book.Priority(endpoint.IP(b)), t.book.Priority(endpoint.IP(a)))
	})
	return list
}

// TestDialsByPriority: the canonical priority chooses among addresses that are otherwise
// equal, as soon as we know our own address.
func TestDialsByPriority(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(4, block.Size, 4*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Limits: Limits{HalfOpenMax: 1}})
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(1)), Source: book.SourceDHT})
	own := netip.MustParseAddr("50.0.0.1")
	a.torrent.SetExternal(own)
	want := byPriority(a.torrent, 8)
	a.torrent.SetExternal(netip.MustParseAddr("50.77.0.1"))
	for i := range want {
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(want[(i+3)%len(want)]),
			Source: book.SourceDHT})
	}
	a.torrent.SetExternal(own) // it changed after they were found
	a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(numbered(1))})
	for _, addr := range want {
		got := dials(a.actions)
		if len(got) != 1 || got[0] != addr {
			t.Fatalf("dials %v, want %v", got, addr)
		}
		a.event(Event{Kind: DialPutOff, Endpoint: endpoint.IP(addr)})
	}
}

// TestPriorityAtTheLimit: when useful peers take every place, one
// that the canonical priority prefers gets the place of the one that it prefers
// least, now and then; but never of one that gives blocks.
func TestPriorityAtTheLimit(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(64, block.Size, 64*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Limits: Limits{PeersMax: 4}})
	a.event(Event{Kind: InfoReady, Info: a.info})
	a.torrent.SetExternal(netip.MustParseAddr("50.0.0.1"))
	addrs := byPriority(a.torrent, 10)
	connect := func(ref PeerRef, addr netip.AddrPort) {
		a.link(ref, addr, false)
		if _, dropped := a.dropped(ref); !dropped {
			a.message(ref, wire.Message{ID: wire.HaveAll})
		}
	}
	for i := range 4 {
		connect(PeerRef(i+1), addrs[9-i]) // 1 is preferred least
	}
	a.message(1, wire.Message{ID: wire.Unchoke})
	ref, ok := a.open()
	if !ok {
		t.Fatal("nothing is asked for")
	}
	give := func() { // peer 1 gives a block that is right
		a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: ref})
		a.event(Event{Kind: Verified, Ref: ref})
		ref, _ = a.open()
	}
	give()
	for range 15 {
		a.wait(time.Second)
		give()
	}
	late := func(ref PeerRef, addr netip.AddrPort, victim PeerRef) {
		t.Helper()
		a.link(ref, addr, false)
		all := a.actions
		reason, dropped := a.dropped(ref)
		switch {
		case victim == 0 && (!dropped || reason != ReasonFull):
			t.Errorf("%v: dropped %v, %v; want it to find no place", addr, dropped, reason)
		case victim != 0 && dropped:
			t.Errorf("%v finds no place: %v", addr, reason)
		case victim != 0:
			if got, ok := a.dropped(victim); !ok || got != ReasonEvicted {
				t.Errorf("%v came, and peer %d was not dropped for it: %d actions", addr, victim,
					len(all))
			}
		}
	}
	late(10, addrs[8], 0) // not preferred to any that may go: it is the worst of them
	late(11, addrs[0], 2) // preferred most: 2 goes, for 1 gives blocks
	late(12, addrs[1], 0) // too soon after the other
}
