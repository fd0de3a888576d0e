package core

import (
	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

const (
	// answersAhead is how many answers of one peer are with its writer: as much as
	// the window of a slow peer has in blocks.
	answersAhead = 4
	// metadataQueueMax bounds the requests of one peer for blocks of the metadata
	// that wait, or as many as there are: some clients ask for all of them at once.
	metadataQueueMax = 64
	// hashQueueMax bounds the requests of one peer for hashes that wait.
	hashQueueMax = 64
)

// answering are the requests of one peer for metadata and hashes that were not
// answered yet, oldest first. A request that waits is a number; its answer is made
// when there is room for it with the writer.
type answering struct {
	metadata []uint32
	hashes   []metainfo.HashRange
	flying   int  // answers with the writer
	reading  int  // requests in t.serving
	turn     bool // whose turn it is: that of the hashes
}

// pumpAnswers makes answers for p as long as its writer has room for them.
func (t *Torrent) pumpAnswers(p *peer) {
	a := &p.answer
	for a.flying+a.reading < answersAhead && len(a.metadata)+len(a.hashes) > 0 && !p.gone {
		a.turn = !a.turn
		if len(a.metadata) == 0 || a.turn && len(a.hashes) > 0 {
			r := a.hashes[0]
			a.hashes = a.hashes[:copy(a.hashes, a.hashes[1:])]
			t.answerHashes(p, r)
			continue
		}
		piece := a.metadata[0]
		a.metadata = a.metadata[:copy(a.metadata, a.metadata[1:])]
		t.answerMetadata(p, piece)
	}
}

// answer hands an answer to the writer. Its payload goes on with tail, which stays
// ours and does not change.
func (t *Torrent) answer(p *peer, m wire.Message, tail []byte) {
	p.answer.flying++
	t.out.answer(p, m, tail)
}

// onAnswered records that the writer is done with some answers.
func (t *Torrent) onAnswered(ref PeerRef, count int) {
	if p := t.peers.live(ref); p != nil {
		p.answer.flying -= min(max(count, 0), p.answer.flying)
		t.pumpAnswers(p)
	}
}
