package core

import (
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// TestPeersOnly: with PeersOnly only the peers that the user named are dialled, whoever
// else tells of an address, and peers are told of nobody.
func TestPeersOnly(t *testing.T) {
	for _, only := range []bool{false, true} {
		a := newExchangeWith(t, Config{PeersOnly: only})
		before := a.torrent.Snapshot().PeersKnown
		dialled := map[string]bool{}
		note := func() {
			for _, addr := range dials(a.actions) {
				dialled[addr.String()] = true
			}
		}
		for i, source := range []book.Source{book.SourceDHT, book.SourcePEX, book.SourceLSD,
			book.SourceTracker,
			book.SourceIncoming} {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(100 + i)), Source: source})
			note()
		}
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(200)), Source: book.SourceResume,
			Vouched: true,
			Met:     a.now})
		note()
		a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(300), Flags: wire.PEXReachable}}})
		note()
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(400)), Source: book.SourceUser})
		note()
		for range 20 { // the time at which peers are told of others passes
			a.now = a.now.Add(time.Second)
			a.event(Event{Kind: Tick})
			note()
		}
		if !dialled[numbered(400).String()] {
			t.Errorf("only %v: the peer that the user named is not dialled", only)
		}
		if n := len(dialled); only != (n == 1) {
			t.Errorf("only %v: %d addresses are dialled: %v", only, n, dialled)
		}
		if more := a.torrent.Snapshot().PeersKnown - before; only && more != 1 {
			t.Errorf("%d more addresses are known, want 1", more)
		}
		if a.torrent.pex.allowed() == only {
			t.Errorf("only %v: peers are exchanged: %v", only, !only)
		}
	}
}
