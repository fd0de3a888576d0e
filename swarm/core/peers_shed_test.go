package core

import (
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// leavers returns who is dropped for want of room, in order, and closes their connections.
func (a *attack) leavers() (refs []PeerRef) {
	for _, x := range a.actions {
		if x.Kind == Drop {
			if x.Reason != ReasonFull || x.Ban {
				a.t.Errorf("peer %d leaves for %v", x.Peer, x.Reason)
			}
			refs = append(refs, x.Peer)
		}
	}
	for _, ref := range refs {
		a.event(Event{Kind: Closed, Peer: ref})
	}
	return refs
}

// TestSheddingLeavesTheUseful: those leave first that are of no use, and of the others
// those that move the least; web seeds stay.
func TestSheddingLeavesTheUseful(t *testing.T) {
	a := newSeed(t, 20, limit.Home{})
	for i := range 6 {
		a.come(numbered(1000 * (i + 1)))
	}
	a.event(Event{Kind: Connected, Peer: 100, Endpoint: endpoint.WebSeed(1),
		Hello: &wire.Hello{InfoHash: a.info.Hash()}})
	takes := func(ref PeerRef, blocks int) {
		for i := range blocks {
			a.message(ref, wire.Message{ID: wire.Request,
				Ref: block.Ref{Piece: uint32(i), Length: block.Size}})
			a.event(Event{Kind: Sent, Peer: ref, Count: 1})
		}
	}
	for _, ref := range []PeerRef{2, 4, 5} {
		a.message(ref, wire.Message{ID: wire.Interested})
	}
	a.wait(evictAfter)
	takes(2, 3)
	takes(4, 9)
	takes(5, 1)
	a.wait(5 * time.Second)

	a.event(Event{Kind: Limited, Count: 5})
	gone := a.leavers()
	if len(gone) != 2 || a.torrent.peers.count() != 5 {
		t.Fatalf("%v have left, %d connections stay", gone, a.torrent.peers.count())
	}
	a.event(Event{Kind: Shed, Count: 3})
	gone = append(gone, a.leavers()...)
	if len(gone) != 5 || gone[3] != 5 || gone[4] != 2 {
		t.Errorf("%v have left, want three idle ones, then 5 and 2", gone)
	}
	for _, ref := range gone[:3] {
		if ref != 1 && ref != 3 && ref != 6 {
			t.Errorf("peer %d has left early", ref)
		}
	}
	a.event(Event{Kind: Limited, Count: 1})
	a.leavers()
	if a.torrent.peers.live(100) == nil || a.torrent.peers.live(4) != nil {
		t.Error("the web seed does not stay alone")
	}
}

// TestLimited: a lower limit holds for those who come and for dials, and a higher one has
// peers dialled at once.
func TestLimited(t *testing.T) {
	a := newAttack(t, 0)
	a.event(Event{Kind: Limited, Count: 1})
	for i := range 50 {
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(1000 * (i + 1))),
			Source: book.SourceDHT})
	}
	if got := dials(a.then(5 * time.Second)); len(got) > 0 {
		t.Errorf("%d dials with every place taken", len(got))
	}
	a.visit(9, "31.0.0.1:6881")
	if live := a.torrent.peers.count(); live != 1 {
		t.Errorf("%d connections, want 1", live)
	}
	a.event(Event{Kind: Limited})
	if got := dials(a.then(5 * time.Second)); len(got) < 10 {
		t.Errorf("%d dials with free places", len(got))
	}
}
