package core

import (
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

const (
	// hashServeRate is how many ranges of hashes one peer is given a second:
	// 4 MiB of them, the layers of half a terabyte. Beyond it requests are
	// rejected.
	hashServeRate = 256
	// servingMax bounds the requests for hashes of blocks that wait for their
	// pieces to be read, and servingPeer those of one peer among them. They
	// are read one after the other.
	servingMax  = 16
	servingPeer = 2
)

// A hashServe is a request for hashes of blocks, which are not kept: the pieces
// have to be read for it.
type hashServe struct {
	peer      PeerRef
	hashRange metainfo.HashRange
	leaves    map[int][]metainfo.Hash256 // by piece; none of those that cannot be read
	reading   int                        // the piece that is awaited
}

// onHashRequest queues a request, or rejects it: each gets one answer (BEP 52,
// "hash reject").
func (t *Torrent) onHashRequest(p *peer, r metainfo.HashRange) {
	a := &p.answer
	if !p.v2 || t.pick == nil || p.hashes.given >= hashServeRate || len(a.hashes) >= hashQueueMax {
		p.flood.pointless()
		t.rejectHashes(p, r)
		return
	}
	p.hashes.given++
	if !t.layout.HasHashRange(r) {
		t.rejectHashes(p, r)
		t.strike(p, strikeRequest)
		return
	}
	p.flood.sound()
	a.hashes = append(a.hashes, r)
	t.pumpAnswers(p)
}

// answerHashes answers a request whose turn has come, has its pieces read first, or
// rejects it.
func (t *Torrent) answerHashes(p *peer, r metainfo.HashRange) {
	s := hashServe{peer: p.ref, hashRange: r}
	if t.giveHashes(p, &s) < 0 {
		return
	}
	if len(t.serving) >= servingMax || p.answer.reading >= servingPeer {
		t.rejectHashes(p, r)
		return
	}
	p.answer.reading++
	t.serving = append(t.serving, s)
	if len(t.serving) == 1 {
		t.serveHashes()
	}
}

func (t *Torrent) rejectHashes(p *peer, r metainfo.HashRange) {
	t.out.send(p, wire.Message{ID: wire.HashReject, Payload: wire.AppendHashRange(nil,
		wire.HashRange(r))})
}

// giveHashes answers a request for good and returns -1, or
// returns the piece that has to be read first.
func (t *Torrent) giveHashes(p *peer, s *hashServe) (unread int) {
	unread = -1
	answer, ok := t.layout.AppendHashes(wire.AppendHashRange(nil, wire.HashRange(s.hashRange)),
		s.hashRange,
		func(piece int) ([]metainfo.Hash256, bool) {
			if leaves, ok := s.leaves[piece]; ok {
				return leaves, leaves != nil
			}
			if t.pick.State(uint32(piece)) == picker.Have && unread < 0 {
				unread = piece
			}
			return nil, false
		})
	switch {
	case ok:
		t.answer(p, wire.Message{ID: wire.Hashes, Payload: answer}, nil)
	case unread >= 0:
		return unread
	default:
		t.rejectHashes(p, s.hashRange)
	}
	return -1
}

// serveHashes has the next piece read for the first request in the queue.
func (t *Torrent) serveHashes() {
	for len(t.serving) > 0 {
		s := &t.serving[0]
		if p := t.peers.live(s.peer); p != nil {
			if piece := t.giveHashes(p, s); piece >= 0 {
				s.reading = piece
				t.out.do(Action{Kind: HashBlocks, Ref: block.Ref{Piece: uint32(piece)}})
				return
			}
			p.answer.reading--
		}
		t.serving = slices.Delete(t.serving, 0, 1)
	}
}

// onHashed takes in the hashes of the blocks of a piece; none if it could not
// be read.
func (t *Torrent) onHashed(piece uint32, hashes []metainfo.Hash256) {
	if !t.validPiece(piece) {
		return
	}
	t.blameByCopy(piece, hashes)
	if len(t.serving) == 0 || t.serving[0].reading != int(piece) {
		return
	}
	s := &t.serving[0]
	if s.leaves == nil {
		s.leaves = map[int][]metainfo.Hash256{}
	}
	if len(hashes) == 0 {
		hashes = nil
	}
	s.leaves[int(piece)] = hashes
	t.serveHashes()
	for _, p := range t.peers.all() {
		t.pumpAnswers(p)
	}
}

// dropHashServing forgets the requests of a peer that is gone, but for the one
// whose piece is being read.
func (t *Torrent) dropHashServing(ref PeerRef) {
	if len(t.serving) > 1 {
		rest := slices.DeleteFunc(t.serving[1:], func(s hashServe) bool { return s.peer == ref })
		t.serving = t.serving[:1+len(rest)]
	}
}
