package core

import (
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// newMetadataSeed returns a seed whose metadata has some blocks, with a peer that
// knows of ut_metadata.
func newMetadataSeed(t *testing.T) (*attack, int) {
	const pieces = 6000
	a := &attack{script: &script{t: t}}
	a.info = testInfo(pieces, 16<<10, pieces*16<<10)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	a.event(Event{Kind: InfoReady, Info: a.info, Have: bits.Full(pieces)})
	a.introduce(1)
	return a, wire.MetadataPieces(int64(len(a.info.Raw())))
}

// introduce connects a leech that knows of ut_metadata.
func (a *attack) introduce(ref PeerRef) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(benchAddr(int(ref))),
		Hello: &hello})
	words := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata)}
	a.message(ref, wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, words)})
}

func (a *attack) askMetadata(ref PeerRef, piece int) {
	ask := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataRequest, Piece: uint32(piece)})
	a.message(ref, wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtMetadata), Payload: ask})
}

// metadataIn returns the metadata messages of a type among actions.
func metadataIn(t *testing.T, actions []Action, kind wire.MetadataType) (list []wire.Metadata) {
	t.Helper()
	for _, a := range actions {
		if a.Msg.ID != wire.Extended || a.Msg.Ext != uint8(wire.ExtMetadata) {
			continue
		}
		m, err := wire.ParseMetadata(slices.Concat(a.Msg.Payload, a.Info))
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == kind {
			list = append(list, m)
		}
	}
	return list
}

// TestAnswersWaitAsNumbers: however often a peer asks for metadata, a few answers
// are made, the next ones when these have left, and what is too much is rejected.
// Each request has one answer.
func TestAnswersWaitAsNumbers(t *testing.T) {
	a, blocks := newMetadataSeed(t)
	const asks = 240
	var given, rejected int
	take := func() {
		data := metadataIn(t, a.actions, wire.MetadataData)
		given += len(data)
		rejected += len(metadataIn(t, a.actions, wire.MetadataReject))
		for _, m := range data {
			begin := int(m.Piece) * wire.MetadataBlock
			if string(m.Data) != string(a.info.Raw()[begin:min(begin+wire.MetadataBlock,
				len(a.info.Raw()))]) {
				t.Fatalf("block %d is wrong", m.Piece)
			}
		}
	}
	for i := range asks {
		a.askMetadata(1, i%blocks)
		take()
	}
	if given > answersAhead {
		t.Errorf("%d answers were made while none had left, want at most %d", given, answersAhead)
	}
	if queued := len(a.torrent.peers.live(1).answer.metadata); queued > metadataQueueMax {
		t.Errorf("%d requests wait, want at most %d", queued, metadataQueueMax)
	}
	for range asks {
		a.event(Event{Kind: Answered, Peer: 1, Count: 1})
		take()
	}
	if given+rejected != asks || given < metadataQueueMax {
		t.Errorf("%d requests were answered and %d rejected of %d", given, rejected, asks)
	}
	a.askMetadata(1, blocks) // there is no such block
	if take(); given+rejected != asks+1 {
		t.Error("a request for a block that does not exist has no answer")
	}
}

// TestHashAnswersWait: so do requests for hashes.
func TestHashAnswersWait(t *testing.T) {
	whole, _, _ := testV2(t)
	seed := newV2Side(whole, bits.Full(v2Pieces))
	seed.connect(1, whole.Hash())
	root := whole.Layout().Files[0].Root
	ask := wire.Message{ID: wire.HashRequest, Payload: wire.AppendHashRange(nil,
		wire.HashRange{Root: root, Base: 1, Length: 4, Proof: 2})}
	const asks = 200
	given, rejected := 0, 0
	take := func(actions []Action) {
		given += len(sent(actions, wire.Hashes))
		rejected += len(sent(actions, wire.HashReject))
	}
	for range asks {
		take(seed.says(1, ask))
	}
	if given > answersAhead {
		t.Errorf("%d answers were made while none had left, want at most %d", given, answersAhead)
	}
	for range asks {
		take(seed.step(Event{Kind: Answered, Peer: 1, Count: 1}))
	}
	if given+rejected != asks || given < hashQueueMax {
		t.Errorf("%d requests were answered and %d rejected of %d", given, rejected, asks)
	}
}

// TestAnswersGoOnAfterReads: a request for hashes of blocks waits for its piece, and
// those behind it are answered afterwards even if the piece cannot be read.
func TestAnswersGoOnAfterReads(t *testing.T) {
	whole, _, _ := testV2(t)
	seed := newV2Side(whole, bits.Full(v2Pieces))
	seed.connect(1, whole.Hash())
	root := whole.Layout().Files[0].Root
	const asks = 12
	open, reading := 0, []uint32(nil)
	given := 0
	take := func(actions []Action) {
		given += len(sent(actions, wire.Hashes))
		open -= len(sent(actions, wire.Hashes)) + len(sent(actions, wire.HashReject))
		for _, a := range actions {
			if a.Kind == HashBlocks {
				reading = append(reading, a.Ref.Piece)
			}
		}
	}
	for i := range uint32(asks) {
		open++
		r := wire.HashRange{Root: root, Index: i % 4 * 2, Length: 2}
		take(seed.says(1, wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, r)}))
	}
	for i := 0; len(reading) > 0; i++ {
		e := Event{Kind: Hashed}
		e.Ref.Piece = reading[0]
		if i%2 == 0 {
			e.Hashes = make([]metainfo.Hash256, 2)
		}
		reading = reading[1:]
		take(seed.step(e))
		out := given
		given = 0
		take(seed.step(Event{Kind: Answered, Peer: 1, Count: out}))
	}
	if open != 0 {
		t.Errorf("%d of %d requests have no answer", open, asks)
	}
}

// TestJunkEndsTheConnection: a peer that has sent a MiB of useless bytes is dropped,
// whatever they are. A peer that has sent less stays.
func TestJunkEndsTheConnection(t *testing.T) {
	large := func(ext uint8, payload []byte) wire.Message {
		return wire.Message{ID: wire.Extended, Ext: ext, Payload: payload, Size: 60_000}
	}
	unasked := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataData,
		Data: make([]byte, 100)})
	for name, v := range map[string]wire.Message{
		"extension of unknown number": large(99, nil),
		"unknown id":                  {ID: 200, Size: 60_000},
		"keep-alives":                 {ID: wire.KeepAlive, Size: 60_000},
		"unasked metadata":            large(uint8(wire.ExtMetadata), unasked),
		"metadata of unknown type": large(uint8(wire.ExtMetadata),
			[]byte("d8:msg_typei9e5:piecei0ee")),
		"extension handshakes": large(0, []byte("d1:v3:abce")),
		"the same have":        {ID: wire.Have, Size: 60_000},
		"ports":                {ID: wire.Port, Port: 1, Size: 60_000},
		"interest":             {ID: wire.NotInterested, Size: 60_000},
		"cancels":              {ID: wire.Cancel, Size: 60_000},
		"suggestions":          {ID: wire.Suggest, Size: 60_000},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, 0)
			sent := 0
			for ; sent < 2*vainMax; sent += 60_000 {
				a.message(1, v)
				if why, gone := a.dropped(1); gone {
					if why != ReasonJunk {
						t.Errorf("dropped for %v, want %v", why, ReasonJunk)
					}
					break
				}
			}
			if sent < vainMax/60_000*60_000 || sent > vainMax+60_000 {
				t.Errorf("dropped after %d bytes, want about %d", sent, vainMax)
			}
		})
	}
}

// TestCostlyJunkEndsSooner: under a download limit little is read of peers that send
// junk, so that less of it is enough.
func TestCostlyJunkEndsSooner(t *testing.T) {
	a := newAttack(t, 0)
	for sent := 0; sent < vainMax/4; sent += 16 << 10 {
		a.message(1, wire.Message{ID: 200, Size: 16 << 10, Costly: true})
		if why, gone := a.dropped(1); gone {
			if why != ReasonJunk {
				t.Error("dropped: ", why)
			}
			return
		}
	}
	t.Error("not dropped")
}

// TestJunkBetweenBlocks: a block that was asked for makes up for what came before.
func TestJunkBetweenBlocks(t *testing.T) {
	a := newAttack(t, 0)
	for range 20 {
		for range 10 {
			a.message(1, wire.Message{ID: 200, Size: 100_000})
		}
		r, ok := a.open()
		if !ok {
			t.Fatal("nothing is asked for")
		}
		a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: r})
		a.event(Event{Kind: Verified, Ref: r})
		if why, gone := a.dropped(1); gone {
			t.Fatal("dropped: ", why)
		}
	}
}

// TestHonestTalkIsNotJunk: what an honest peer says for days is never too much:
// HAVEs, its peers, requests that are answered, and a little of everything else.
func TestHonestTalkIsNotJunk(t *testing.T) {
	a, _ := newMetadataSeed(t)
	pieces := uint32(a.info.Layout().Pieces())
	peers := pexOf(wire.PEXMax)
	const hours = 5 * 24
	sent := int64(0)
	say := func(m wire.Message) {
		a.message(1, m)
		sent += int64(m.Size)
		if why, gone := a.dropped(1); gone {
			t.Fatalf("dropped after %d bytes: %v", sent, why)
		}
	}
	for minute := range hours * 60 {
		a.now = a.now.Add(time.Minute)
		a.event(Event{Kind: Tick})
		say(wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtPEX), Payload: peers,
			Size: 6 + len(peers)})
		say(wire.Message{ID: wire.Have, Ref: refOf(uint32(minute) % (pieces - 1)), Size: 9})
		for _, id := range []wire.ID{wire.Interested, wire.NotInterested, wire.Interested,
			wire.NotInterested} {
			say(wire.Message{ID: id, Size: 5})
		}
	}
	if sent < 2*vainMax {
		t.Fatalf("only %d bytes were said", sent)
	}
}

// pexOf returns a PEX message that adds count peers.
func pexOf(count int) []byte {
	var m wire.PEX
	for i := range count {
		m.Added = append(m.Added, wire.PEXPeer{Addr: benchAddr(1000 + i)})
	}
	return wire.AppendPEX(nil, m)
}

func refOf(piece uint32) block.Ref { return block.Ref{Piece: piece} }
