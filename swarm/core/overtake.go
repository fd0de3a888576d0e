package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

// overtakeSpare is by how much more than half a peer must be slower than another
// to be overtaken in the endgame: what a cancel takes to arrive.
const overtakeSpare = time.Second

// worthy tells whether p may overtake others: it has proved itself, or nobody
// has.
func (t *Torrent) worthy(p *peer) bool {
	proven := func(q *peer) bool { return !q.trust.onProbation() && q.interesting && !q.choking }
	return proven(p) || !slices.ContainsFunc(t.peers.list, proven)
}

// mayOvertake tells whether the peer is so much slower than the one that is
// being asked that its blocks are worth asking for twice.
func (t *Torrent) mayOvertake(ref uint32) bool {
	other := t.peers.live(PeerRef(ref))
	if other == nil {
		return true
	}
	return t.slower(other, other.ask.live, 1)
}

// mayReplacePiece tells whether the peer is so much slower with what it lacks of a
// piece than the one that is being asked would be with all of it.
func (t *Torrent) mayReplacePiece(ref uint32, lacks, all int) bool {
	other := t.peers.live(PeerRef(ref))
	return other == nil || t.slower(other, lacks, all)
}

// slower tells whether other takes more than twice as long for so many blocks
// as the peer that is being asked takes for its own.
func (t *Torrent) slower(other *peer, theirBlocks, myBlocks int) bool {
	mine := time.Second
	if rate := t.asking.down.recent(t.now); rate > 0 {
		mine = wait(rate, myBlocks)
	}
	// Of a peer from which nothing comes it is taken that nothing will come for
	// some times as long again.
	theirs := 4 * (t.now - other.ask.moved)
	if rate := other.down.recent(t.now); rate > 0 {
		theirs = wait(rate, theirBlocks)
	}
	return theirs > 2*mine+overtakeSpare
}

// wait estimates how long n blocks take at a rate in bytes per second.
func wait(rate int64, n int) time.Duration {
	return time.Duration(float64(n*block.Size) / float64(rate) * float64(time.Second))
}
