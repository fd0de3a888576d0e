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
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/stream"
	"swarmnode/swarm/wire"
)

// What the package hashes allows: until a range is asked of another peer, until a silent peer
// is given up, and until one that rejected is asked again; how many wrong answers end a
// connection; and how long a wrong piece waits for the hashes of its blocks.
const (
	hashStall      = 3 * time.Second
	hashAgain      = 20 * time.Second
	hashRejected   = 10 * time.Second
	hashesWrongMax = 3
	holdFor        = 5 * time.Second
)

// v2Pieces is the number of pieces of testV2, of two blocks each but the last.
const v2Pieces = 5

// testV2 makes a v2 torrent of one file, and returns it with its content, and
// with its metadata as peers send it: without the piece layer.
func testV2(t testing.TB) (whole, bare *metainfo.Info, content []byte) {
	t.Helper()
	return testTree(t, metainfo.V2)
}

// testTree does the same for a torrent of a kind that has hash trees.
func testTree(t testing.TB, kind metainfo.Kind) (whole, bare *metainfo.Info, content []byte) {
	t.Helper()
	content = make([]byte, v2Pieces*2*block.Size-5000)
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path, Kind: kind,
		PieceLength: 2 * block.Size})
	if err != nil {
		t.Fatal(err)
	}
	bare, err = metainfo.ParseInfo(torrent.Info().Raw())
	if err != nil {
		t.Fatal(err)
	}
	return torrent.Info(), bare, content
}

// A v2Side is a torrent under test, and what it said last.
type v2Side struct {
	*Torrent
	now time.Time
}

func newV2Side(info *metainfo.Info, have *bits.Set) *v2Side {
	long, _ := info.HashV2()
	s := &v2Side{now: time.Unix(1000, 0)}
	s.Torrent = New(s.now, Config{InfoHash: info.Hash(), HashV2: long, PeerID: [20]byte{'M'},
		Seed: 1})
	s.step(Event{Kind: InfoReady, Info: info, Have: have})
	return s
}

func (s *v2Side) step(e Event) []Action {
	s.Step(s.now, e)
	s.check()
	return s.Actions(nil)
}

func (s *v2Side) says(ref PeerRef, m wire.Message) []Action {
	return s.step(Event{Kind: Received, Peer: ref, Msg: m})
}

func (s *v2Side) connect(ref PeerRef, hash metainfo.Hash) []Action {
	hello := wire.Hello{InfoHash: hash, PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureV2)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(ref), 0, 1}), 6881)
	actions := s.step(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: &hello,
		Outgoing: true})
	has := wire.HaveAll
	if s.seeding() {
		has = wire.HaveNone // a seed drops others
	}
	actions = append(actions, s.says(ref, wire.Message{ID: has})...)
	return append(actions, s.says(ref, wire.Message{ID: wire.Unchoke})...)
}

// sent returns the messages of one kind among actions.
func sent(actions []Action, id wire.ID) (list []Action) {
	for _, a := range actions {
		if (a.Kind == Send || a.Kind == Answer) && a.Msg.ID == id {
			list = append(list, a)
		}
	}
	return list
}

func dropped(actions []Action, ref PeerRef) *Action {
	for i, a := range actions {
		if a.Kind == Drop && a.Peer == ref {
			return &actions[i]
		}
	}
	return nil
}

func TestPieceLayerFromPeers(t *testing.T) {
	whole, bare, _ := testV2(t)
	seed := newV2Side(whole, bits.Full(v2Pieces))
	seed.connect(1, whole.Hash())
	leech := newV2Side(bare, nil)
	actions := leech.connect(1, bare.Hash())
	asked := sent(actions, wire.HashRequest)
	if len(asked) != 1 {
		t.Fatalf("%d hash requests, want 1", len(asked))
	}
	if len(sent(actions, wire.Request)) != 0 {
		t.Error("a piece was asked for that nobody can check")
	}
	if leech.hashes.layersKnown() {
		t.Error("the layer is known too early")
	}
	answer := sent(seed.says(1, asked[0].Msg), wire.Hashes)
	if len(answer) != 1 {
		t.Fatalf("the seed sent %d answers, want 1", len(answer))
	}
	leech.says(1, answer[0].Msg)
	if !leech.hashes.layersKnown() {
		t.Error("the layer is not known after the answer")
	}
	leech.now = leech.now.Add(time.Second)
	if got := sent(leech.step(Event{Kind: Tick}), wire.Request); len(got) == 0 {
		t.Error("no piece is asked for although its hash is known")
	}
}

// TestNothingWithoutHash: a peer that was there before the metadata, and offers
// everything, is asked for hashes first and for no piece that has none, in no way
// in which pieces are asked for; and nothing is held against it. Of a hybrid the
// tree is awaited alike.
func TestNothingWithoutHash(t *testing.T) {
	for name, kind := range map[string]metainfo.Kind{"v2": metainfo.V2,
		"hybrid by its v2 hash": metainfo.Hybrid} {
		for _, data := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, data there %v", name, data), func(t *testing.T) {
				whole, bare, _ := testTree(t, kind)
				long, _ := bare.HashV2()
				seed := newV2Side(whole, bits.Full(v2Pieces))
				seed.connect(1, long.Short())
				leech := &v2Side{now: time.Unix(1000, 0)}
				leech.Torrent = New(leech.now, Config{InfoHash: long.Short(), HashV2: long,
					PeerID: [20]byte{'M'}, Seed: 1})
				leech.connect(1, long.Short())
				for _, piece := range []uint32{0, 2} {
					leech.says(1, wire.Message{ID: wire.AllowedFast, Ref: block.Ref{Piece: piece}})
					leech.says(1, wire.Message{ID: wire.Suggest, Ref: block.Ref{Piece: piece}})
				}
				var late *bits.Set
				if data && kind == metainfo.V2 {
					late = bits.Full(v2Pieces)
				}
				actions := leech.step(Event{Kind: InfoReady, Info: bare, Late: late})
				leech.SetSequential(true)
				leech.SetDeadlines(leech.now, []stream.Deadline{{Piece: 1}})
				for range 2 {
					leech.now = leech.now.Add(hashStall / 4)
					actions = append(actions, leech.step(Event{Kind: Tick})...)
				}
				if got := sent(actions, wire.Request); len(got) > 0 {
					t.Fatalf("%d blocks were asked for before their hashes were known", len(got))
				}
				asked := sent(actions, wire.HashRequest)
				if len(asked) == 0 {
					t.Fatal("no hashes were asked for")
				}
				for piece := range uint32(v2Pieces) { // as if it had been asked for
					leech.step(Event{Kind: ReceivedBlock, Peer: 1,
						Ref: block.Ref{Piece: piece, Length: block.Size}})
					leech.step(Event{Kind: Failed, Ref: block.Ref{Piece: piece}})
				}
				if p := leech.peers.live(1); p == nil || p.trust.suspect {
					t.Fatal("a peer is to blame for what nobody can verify")
				}
				answer := sent(seed.says(1, asked[0].Msg), wire.Hashes)
				actions = leech.says(1, answer[0].Msg)
				leech.now = leech.now.Add(time.Second)
				actions = append(actions, leech.step(Event{Kind: Tick})...)
				want := "blocks"
				if late != nil {
					want = "checks"
				}
				requests, verifies := len(sent(actions, wire.Request)), 0
				for _, a := range actions {
					if a.Kind == Verify {
						verifies++
					}
				}
				if want == "blocks" && requests == 0 ||
					want == "checks" && (verifies != v2Pieces || requests > 0) {
					t.Errorf("with the hashes: %d requests, %d checks, want %s", requests, verifies,
						want)
				}
			})
		}
	}
}

func TestHashesOfLiars(t *testing.T) {
	_, bare, _ := testV2(t)
	leech := newV2Side(bare, nil)
	actions := leech.connect(1, bare.Hash())
	for range hashesWrongMax {
		asked := sent(actions, wire.HashRequest)
		if len(asked) != 1 {
			t.Fatalf("%d hash requests, want 1", len(asked))
		}
		r, _, err := wire.ParseHashRange(asked[0].Msg.Payload)
		if err != nil {
			t.Fatal(err)
		}
		lie := append(bytes.Clone(asked[0].Msg.Payload),
			make([]byte, 32*(int(r.Length)+r.Uncles()))...)
		actions = leech.says(1, wire.Message{ID: wire.Hashes, Payload: lie})
		if leech.hashes.layersKnown() {
			t.Fatal("a lie was taken for the layer")
		}
		if d := dropped(actions, 1); d != nil {
			if !d.Ban || d.Reason != ReasonBadHashes {
				t.Errorf("dropped for %v, ban %v", d.Reason, d.Ban)
			}
			return
		}
		leech.now = leech.now.Add(hashRejected)
		actions = leech.step(Event{Kind: Tick})
	}
	t.Error("a liar is never dropped")
}

// TestHashesElsewhere: a peer that rejects, or is silent, does not keep others
// from being asked; one on a v1 link is never asked.
func TestHashesElsewhere(t *testing.T) {
	_, bare, _ := testV2(t)
	leech := newV2Side(bare, nil)
	if got := sent(leech.connect(1, metainfo.Hash{1}), wire.HashRequest); len(got) != 0 {
		t.Fatal("asked on a v1 link, which common clients close")
	}
	first := sent(leech.connect(2, bare.Hash()), wire.HashRequest)
	if len(first) != 1 || first[0].Peer != 2 {
		t.Fatalf("asked %v, want peer 2", first)
	}
	leech.connect(3, bare.Hash())
	leech.now = leech.now.Add(hashStall)
	second := sent(leech.step(Event{Kind: Tick}), wire.HashRequest)
	if len(second) != 1 || second[0].Peer != 3 {
		t.Fatalf("after a stall asked %v, want peer 3", second)
	}
	leech.connect(4, bare.Hash())
	third := sent(leech.says(3, wire.Message{ID: wire.HashReject, Payload: second[0].Msg.Payload}),
		wire.HashRequest)
	if len(third) != 1 || third[0].Peer != 4 {
		t.Fatalf("after a reject asked %v, want peer 4", third)
	}
}

// TestOddHashRequests: what cannot be answered is rejected, and not a reason to
// close. Hashes of blocks are computed from a piece that is read.
func TestOddHashRequests(t *testing.T) {
	whole, _, content := testV2(t)
	seed := newV2Side(whole, bits.Full(v2Pieces))
	seed.connect(1, whole.Hash())
	root := whole.Layout().Files[0].Root
	ask := func(r wire.HashRange) []Action {
		r.Root = root
		return seed.says(1, wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, r)})
	}
	for _, r := range []wire.HashRange{{Base: 1, Length: 1024}, {Base: 9, Length: 2},
		{Base: 1, Index: 8, Length: 8}, {Base: 1, Length: 1 << 31}} {
		actions := ask(r)
		if len(sent(actions, wire.HashReject)) != 1 || dropped(actions, 1) != nil {
			t.Errorf("%v: %v", r, actions)
		}
	}
	if got := sent(ask(wire.HashRange{Base: 1, Index: 4, Length: 1, Proof: 2}),
		wire.Hashes); len(got) != 1 {
		t.Error("a range of one hash is not answered")
	}
	actions := ask(wire.HashRange{Index: 2, Length: 2})
	if len(actions) != 1 || actions[0].Kind != HashBlocks || actions[0].Ref.Piece != 1 {
		t.Fatalf("for blocks: %v", actions)
	}
	leaves := metainfo.BlockHashes(content[2*block.Size : 4*block.Size])
	got := sent(seed.step(Event{Kind: Hashed, Ref: block.Ref{Piece: 1}, Hashes: leaves}),
		wire.Hashes)
	if len(got) != 1 || !bytes.HasSuffix(got[0].Msg.Payload,
		append(leaves[0][:], leaves[1][:]...)) {
		t.Errorf("hashes of blocks: %v", got)
	}
	if len(sent(ask(wire.HashRange{Index: 4, Length: 2}), wire.HashReject)) != 0 {
		t.Error("rejected before the piece was read")
	}
	if got := sent(seed.step(Event{Kind: Hashed, Ref: block.Ref{Piece: 2}}),
		wire.HashReject); len(got) != 1 {
		t.Error("no reject although the piece cannot be read")
	}
}

// TestLiarByBlocks: a piece of two peers fails. The hash tree, or a good copy of
// the piece, tells which of them lied, and the other one stays.
func TestLiarByBlocks(t *testing.T) {
	for _, byCopy := range []bool{false, true} {
		whole, _, content := testV2(t)
		leech := newV2Side(whole, nil)
		leech.connect(1, whole.Hash())
		leech.connect(2, whole.Hash())
		right := metainfo.BlockHashes(content[:2*block.Size])
		for i, ref := range []uint32{1, 2} {
			leech.startPiece(uint32(i), ref)
		}
		actions := leech.step(Event{Kind: Failed, Hashes: []metainfo.Hash256{right[0], {1}}})
		if dropped(actions, 1) != nil || dropped(actions, 2) != nil {
			t.Fatal("banned before it is known who lied")
		}
		leech.now = leech.now.Add(time.Second)
		actions = append(actions, leech.step(Event{Kind: Tick})...)
		asked := sent(actions, wire.HashRequest)
		if len(asked) != 1 {
			t.Fatalf("%d requests for hashes of blocks, want 1", len(asked))
		}
		if byCopy {
			leech.now = leech.now.Add(holdFor) // nobody answers
			leech.step(Event{Kind: Tick})
			leech.startPiece(0, 1)
			leech.pick.Received(picker.Block{Index: 1}, 1)
			if got := leech.pick.State(0); got != picker.Unverified {
				t.Fatalf("the piece is in state %d", got)
			}
			leech.step(Event{Kind: Verified})
			actions = leech.step(Event{Kind: Hashed, Hashes: right})
		} else {
			answer := append(bytes.Clone(asked[0].Msg.Payload),
				append(right[0][:], right[1][:]...)...)
			actions = leech.says(asked[0].Peer, wire.Message{ID: wire.Hashes, Payload: answer})
		}
		if d := dropped(actions, 2); d == nil || !d.Ban || d.Reason != ReasonBadPiece {
			t.Errorf("by copy %v: the liar stays: %v", byCopy, actions)
		}
		if dropped(actions, 1) != nil {
			t.Errorf("by copy %v: the honest peer is dropped", byCopy)
		}
		if got := leech.pick.State(0); !byCopy && got != picker.InFlight {
			t.Errorf("the piece is in state %d although one of its blocks is right", got)
		}
		if !byCopy && (leech.pick.Sender(picker.Block{}) != 1 ||
			leech.pick.Sender(picker.Block{Index: 1}) != 0) {
			t.Error("more than the wrong block is fetched again")
		}
		if p := leech.peers.live(1); p == nil || p.trust.suspect {
			t.Errorf("by copy %v: the honest peer is still suspect", byCopy)
		}
	}
}

// startPiece has a block of piece 0 come from a peer, whoever was asked for it.
func (s *v2Side) startPiece(index, ref uint32) {
	for _, p := range s.peers.all() { // nobody is asked for anything any more
		s.requests.releaseAll(p, askCancelled, nil, s.Torrent.now)
	}
	if s.pick.State(0) == picker.Wanted {
		only := bits.New(v2Pieces)
		only.Add(0)
		s.pick.Pick(&picker.Query{Peer: ref, Have: only, Max: 1}, nil)
	}
	s.pick.Received(picker.Block{Index: index}, ref)
}

// FuzzHashMessages sends hash messages of any content to a leech and to a seed.
func FuzzHashMessages(f *testing.F) {
	whole, bare, content := testV2(f)
	root := whole.Layout().Files[0].Root
	layer := wire.HashRange{Root: root, Base: 1, Length: 8, Proof: 2}
	f.Add(byte(21), wire.AppendHashRange(nil, layer))
	f.Add(byte(22), append(wire.AppendHashRange(nil, layer), make([]byte, 8*32)...))
	f.Add(byte(23), wire.AppendHashRange(nil, layer))
	f.Add(byte(21), wire.AppendHashRange(nil, wire.HashRange{Root: root, Index: 2, Length: 2}))
	f.Fuzz(func(t *testing.T, id byte, payload []byte) {
		bare, err := metainfo.ParseInfo(bare.Raw()) // its layers would stay known
		if err != nil {
			t.Fatal(err)
		}
		leech, seed := newV2Side(bare, nil), newV2Side(whole, bits.Full(v2Pieces))
		for _, side := range []*v2Side{leech, seed} {
			side.connect(1, bare.Hash())
			side.connect(2, bare.Hash())
			for range 3 {
				actions := side.says(1, wire.Message{ID: wire.HashRequest + wire.ID(id%3),
					Payload: payload})
				for ; len(actions) > 0; actions = actions[1:] {
					if a := actions[0]; a.Kind == HashBlocks {
						begin := int(a.Ref.Piece) * 2 * block.Size
						hashes := metainfo.BlockHashes(
							content[begin:min(begin+2*block.Size, len(content))])
						actions = append(actions,
							side.step(Event{Kind: Hashed, Ref: a.Ref, Hashes: hashes})...)
					}
				}
			}
			side.now = side.now.Add(hashAgain)
			side.step(Event{Kind: Tick})
			side.step(Event{Kind: Closed, Peer: 1})
		}
		waits := seed.answers.server.Waits(1) + seed.answers.server.Waits(2)
		if _, _, err := wire.ParseHashRange(payload); err == nil && waits > 0 {
			t.Error("a request waits for ever")
		}
	})
}
