package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// A web server in the seat of a peer is asked for blocks in a row, over pieces,
// and for more than a peer that does not say how many it takes.
func TestServersAreAskedInRows(t *testing.T) {
	const pieces, size = 64, 1 << 20
	info := testInfo(pieces, size, pieces*size)
	now := time.Unix(1, 0)
	torrent := New(now, Config{InfoHash: info.Hash(), PeerID: [20]byte{1},
		Limits: Limits{RequestsMax: 100_000}})
	var asked []block.Ref
	var verify []Event
	step := func(e Event) {
		torrent.Step(now, e)
		torrent.check()
		for _, a := range torrent.Actions(nil) {
			if a.Kind == Send && a.Msg.ID == wire.Request {
				asked = append(asked, a.Msg.Ref)
			}
			if a.Kind == Verify {
				verify = append(verify, Event{Kind: Verified, Ref: a.Ref})
			}
		}
	}
	step(Event{Kind: InfoReady, Info: info})
	hello := &wire.Hello{PeerID: [20]byte{2}, Reserved: wire.Reserved{}.With(wire.FeatureFast)}
	step(Event{Kind: Connected, Peer: 1, Hello: hello, Endpoint: endpoint.WebSeed(7),
		Outgoing: true})
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.HaveAll}})
	step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Unchoke}})
	if len(asked) != asksServer {
		t.Errorf("%d blocks are asked for to begin with, want %d", len(asked), asksServer)
	}
	rows, most := 1, 0
	for i := 0; i < len(asked) && i < pieces*size/block.Size/2; i++ {
		now = now.Add(10 * time.Microsecond)
		step(Event{Kind: ReceivedBlock, Peer: 1, Ref: asked[i]})
		for ; len(verify) > 0; verify = verify[1:] {
			step(verify[0])
		}
		most = max(most, len(asked)-i)
	}
	at := func(r block.Ref) int64 { return int64(r.Piece)*size + int64(r.Begin) }
	for i, r := range asked[1:] {
		if at(r) != at(asked[i])+block.Size {
			rows++
		}
	}
	if rows > 2 { // the end of the torrent breaks one
		t.Errorf("%d rows for half of the torrent", rows)
	}
	if most <= wire.ReqqDefault {
		t.Errorf("at most %d requests are out, as to a peer that does not say", most)
	}
}

// serverSide is a torrent of files of two pieces each, of two blocks, and a web server
// that has them all.
type serverSide struct {
	*Torrent
	now time.Time
}

func newServerSide(t *testing.T, files int) *serverSide {
	t.Helper()
	dir := t.TempDir()
	for i := range files {
		data := bytes.Repeat([]byte{byte(i), 1}, 2*block.Size)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%03d", i)), data,
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: dir, Kind: metainfo.V1,
		PieceLength: 2 * block.Size})
	if err != nil {
		t.Fatal(err)
	}
	s := &serverSide{now: time.Unix(1, 0)}
	s.Torrent = New(s.now, Config{InfoHash: torrent.Info().Hash(), PeerID: [20]byte{1},
		Limits: Limits{RequestsMax: 10_000}})
	s.step(Event{Kind: InfoReady, Info: torrent.Info()})
	hello := &wire.Hello{PeerID: [20]byte{2}, Reserved: wire.Reserved{}.With(wire.FeatureFast)}
	s.step(Event{Kind: Connected, Peer: 1, Hello: hello,
		Endpoint: endpoint.WebSeed(7), Outgoing: true})
	s.step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.HaveAll}})
	return s
}

func (s *serverSide) step(e Event) []Action {
	s.now = s.now.Add(refillEvery)
	s.Step(s.now, e)
	s.check()
	return s.Actions(nil)
}

// answer gives the blocks that are asked for in actions, and whatever is asked for next,
// and has their pieces verified as right says, until nothing more is asked.
func (s *serverSide) answer(actions []Action, right func(piece uint32) bool) (others []Action) {
	for n := 0; len(actions) > 0; n++ {
		if n == 100_000 {
			panic(fmt.Sprint("it never ends: ", actions[:6]))
		}
		a := actions[0]
		actions = actions[1:]
		switch {
		case a.Kind == Send && a.Msg.ID == wire.Request:
			actions = append(actions,
				s.step(Event{Kind: ReceivedBlock, Peer: 1, Ref: a.Msg.Ref})...)
		case a.Kind == Verify:
			kind := Failed
			if right(a.Ref.Piece) {
				kind = Verified
			}
			actions = append(actions, s.step(Event{Kind: kind, Ref: a.Ref})...)
			actions = append(actions, s.step(Event{Kind: Tick})...)
		default:
			others = append(others, a)
		}
	}
	return others
}

// TestServersAreJudgedByFile: a file that is another one on a web server costs a piece,
// and the other files come from there. Blocks of it that come late are not kept.
func TestServersAreJudgedByFile(t *testing.T) {
	s := newServerSide(t, 8)
	bad := func(piece uint32) bool { return piece/2 == 0 || piece/2 == 5 }
	others := s.answer(s.says(wire.Unchoke, 0), func(piece uint32) bool { return !bad(piece) })
	distrusted := 0
	for _, a := range others {
		if a.Kind == Drop {
			t.Fatalf("dropped for %v", a.Reason)
		}
		if a.Kind == Distrust {
			distrusted++
			if a.Ref.Piece%2 != 0 || a.Ref.Length != 2 || !bad(a.Ref.Piece) {
				t.Errorf("%d pieces from %d on are distrusted", a.Ref.Length, a.Ref.Piece)
			}
		}
	}
	if got := s.pick.Have().Count(); got != 12 || distrusted != 2 {
		t.Errorf("%d pieces came and %d files are distrusted, want 12 and 2", got, distrusted)
	}
	if waste := s.counters.by().waste[ReasonBadPiece]; waste > 2*4*block.Size {
		t.Errorf("%d bytes were wrong, want a piece for each file, or two that were under way",
			waste)
	}
	if !s.Sourceless(0, 2) || s.Sourceless(2, 4) {
		t.Error("not the file that nobody has is missing")
	}
	s.peers.live(1).ask.push(block.Ref{Piece: 1, Length: block.Size}, 0)
	s.requests.live++
	s.pick.Pick(&picker.Query{Peer: 9, Have: bits.Full(16), Max: 99}, nil)
	if a := s.step(Event{Kind: ReceivedBlock, Peer: 1,
		Ref: block.Ref{Piece: 1, Length: block.Size}}); a[0].Kind != Discard {
		t.Errorf("a block of a distrusted file leads to %v", a[0].Kind)
	}
}

// says has the server say something.
func (s *serverSide) says(id wire.ID, piece uint32) []Action {
	return s.step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: id,
		Ref: block.Ref{Piece: piece}}})
}

// TestServerOfLies: one that has nothing right is banned before all files have been
// tried. That says nothing of other web servers.
func TestServerOfLies(t *testing.T) {
	s := newServerSide(t, serverWrongMax+10)
	others := s.answer(s.says(wire.Unchoke, 0), func(uint32) bool { return false })
	if d := dropped(others, 1); d == nil || !d.Ban {
		t.Fatal("it is not banned")
	}
	if waste := s.counters.by().waste[ReasonBadPiece]; waste > serverWrongMax*2*block.Size {
		t.Errorf("it cost %d bytes", waste)
	}
	for i, c := range []struct {
		at   endpoint.Endpoint
		want bool
	}{{endpoint.WebSeed(7), false}, {endpoint.WebSeed(8), true}} {
		ref := PeerRef(2 + i)
		id := [20]byte{3, byte(i)}
		came := s.step(Event{Kind: Connected, Peer: ref, Endpoint: c.at, Outgoing: true,
			Hello: &wire.Hello{PeerID: id}})
		if d := dropped(came, ref); (d == nil) != c.want {
			t.Errorf("%v is welcome: %v, want %v", c.at, d == nil, c.want)
		}
	}
}

// The class of an endpoint says what is behind it, not its address: a stranger with an
// address that nobody should have is a peer, and is neither dialled nor told to others.
func TestAddressMakesNoServer(t *testing.T) {
	a := newAttack(t, 0)
	at := endpoint.IP(netip.MustParseAddrPort("[100::7]:6881"))
	a.connect(2, at, false)
	if p := a.torrent.peers.live(2); p == nil || p.isServer() {
		t.Fatalf("%+v is no peer", p)
	}
	if s := a.torrent.Snapshot(); s.PeersHere != 2 || s.PeersMet != 2 {
		t.Errorf("%d peers here, %d met, want 2", s.PeersHere, s.PeersMet)
	}
	a.event(Event{Kind: Found, Endpoint: at, Source: book.SourceUser})
	if a.torrent.book.Knows(at) {
		t.Error("its address is in the book")
	}
}

// TestServerTakesBackPieces: what it rejects after it has said that it lacks it begins
// no pause, and is asked for again when it is offered again.
func TestServerTakesBackPieces(t *testing.T) {
	s := newServerSide(t, 100)
	asked := sent(s.says(wire.Unchoke, 0), wire.Request)
	piece := asked[0].Msg.Ref.Piece
	set := bits.Full(200)
	set.Remove(int(piece))
	for range strikesMax[strikePieces] + 1 {
		s.step(Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Bitfield,
			Payload: set.AppendWire(nil)}})
	}
	var next []Action
	for range refusedMax + 1 {
		for _, a := range asked {
			next = append(next,
				s.step(Event{Kind: Received, Peer: 1,
					Msg: wire.Message{ID: wire.Reject, Ref: a.Msg.Ref}})...)
		}
	}
	next = append(next, s.step(Event{Kind: Tick})...)
	others := s.answer(next, func(uint32) bool { return true })
	if d := dropped(others, 1); d != nil {
		t.Fatalf("dropped for %v", d.Reason)
	}
	if got := s.pick.Have().Count(); got != 199 {
		t.Errorf("%d pieces came, want all but the one that it lacks", got)
	}
	if s.answer(s.says(wire.Have, piece), func(uint32) bool { return true }); !s.pick.Done() {
		t.Error("what is there again is not asked for")
	}
}

// TestServersThatReadOn: one that can do nothing but read on is asked for the next piece
// that is missing, wherever that is.
func TestServersThatReadOn(t *testing.T) {
	s := newServerSide(t, 100)
	s.says(wire.Suggest, 0)
	for piece := 3; piece < 150; piece++ {
		s.pick.Suppose(uint32(piece))
		s.step(Event{Kind: Verified, Ref: block.Ref{Piece: uint32(piece)}})
	}
	actions := s.says(wire.Unchoke, 0)
	for last, left := uint32(0), actions; len(left) > 0; {
		a := left[0]
		left = left[1:]
		if a.Kind == Send && a.Msg.ID == wire.Request {
			if a.Msg.Ref.Piece < last {
				t.Fatalf("piece %d is asked for after piece %d", a.Msg.Ref.Piece, last)
			}
			last = a.Msg.Ref.Piece
			left = append(left, s.step(Event{Kind: ReceivedBlock, Peer: 1, Ref: a.Msg.Ref})...)
		}
		if a.Kind == Verify {
			left = append(left, s.step(Event{Kind: Verified, Ref: a.Ref})...)
		}
	}
	if !s.pick.Done() {
		t.Error("not all came")
	}
}
