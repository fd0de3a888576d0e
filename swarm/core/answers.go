package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/hashes"
	"swarmnode/swarm/wire"
)

const (
	// answersAhead is how many answers to one peer are with its writer: as many as the
	// window of a slow peer has blocks.
	answersAhead = 4
	// metadataQueueMax bounds how many requests of one peer for blocks of the metadata
	// wait. If there are more blocks than that, as many may wait as there are blocks:
	// some clients ask for all of them at once.
	metadataQueueMax = 64
	// metadataSpare is how many blocks of the metadata one peer gets after it has had
	// each three times. Further requests are rejected.
	metadataSpare = 64
	// hashQueueMax bounds how many requests of one peer for hashes wait.
	hashQueueMax = 64
	// hashRate is how many ranges of hashes one peer gets a second: 4 MiB of hashes,
	// the layers of half a terabyte. Further requests are rejected.
	hashRate = 256
)

// answering holds the requests of one peer for metadata and hashes that are not
// answered yet, oldest first. A request that waits is a number; its answer is made
// when the writer has room for it.
type answering struct {
	metadata []uint32
	hashes   []metainfo.HashRange
	flying   int  // answers with the writer
	turn     bool // the last answer was one of hashes
	blocks   int  // blocks of metadata that were granted
	ranges   int  // ranges of hashes that were granted since the last sweep
}

// A question is a request whose turn has come: for hashes, or for a block of metadata.
type question struct {
	hashes    bool
	hashRange metainfo.HashRange
	block     uint32
}

// queueMetadata queues a request for a block of the metadata. blocks is the number of blocks
// in all. It reports whether the block exists and there is room for the request.
func (a *answering) queueMetadata(block uint32, blocks int) bool {
	if int64(block) >= int64(blocks) || a.blocks >= 3*blocks+metadataSpare ||
		len(a.metadata) >= max(metadataQueueMax, blocks) {
		return false
	}
	a.blocks++
	a.metadata = append(a.metadata, block)
	return true
}

// mayQueueHashes reports whether there is room for a request for hashes, and counts the
// request.
func (a *answering) mayQueueHashes() bool {
	if a.ranges >= hashRate || len(a.hashes) >= hashQueueMax {
		return false
	}
	a.ranges++
	return true
}

// queueHashes queues a request for hashes, for which there is room.
func (a *answering) queueHashes(r metainfo.HashRange) { a.hashes = append(a.hashes, r) }

// next takes the next request out of the queue, if the writer has room for its answer.
// waiting counts the requests that were taken out earlier and wait for pieces to be read.
// Metadata and hashes take turns.
func (a *answering) next(waiting int) (q question, ok bool) {
	if a.flying+waiting >= answersAhead || len(a.metadata)+len(a.hashes) == 0 {
		return question{}, false
	}
	a.turn = !a.turn
	if len(a.metadata) == 0 || a.turn && len(a.hashes) > 0 {
		q = question{hashes: true, hashRange: a.hashes[0]}
		a.hashes = a.hashes[:copy(a.hashes, a.hashes[1:])]
		return q, true
	}
	q = question{block: a.metadata[0]}
	a.metadata = a.metadata[:copy(a.metadata, a.metadata[1:])]
	return q, true
}

// handed records that an answer is with the writer.
func (a *answering) handed() { a.flying++ }

// sent records that the writer is done with some answers, and reports whether there were
// any.
func (a *answering) sent(count int) bool {
	count = min(max(count, 0), a.flying)
	a.flying -= count
	return count > 0
}

// sweep is called once a second.
func (a *answering) sweep() { a.ranges = 0 }

// check panics when a bound is passed.
func (a *answering) check() {
	if a.flying < 0 || a.flying > answersAhead || len(a.hashes) > hashQueueMax ||
		len(a.metadata) > wire.MetadataPieces(wire.MetadataSizeMax) {
		panic("core: the count of answers is wrong")
	}
}

// answers answers requests of peers for metadata and hashes.
type answers struct {
	peers  *peerTable
	out    *outbox
	raw    []byte           // the info dictionary; nil until it is known
	layout *metainfo.Layout // nil until the metadata is known
	server hashes.Server
}

// init sets what answers needs of the rest of the torrent.
func (a *answers) init(peers *peerTable, out *outbox) { a.peers, a.out = peers, out }

// open begins to answer from the metadata, and from the pieces in have.
func (a *answers) open(info *metainfo.Info, have *bits.Set) {
	a.raw, a.layout = info.Raw(), info.Layout()
	a.server.Begin(a.layout, have.Has, wire.HashRangeSize)
}

// leave forgets what a peer has asked for.
func (a *answers) leave(ref PeerRef) { a.server.Leave(uint32(ref)) }

// askedMetadata queues a request for a block of the info dictionary, or rejects it.
func (a *answers) askedMetadata(p *peer, block uint32) {
	blocks := wire.MetadataPieces(int64(len(a.raw)))
	if p.answer.queueMetadata(block, blocks) {
		p.flood.sound()
		a.pump(p)
		return
	}
	if a.raw != nil {
		p.flood.pointless()
	}
	a.out.sendMetadata(p, wire.Metadata{Type: wire.MetadataReject, Piece: block})
}

// askedHashes queues a request for hashes, or rejects it: each gets one answer (BEP 52,
// "hash reject"). It reports false if the torrent has no such range.
func (a *answers) askedHashes(p *peer, r metainfo.HashRange) (sound bool) {
	if a.layout == nil || !p.answer.mayQueueHashes() {
		p.flood.pointless()
		a.out.rejectHashes(p, r)
		return true
	}
	if !a.layout.HasHashRange(r) {
		a.out.rejectHashes(p, r)
		return false
	}
	p.flood.sound()
	p.answer.queueHashes(r)
	a.pump(p)
	return true
}

// rejectHashes queues a reject of a request for hashes.
func (o *outbox) rejectHashes(p *peer, r metainfo.HashRange) {
	o.send(p, wire.Message{ID: wire.HashReject,
		Payload: wire.AppendHashRange(nil, wire.HashRange(r))})
}

// pump makes answers for p as long as its writer has room for them.
func (a *answers) pump(p *peer) {
	for !p.gone {
		q, ok := p.answer.next(a.server.Waits(uint32(p.ref)))
		switch {
		case !ok:
			return
		case q.hashes:
			a.reply(a.server.Answer(uint32(p.ref), q.hashRange))
		default:
			a.sendBlock(p, q.block)
		}
	}
}

// sendBlock sends a block of the info dictionary, unless p takes no such messages any more.
// Its bytes are those of the dictionary itself.
func (a *answers) sendBlock(p *peer, block uint32) {
	number := p.ext.number(wire.ExtMetadata)
	if number == 0 {
		return
	}
	begin := int(block) * wire.MetadataBlock
	head := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataData, Piece: block,
		TotalSize: int64(len(a.raw))})
	p.answer.handed()
	a.out.answer(p, wire.Message{ID: wire.Extended, Ext: number, Payload: head},
		a.raw[begin:min(begin+wire.MetadataBlock, len(a.raw))])
}

// reply carries out what becomes of a request for hashes.
func (a *answers) reply(r hashes.Reply) {
	if r.Outcome == hashes.Reading {
		a.out.do(Action{Kind: HashBlocks, Ref: block.Ref{Piece: uint32(r.Piece)}})
	}
	p := a.peers.live(PeerRef(r.Peer))
	if p == nil {
		return
	}
	switch r.Outcome {
	case hashes.Refused:
		a.out.rejectHashes(p, r.Range)
	case hashes.Answered:
		wire.AppendHashRange(r.Answer[:0], wire.HashRange(r.Range)) // into the headroom
		p.answer.handed()
		a.out.answer(p, wire.Message{ID: wire.Hashes, Payload: r.Answer}, nil)
	}
}

// hashed goes on with the request that waited for the hashes of the blocks of a piece. There
// are none if the piece could not be read.
func (a *answers) hashed(piece uint32, leaves []metainfo.Hash256) {
	if !a.server.Hashed(int(piece), leaves) {
		return
	}
	for r, ok := a.server.Next(); ok; r, ok = a.server.Next() {
		a.reply(r)
	}
	for _, p := range a.peers.all() {
		a.pump(p)
	}
}

// check panics when an invariant does not hold.
func (a *answers) check() { a.server.Check() }

// sent records that the writer of a peer is done with some answers.
func (a *answers) sent(ref PeerRef, count int) {
	if p := a.peers.live(ref); p != nil {
		if p.answer.sent(count) {
			a.out.wrote(p)
		}
		a.pump(p)
	}
}
