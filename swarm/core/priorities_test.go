package core

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// rank ranks all pieces: those from first up to end as normal, the others as not wanted.
func (a *attack) rank(first, end int) {
	a.torrent.SetPriorities(a.now, onlyPieces(a.torrent.pick.Pieces(), first, end), nil)
	a.torrent.check()
	a.actions = a.torrent.Actions(nil)
}

func onlyPieces(n, first, end int) []picker.Priority {
	list := make([]picker.Priority, n)
	for i := first; i < end; i++ {
		list[i] = picker.Normal
	}
	return list
}

func ofKind(actions []Action, kind ActionKind) (list []Action) {
	for i := range actions {
		if actions[i].Kind == kind {
			list = append(list, actions[i])
		}
	}
	return list
}

// give sends the block of a request that peer 1 has not answered, and verifies its piece.
func (a *attack) give(t *testing.T) (piece uint32) {
	t.Helper()
	r, ok := a.open()
	if !ok {
		t.Fatal("nothing was requested")
	}
	a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: r})
	a.event(Event{Kind: Verified, Ref: block.Ref{Piece: r.Piece}})
	return r.Piece
}

// TestPrioritiesChange: requests for pieces that are not wanted any more are taken back,
// others are requested at once, and all is there when the wanted pieces are.
func TestPrioritiesChange(t *testing.T) {
	a := newAttack(t, 0)
	p := a.torrent.peers.live(1)
	asked := p.ask.live
	a.rank(60, 64)
	if got := len(sent(a.actions, wire.Cancel)); got == 0 || got > asked || p.ask.live > 4 {
		t.Errorf("%d requests were taken back, %d of %d are open", got, p.ask.live, asked)
	}
	for _, action := range sent(a.wait(time.Second), wire.Request) {
		if piece := action.Msg.Ref.Piece; piece < 60 {
			t.Errorf("piece %d is requested, which is not wanted", piece)
		}
	}
	for range 4 {
		live := slices.ContainsFunc(p.ask.unanswered(), func(o ask) bool {
			return o.state == askLive
		})
		if !live {
			a.wait(time.Second)
		}
		for i := range p.ask.unanswered() {
			if o := p.ask.unanswered()[i]; o.state == askLive {
				a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: o.ref})
				a.event(Event{Kind: Verified, Ref: block.Ref{Piece: o.ref.Piece}})
				break
			}
		}
	}
	s := a.torrent.Snapshot()
	if s.State != Seeding || s.PiecesHave != 4 || s.Left != 0 {
		t.Errorf("in the end: %+v", s)
	}
}

// TestMoreIsWantedLater: after everything that was wanted is there, more comes to be
// wanted: the seeds that were dropped are dialled again, peers hear that we want something,
// and it completes once more.
func TestMoreIsWantedLater(t *testing.T) {
	a := newAttack(t, 0)
	a.event(Event{Kind: Closed, Peer: 1})
	at := endpoint.IP(benchAddr(9))
	a.event(Event{Kind: Found, Endpoint: at, Source: book.SourceUser})
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P'}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	a.event(Event{Kind: Connected, Peer: 1, Endpoint: at, Hello: &hello, Outgoing: true})
	a.message(1, wire.Message{ID: wire.HaveAll})
	a.rank(0, 0)
	if len(ofKind(a.actions, Complete)) != 1 {
		t.Fatal("a torrent of which nothing is wanted is not complete")
	}
	if why, ok := a.dropped(1); !ok || why != ReasonUseless {
		t.Fatalf("the seed was not dropped: %v", why)
	}
	a.event(Event{Kind: Closed, Peer: 1})
	a.rank(0, 1)
	dials := len(ofKind(append(a.actions, a.wait(2*time.Second)...), Dial))
	if dials == 0 {
		t.Error("the seed is not dialled again")
	}
	if s := a.torrent.Snapshot(); s.State != Downloading || s.Left != block.Size {
		t.Errorf("with one piece wanted: %+v", s)
	}
	a.join(1)
	a.give(t)
	if a.torrent.Snapshot().State != Seeding {
		t.Error("it is not complete again")
	}
	a.rank(0, 1)
	if len(ofKind(a.actions, Complete)) != 0 {
		t.Error("it is called complete a second time although nothing changed")
	}
}

// TestUploadOnlyIsTakenBack: peers hear that we want something again (BEP 21).
func TestUploadOnlyIsTakenBack(t *testing.T) {
	a := newAttack(t, 0)
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'L'}}
	hello.Reserved = hello.Reserved.With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: 2, Endpoint: a.torrent.peers.live(1).endpoint,
		Hello: &hello, Outgoing: true})
	a.message(2, wire.Message{ID: wire.Extended, Ext: wire.ExtHandshakeNumber,
		Payload: []byte("d1:md11:upload_onlyi3eee")})
	said := func() (only []byte) {
		for _, action := range sent(a.actions, wire.Extended) {
			if action.Peer == 2 && action.Msg.Ext == 3 {
				only = append(only, action.Msg.Payload...)
			}
		}
		return only
	}
	if a.rank(0, 0); string(said()) != "\x01" {
		t.Errorf("once nothing is wanted the peer hears %q", said())
	}
	if a.rank(0, 64); string(said()) != "\x00" {
		t.Errorf("once everything is wanted the peer hears %q", said())
	}
}

// TestBegunPieceWaits: blocks of a piece that came before it was deselected count when it is
// wanted again, and none of it is requested meanwhile.
func TestBegunPieceWaits(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info, a.now = testInfo(2, 4*block.Size, 8*block.Size), time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	a.event(Event{Kind: InfoReady, Info: a.info})
	a.rank(0, 1)
	a.join(1)
	first, ok := a.open()
	if !ok {
		t.Fatal("nothing was requested")
	}
	a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: first})
	a.rank(1, 2)
	for range 10 {
		for _, action := range sent(append(a.actions, a.wait(time.Second)...), wire.Request) {
			if action.Msg.Ref.Piece == 0 {
				t.Fatal("a block of the piece was requested meanwhile")
			}
		}
	}
	a.rank(0, 1)
	var again []uint32
	for _, action := range sent(append(a.actions, a.wait(time.Second)...), wire.Request) {
		again = append(again, action.Msg.Ref.Begin)
	}
	if slices.Contains(again, first.Begin) || len(again) == 0 {
		t.Errorf("requested at last: %v; %d came before", again, first.Begin)
	}
}

// TestPrioritiesAreReplayed: a dump with changes of priorities replays exactly.
func TestPrioritiesAreReplayed(t *testing.T) {
	a := newAttack(t, 0)
	for i := range 8 {
		a.rank(i, i+8)
		a.wait(time.Second)
	}
	if r := replayOf(t, dumpOf(t, a.torrent), io.Discard); r.Differs != 0 || r.Broken != nil ||
		r.Inexact || r.End.Left != a.torrent.Snapshot().Left {
		t.Errorf("replay: %+v", r)
	}
}

// TestPrioritiesRefused: what does not fit the torrent changes nothing.
func TestPrioritiesRefused(t *testing.T) {
	a := newAttack(t, 0)
	before := a.torrent.Snapshot()
	a.torrent.SetPriorities(a.now, onlyPieces(63, 0, 0), nil)
	if after := a.torrent.Snapshot(); after.Left != before.Left {
		t.Errorf("%d bytes left, want %d", after.Left, before.Left)
	}
	early := New(a.now, Config{InfoHash: a.info.Hash()})
	early.SetPriorities(a.now, onlyPieces(64, 0, 64), nil)
	if s := early.Snapshot(); s.State != NeedInfo {
		t.Errorf("without metadata: %v", s.State)
	}
}

// BenchmarkPriorities changes the priority of every piece of a large torrent with a seed.
func BenchmarkPriorities(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n, " pieces"), func(b *testing.B) {
			info := testInfo(n, block.Size, int64(n)*block.Size)
			now := time.Unix(1_000_000, 0)
			t := New(now, Config{InfoHash: info.Hash()})
			t.Step(now, Event{Kind: InfoReady, Info: info})
			rnd := rand.New(rand.NewPCG(1, 1))
			lists := make([][]picker.Priority, 2)
			for i := range lists {
				lists[i] = make([]picker.Priority, n)
				for p := range lists[i] {
					lists[i][p] = picker.Priority(rnd.IntN(8))
				}
			}
			for i := 0; b.Loop(); i++ {
				t.SetPriorities(now, lists[i%2], nil)
			}
		})
	}
}
