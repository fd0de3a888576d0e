package core

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/wire"
)

const (
	// metadataPeers is how many peers send the metadata at the same time, each
	// all of it: who lies cannot spoil what others send.
	metadataPeers = 4
	// metadataTurn is how long a peer that sends keeps others from beginning, and
	// only those that claim as much or more: a liar can claim that there is much,
	// and be slow, but not both at the cost of who is honest.
	metadataTurn = time.Second / 2
	// metadataBytesMax bounds what is kept of all peers together.
	metadataBytesMax = 4 * wire.MetadataSizeMax
	// metadataProbes is how many more are asked for a first block.
	metadataProbes = 8
	// metadataAsks is how many blocks one peer is asked for at a time.
	metadataAsks = 4
	// metadataStall is how long a peer may leave a request before it no longer
	// keeps others from being asked.
	metadataStall = time.Second / 2
	// metadataAgain is how long until a silent peer is given up, and left alone
	// like one that rejected.
	metadataAgain = 20 * time.Second
	// metadataRejected is how long a peer that rejected is left alone.
	metadataRejected = 60 * time.Second
	// metadataWrongMax is how often an address may send a wrong dictionary.
	metadataWrongMax = 2
	// metadataServeSpare bounds, with three times the blocks that there are,
	// how many blocks one peer gets. Beyond it requests are rejected.
	metadataServeSpare = 64
)

// metadata is the search for the info dictionary (BEP 9).
type metadata struct {
	done bool // it is there: nothing more is asked for
}

// metaSource is what one peer sends of the dictionary that it claims to have,
// and what it was sent.
type metaSource struct {
	size  int64     // as claimed when we began; 0 when we have not
	data  []byte    // grows with the blocks that come: data[:have end]
	have  *bits.Set // blocks
	asked *bits.Set // blocks asked for, and not answered
	began time.Duration
	last  time.Duration
	until time.Duration // not to be asked before
	wrong int           // dictionaries with a wrong hash
	given int           // blocks that it was sent
}

// active reports whether the peer is sending.
func (s *metaSource) active() bool { return s.asked != nil && !s.asked.None() }

// stop forgets what has come, and asks no more for a while.
func (s *metaSource) stop(until time.Duration) {
	s.size, s.data, s.have, s.asked, s.until = 0, nil, nil, nil, until
}

// wantsMetadata reports whether the info dictionary is still to be found.
func (t *Torrent) wantsMetadata() bool {
	return t.pick == nil && t.standing.awaitsInfo() && !t.meta.done
}

// askMetadata asks peers for blocks of the dictionary, and gives up those who
// do not answer.
func (t *Torrent) askMetadata() {
	if !t.wantsMetadata() {
		return
	}
	probing := 0
	var fresh []*peer
	for _, p := range t.peers.all() {
		s := &p.meta
		if s.active() && t.now-s.last >= metadataAgain {
			s.stop(t.now + metadataRejected)
		}
		switch {
		case s.active():
			if s.have.None() && t.now-s.last < metadataStall {
				probing++
			}
		case !t.offersMetadata(p):
		case s.have != nil && !s.have.None():
			t.askBlocks(p, metadataAsks)
		default:
			fresh = append(fresh, p)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *peer) int {
		return cmp.Compare(a.ext.metadataSize, b.ext.metadataSize)
	})
	for _, p := range fresh {
		if probing < metadataProbes && t.metadataSenders(p.ext.metadataSize) < metadataPeers {
			probing++
			t.begin(p)
		}
	}
	for _, p := range t.peers.all() {
		if p.meta.active() {
			t.timers.by(timerMetadata, t.now+metadataStall)
		}
		if p.meta.until > t.now && p.ext.metadataSize > 0 {
			t.timers.by(timerMetadata, p.meta.until)
		}
	}
}

// metadataSenders counts the peers whose turn it is to send a dictionary of at
// most the given size.
func (t *Torrent) metadataSenders(size int64) int {
	n := 0
	for _, p := range t.peers.all() {
		s := &p.meta
		if s.active() && !s.have.None() && s.size <= size && t.now-s.last < metadataStall &&
			t.now-s.began < metadataTurn {
			n++
		}
	}
	return n
}

// boundMetadata gives up what was sent of the largest dictionary, as long as
// there is too much in all.
func (t *Torrent) boundMetadata() {
	for {
		var largest *peer
		total := 0
		for _, p := range t.peers.all() {
			total += len(p.meta.data)
			if len(p.meta.data) > 0 && (largest == nil || p.meta.size > largest.meta.size) {
				largest = p
			}
		}
		if int64(total) <= t.cfg.Limits.MetadataMax {
			return
		}
		largest.meta.stop(t.now + metadataRejected)
	}
}

// offersMetadata reports whether p can be asked.
func (t *Torrent) offersMetadata(p *peer) bool {
	return p.ext.numbers.Has(wire.ExtMetadata) && t.now >= p.meta.until &&
		wire.MetadataPieces(p.ext.metadataSize) > 0
}

// begin asks p for the first block of the dictionary whose size it claims.
func (t *Torrent) begin(p *peer) {
	s := &p.meta
	s.size, s.began = p.ext.metadataSize, t.now
	blocks := wire.MetadataPieces(s.size)
	s.have, s.asked, s.data = bits.New(blocks), bits.New(blocks), nil
	t.askBlocks(p, 1)
}

// askBlocks fills up the requests to p, in order.
func (t *Torrent) askBlocks(p *peer, most int) {
	s := &p.meta
	for i := s.have.NextMissing(0); i >= 0 && s.asked.Count() < most; i = s.have.NextMissing(i +
		1) {
		if s.asked.Add(i) {
			t.sendMetadata(p, wire.Metadata{Type: wire.MetadataRequest, Piece: uint32(i)})
		}
	}
	s.last = t.now
}

func (t *Torrent) sendMetadata(p *peer, m wire.Metadata) {
	if n := p.ext.numbers.Number(wire.ExtMetadata); n != 0 {
		t.out.sendExtended(p, n, wire.AppendMetadata(nil, m))
	}
}

func (t *Torrent) onMetadata(p *peer, m *wire.Metadata) {
	switch m.Type {
	case wire.MetadataRequest:
		t.onMetadataRequest(p, m.Piece)
	case wire.MetadataData:
		t.onMetadataBlock(p, m)
	case wire.MetadataReject:
		if p.meta.active() {
			p.meta.stop(t.now + metadataRejected)
			t.askMetadata()
		}
	default: // BEP 9: unrecognized types are to be ignored
		p.flood.pointless()
	}
}

// onMetadataBlock takes in a block that p was asked for. Blocks come in order,
// but for those of one row of requests; a peer that leaves gaps gets no further.
func (t *Torrent) onMetadataBlock(p *peer, m *wire.Metadata) {
	s := &p.meta
	if !t.wantsMetadata() || s.asked == nil || !s.asked.Has(int(m.Piece)) {
		p.flood.pointless()
		return
	}
	begin := int64(m.Piece) * wire.MetadataBlock
	length := min(wire.MetadataBlock, s.size-begin)
	if int64(len(m.Data)) != length { // total_size does not matter: the hash judges the whole
		t.wrongMetadata(p)
		return
	}
	if end := int(begin + length); len(s.data) < end {
		s.data = append(s.data, make([]byte, end-len(s.data))...)
	}
	copy(s.data[begin:], m.Data)
	p.flood.useful()
	s.asked.Remove(int(m.Piece))
	s.have.Add(int(m.Piece))
	if !s.have.All() {
		t.askBlocks(p, metadataAsks)
		t.boundMetadata()
		return
	}
	if !t.isMetadata(s.data) {
		t.wrongMetadata(p)
		return
	}
	info := s.data
	t.standing.open()
	t.meta.done = true
	t.endMetadata()
	t.out.do(Action{Kind: UseInfo, Info: info})
}

// isMetadata reports whether data has every hash that the torrent is named by:
// SHA-1 (BEP 3), SHA-256, or that cut to 20 bytes (BEP 52).
func (t *Torrent) isMetadata(data []byte) bool {
	v1, v2 := metainfo.Hash(sha1.Sum(data)), metainfo.Hash256(sha256.Sum256(data))
	if t.cfg.HashV2 != (metainfo.Hash256{}) && v2 != t.cfg.HashV2 {
		return false
	}
	return v1 == t.cfg.InfoHash || v2.Short() == t.cfg.InfoHash
}

// wrongMetadata records that what p sent cannot be, or was not, the metadata.
func (t *Torrent) wrongMetadata(p *peer) {
	p.meta.stop(t.now)
	if p.meta.wrong++; p.meta.wrong >= metadataWrongMax {
		t.dropAndBan(p, ReasonBadMetadata)
	}
	t.askMetadata()
}

// leaveMetadata frees what a peer that is gone had sent, for others to be
// asked.
func (t *Torrent) leaveMetadata(p *peer) {
	if p.meta.active() {
		p.meta.stop(never)
		t.timers.by(timerMetadata, t.now)
	}
}

// endMetadata frees what all peers have sent.
func (t *Torrent) endMetadata() {
	for _, p := range t.peers.all() {
		p.meta.stop(never)
	}
}

// onMetadataRequest queues a request for a block of the info dictionary, or rejects
// it.
func (t *Torrent) onMetadataRequest(p *peer, piece uint32) {
	blocks := 0
	if t.info != nil {
		blocks = wire.MetadataPieces(int64(len(t.info.Raw())))
	}
	a := &p.answer
	if int64(piece) >= int64(blocks) || p.meta.given >= 3*blocks+metadataServeSpare ||
		len(a.metadata) >= max(metadataQueueMax, blocks) {
		if t.info != nil {
			p.flood.pointless()
		}
		t.sendMetadata(p, wire.Metadata{Type: wire.MetadataReject, Piece: piece})
		return
	}
	p.meta.given++
	p.flood.sound()
	a.metadata = append(a.metadata, piece)
	t.pumpAnswers(p)
}

// answerMetadata sends a block of the info dictionary, to a peer that takes such
// messages at all. Its bytes are those of the dictionary itself.
func (t *Torrent) answerMetadata(p *peer, piece uint32) {
	number := p.ext.numbers.Number(wire.ExtMetadata)
	if number == 0 {
		return
	}
	raw := t.info.Raw()
	begin := int(piece) * wire.MetadataBlock
	head := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataData, Piece: piece,
		TotalSize: int64(len(raw))})
	t.answer(p, wire.Message{ID: wire.Extended, Ext: number, Payload: head},
		raw[begin:min(begin+wire.MetadataBlock, len(raw))])
}
