package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// TestOwnAddressesAreNoPeers: an address at which we listen, or at which the
// internet sees us, is no peer that was found, whoever names it; nor is one at
// which we met ourselves.
func TestOwnAddressesAreNoPeers(t *testing.T) {
	now := time.Unix(1e9, 0)
	torrent := New(now, Config{PeerID: [20]byte{'M'}, Port: 6881})
	bound := netip.MustParseAddrPort("192.168.1.2:6881")
	mapped := netip.MustParseAddrPort("[::ffff:192.168.1.2]:6881")
	outside := netip.MustParseAddrPort("203.0.113.5:6881")
	strange := netip.MustParseAddrPort("198.51.100.7:4000") // a way to us that we do not know
	other := netip.MustParseAddrPort("203.0.113.5:6882")    // behind the same router
	torrent.SetOwn([]netip.AddrPort{bound})
	torrent.SetExternal(outside.Addr())
	step := func(e Event) []Action {
		torrent.Step(now, e)
		return torrent.Actions(nil)
	}
	for _, source := range []book.Source{book.SourceDHT, book.SourceTracker, book.SourceResume,
		book.SourcePEX} {
		for _, addr := range []netip.AddrPort{bound, mapped, outside} {
			step(Event{Kind: Found, Endpoint: endpoint.IP(addr), Source: source})
		}
	}
	if s := torrent.Snapshot(); s.PeersKnown != 0 || s.Unmet.Count() != 0 {
		t.Errorf("%d peers are known, %v, want none", s.PeersKnown, s.Unmet)
	}
	step(Event{Kind: Found, Endpoint: endpoint.IP(strange), Source: book.SourceDHT})
	if s := torrent.Snapshot(); s.PeersKnown != 1 {
		t.Errorf("%d peers are known before we met ourselves, want 1", s.PeersKnown)
	}
	step(Event{Kind: Connected, Peer: 1, Endpoint: endpoint.IP(strange), Outgoing: true,
		Hello: &wire.Hello{PeerID: [20]byte{'M'}}})
	if s := torrent.Snapshot(); s.PeersKnown != 0 || s.PeersMet != 0 {
		t.Errorf("%d peers are known and %d were met when it was ourselves, want none",
			s.PeersKnown, s.PeersMet)
	}
	step(Event{Kind: Found, Endpoint: endpoint.IP(other), Source: book.SourceDHT})
	if s := torrent.Snapshot(); s.PeersKnown != 1 {
		t.Errorf("%d peers are known, want the one at another port of our router", s.PeersKnown)
	}
}

// TestUnmetPeersAreCounted: addresses without a connection are counted by how their
// last dial failed, those with one are not, and a handshake is forgotten by nobody.
func TestUnmetPeersAreCounted(t *testing.T) {
	now := time.Unix(1e9, 0)
	torrent := New(now, Config{PeerID: [20]byte{'M'}, Limits: Limits{HalfOpenMax: 8}})
	step := func(e Event) {
		torrent.Step(now, e)
		torrent.Actions(nil)
	}
	faults := []book.Fault{book.FaultRefused, book.FaultRefused, book.FaultTimeout,
		book.FaultHungUp, book.FaultNone}
	for i := range faults {
		step(Event{Kind: Found, Endpoint: endpoint.IP(numbered(i + 1)), Source: book.SourceUser})
	}
	for i, fault := range faults[:4] {
		step(Event{Kind: DialFailed, Endpoint: endpoint.IP(numbered(i + 1)), Fault: fault})
	}
	want := book.Unmet{book.FaultDialling: 1, book.FaultRefused: 2, book.FaultTimeout: 1,
		book.FaultHungUp: 1}
	if s := torrent.Snapshot(); s.Unmet != want || s.PeersKnown != 5 || s.PeersMet != 0 {
		t.Errorf("%v of %d, %d met, want %v of 5", s.Unmet, s.PeersKnown, s.PeersMet, want)
	}
	step(Event{Kind: Connected, Peer: 1, Endpoint: endpoint.IP(numbered(1)), Outgoing: true,
		Hello: &wire.Hello{PeerID: [20]byte{'P'}}})
	want[book.FaultRefused] = 1
	if s := torrent.Snapshot(); s.Unmet != want || s.PeersMet != 1 || s.PeersHere != 1 {
		t.Errorf("%v, %d met, %d here, want %v, 1 met and here", s.Unmet, s.PeersMet, s.PeersHere,
			want)
	}
	step(Event{Kind: Closed, Peer: 1})
	if s := torrent.Snapshot(); s.PeersMet != 1 || s.PeersHere != 0 || s.Unmet.Count() != 5 {
		t.Errorf("%d met, %d here, %v, want 1 met, none here, 5 unmet", s.PeersMet, s.PeersHere,
			s.Unmet)
	}
}
