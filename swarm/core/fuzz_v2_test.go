package core

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// A chaosV2 is what a chaos has more if its torrent has hash trees. A nil one
// does nothing.
type chaosV2 struct {
	whole   *metainfo.Info // with all piece layers
	content []byte
	asked   map[PeerRef][][]byte // ranges that peers were asked for
	hashing []uint32             // pieces whose blocks the driver must hash
}

func (v *chaosV2) greet(hello *wire.Hello, how int) {
	hello.InfoHash = v.whole.Hash()
	if long, _ := v.whole.HashV2(); how%3 > 0 {
		hello.InfoHash = long.Short()
	}
	if how%2 > 0 {
		hello.Reserved = hello.Reserved.With(wire.FeatureV2)
	}
}

func (v *chaosV2) carryOut(a *Action) {
	switch {
	case v == nil:
	case a.Kind == HashBlocks:
		v.hashing = append(v.hashing, a.Ref.Piece)
	case a.Kind == Send && a.Msg.ID == wire.HashRequest:
		v.asked[a.Peer] = append(v.asked[a.Peer], slices.Clone(a.Msg.Payload))
	}
}

// leaves returns the right hashes of the blocks of a piece.
func (v *chaosV2) leaves(piece int) ([]metainfo.Hash256, bool) {
	l := v.whole.Layout()
	at := l.PieceOffset(piece)
	return metainfo.BlockHashes(v.content[at : at+int64(l.PieceSize(piece))]), true
}

// blocks returns hashes of the blocks of a piece, those that mask has being
// wrong.
func (v *chaosV2) blocks(piece, mask int) []metainfo.Hash256 {
	if v == nil || mask >= 0x80 {
		return nil
	}
	hashes, _ := v.leaves(piece)
	for i := range hashes {
		if mask>>i&1 != 0 {
			hashes[i][0]++
		}
	}
	return hashes
}

// answer is what an honest peer, or one that lies, sends for a range.
func (v *chaosV2) answer(payload []byte, lie bool) wire.Message {
	r, _, err := wire.ParseHashRange(payload)
	if err != nil {
		return wire.Message{ID: wire.HashReject, Payload: payload}
	}
	answer, ok := v.whole.Layout().AppendHashes(slices.Clone(payload), metainfo.HashRange(r),
		v.leaves)
	if !ok {
		return wire.Message{ID: wire.HashReject, Payload: payload}
	}
	if lie {
		answer[len(answer)-1]++
	}
	return wire.Message{ID: wire.Hashes, Payload: answer}
}

// hashes has a peer answer for a range, or say something about one that nobody
// asked it for, or a piece be hashed.
func (c *chaos) hashes() {
	v, ref := c.v2, c.peer()
	if v == nil {
		return
	}
	how := c.byte()
	if n := len(v.hashing); n > 0 && how%4 == 0 {
		piece := v.hashing[0]
		v.hashing = v.hashing[1:]
		c.step(Event{Kind: Hashed, Ref: block.Ref{Piece: piece},
			Hashes: v.blocks(int(piece), c.byte())})
		return
	}
	asked := v.asked[ref]
	payload := wire.AppendHashRange(nil, wire.HashRange{
		Root: v.whole.Layout().Files[0].Root, Base: uint32(c.byte() % 8), Index: uint32(c.byte()),
		Length: 1 << (c.byte() % 8), Proof: uint32(c.byte() % 8),
	})
	if len(asked) > 0 && how%8 < 6 {
		payload, v.asked[ref] = asked[0], asked[1:]
	}
	m := v.answer(payload, how%8 == 5)
	switch how % 16 {
	case 1:
		m = wire.Message{ID: wire.HashReject, Payload: payload}
	case 7:
		m = wire.Message{ID: wire.HashRequest, Payload: payload}
	}
	c.step(Event{Kind: Received, Peer: ref, Msg: m})
}

// honestHashes answers what an honest seed was asked for, and hashes pieces.
func (c *chaos) honestHashes(ref PeerRef) {
	v := c.v2
	if v == nil {
		return
	}
	for len(v.asked[ref]) > 0 {
		payload := v.asked[ref][0]
		v.asked[ref] = v.asked[ref][1:]
		c.step(Event{Kind: Received, Peer: ref, Msg: v.answer(payload, false)})
	}
	for len(v.hashing) > 0 {
		piece := v.hashing[0]
		v.hashing = v.hashing[1:]
		c.step(Event{Kind: Hashed, Ref: block.Ref{Piece: piece}, Hashes: v.blocks(int(piece), 0)})
	}
}

// FuzzTorrentV2 is FuzzTorrent for torrents with hash trees, which come without
// their piece layers, and with data from before.
func FuzzTorrentV2(f *testing.F) {
	const pieces, pieceLength = 20, 4 * block.Size
	var wholes []*metainfo.Info
	content := make([]byte, pieces*pieceLength-5000)
	rand.NewChaCha8([32]byte{3}).Read(content)
	path := filepath.Join(f.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.Fatal(err)
	}
	for _, kind := range []metainfo.Kind{metainfo.V2, metainfo.Hybrid} {
		torrent, err := metainfo.Build(f.Context(),
			metainfo.BuildOptions{Path: path, Kind: kind, PieceLength: pieceLength})
		if err != nil {
			f.Fatal(err)
		}
		wholes = append(wholes, torrent.Info())
	}
	f.Add(uint64(0), []byte("peers tell hashes, or reject, or lie, while blocks come and "+
		"pieces fail"))
	f.Add(uint64(7), []byte{0, 1, 3, 1, 0, 1, 0, 1, 19, 0, 2, 14, 9, 3, 0, 0, 3, 0, 0, 3, 0, 0,
		3, 0, 0, 9, 0, 2, 19, 0, 2})
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		if len(script) > 4096 {
			return
		}
		whole := wholes[seed%2]
		bare, err := metainfo.ParseInfo(whole.Raw()) // layers become known
		if err != nil {
			t.Fatal(err)
		}
		c := &chaos{
			t: t, now: time.Unix(1, 0), script: script,
			open: map[PeerRef]bool{}, dropped: map[PeerRef]bool{}, asked: map[PeerRef][]block.Ref{},
			answers: newReplies(),
			v2:      &chaosV2{whole: whole, content: content, asked: map[PeerRef][][]byte{}},
		}
		long, _ := whole.HashV2()
		c.torrent = New(c.now, Config{
			InfoHash: whole.Hash(), HashV2: long, PeerID: [20]byte{8}, Seed: seed,
			Limits: Limits{PeersMax: 6, RequestsMax: 40, SlotsMax: 3},
		})
		ready := Event{Kind: InfoReady, Info: bare}
		switch some := bits.New(pieces); {
		case seed%8 >= 6:
			for piece := range pieces {
				if piece%3 > 0 {
					some.Add(piece)
				}
			}
			if whole.Kind() == metainfo.V2 {
				ready.Late = some
			} else {
				ready.Have = some
			}
		case seed%8 >= 4:
			ready.Info = whole // as from a .torrent file
		}
		c.step(ready)
		for len(c.script) > 0 {
			c.event()
		}
		c.settle()
		c.finish()
	})
}
