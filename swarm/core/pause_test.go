package core

import (
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// The snapshot says that a torrent is paused beside its state, and why its peers left.
func TestPauseInSnapshot(t *testing.T) {
	a := newAttack(t, 0)
	a.event(Event{Kind: Paused})
	a.event(Event{Kind: Closed, Peer: 1})
	s := a.torrent.Snapshot()
	if !s.Paused || s.State != Downloading || s.Drops[ReasonPaused] != 1 || s.PeersConnected != 0 {
		t.Errorf("a paused torrent: %+v", s)
	}
	a.event(Event{Kind: Resumed})
	if a.join(2); a.torrent.Snapshot().Paused || len(a.actions) == 0 {
		t.Error("a torrent that was resumed does not go on")
	}
}

// Nothing is done while paused, however long it lasts and whatever becomes known.
func TestPauseIsQuiet(t *testing.T) {
	a := newAttack(t, 0)
	a.event(Event{Kind: Paused})
	a.event(Event{Kind: Closed, Peer: 1})
	for i := range 30 {
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(benchAddr(10 + i)),
			Source: book.SourceUser})
		if list := append(a.actions, a.wait(20*time.Second)...); len(list) > 0 {
			t.Fatalf("while paused: %s", showAction(&list[0]))
		}
	}
	a.event(Event{Kind: Resumed})
	dials := 0
	for _, action := range append(a.actions, a.wait(10*time.Second)...) {
		if action.Kind == Dial {
			dials++
		}
	}
	if dials == 0 {
		t.Error("no address that came while paused was dialled after it")
	}
}

// A peer that goes on requesting a piece that we have lost is not to blame; one that
// requests a piece that we never had is.
func TestRequestsOfLostPieces(t *testing.T) {
	for _, c := range []struct {
		lose bool
		want Reason
	}{{true, ReasonNone}, {false, ReasonRequests}} {
		a := &attack{script: &script{t: t}}
		a.info, a.now = testInfo(4, block.Size, 4*block.Size), time.Unix(1_000_000, 0)
		a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}})
		have := bits.New(4)
		if have.Add(1); c.lose {
			have.Add(0)
		}
		a.event(Event{Kind: InfoReady, Info: a.info, Have: have})
		a.join(1)
		if c.lose {
			a.event(Event{Kind: Doubted})
			a.event(Event{Kind: Failed})
		}
		got := ReasonNone
		for i := 0; i < 200 && got == ReasonNone; i++ {
			a.message(1, wire.Message{ID: wire.Request, Ref: block.Ref{Length: block.Size}})
			got, _ = a.dropped(1)
			a.now = a.now.Add(time.Second)
		}
		if got != c.want {
			t.Errorf("lost %v: the peer was dropped: %v, want %v", c.lose, got, c.want)
		}
	}
}

// A peer whose address the user blocks leaves; a peer that is gone already changes nothing.
func TestBlockedPeerLeaves(t *testing.T) {
	a := newAttack(t, 0)
	a.event(Event{Kind: Blocked, Peer: 1})
	drops := 0
	for i := range a.actions {
		if a.actions[i].Kind == Drop && a.actions[i].Peer == 1 &&
			a.actions[i].Reason == ReasonBlocked && !a.actions[i].Ban {
			drops++
		}
	}
	a.event(Event{Kind: Blocked, Peer: 1})
	a.event(Event{Kind: Closed, Peer: 1})
	a.event(Event{Kind: Blocked, Peer: 1})
	s := a.torrent.Snapshot()
	if drops != 1 || s.Drops[ReasonBlocked] != 1 || s.PeersConnected != 0 {
		t.Errorf("%d drops, %+v", drops, s.Drops)
	}
}
