package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

// overtakeSpare is by how much more than half a peer must be slower than another
// to be overtaken in the endgame: what a cancel takes to arrive.
const overtakeSpare = time.Second

// worthy reports whether p may overtake others: it has proved itself, or nobody
// has.
func (r *requests) worthy(p *peer) bool {
	proven := func(q *peer) bool {
		return !q.trust.onProbation() && q.interesting() && !q.ask.choking
	}
	return proven(p) || !slices.ContainsFunc(r.peers.all(), proven)
}

// mayOvertake reports whether the peer is so much slower than the one that is
// being asked that its blocks are worth asking for twice.
func (r *requests) mayOvertake(ref uint32) bool {
	other := r.peers.live(PeerRef(ref))
	if other == nil {
		return true
	}
	return r.slower(other, other.ask.live, 1, 1)
}

// replacedMax is how often the patience with the owner of a piece doubles.
const replacedMax = 16

// mayReplacePiece reports whether the peer is so much slower with what it lacks of a
// piece than the one that is being asked would be with all of it. Each time that
// the piece has changed hands before it takes twice the difference: if our own
// line is what is slow everybody looks so.
func (r *requests) mayReplacePiece(ref, piece uint32, lacks, all, times int) bool {
	other := r.peers.live(PeerRef(ref))
	if other != nil && !r.slower(other, lacks, all, 1<<min(times, replacedMax)) {
		return false
	}
	if other != nil {
		r.replaced = append(r.replaced, handed{other, piece})
	}
	return true
}

// handed is a piece that was taken from a peer.
type handed struct {
	from  *peer
	piece uint32
}

// cancelReplaced takes back what is still asked for of the pieces that others
// fetch now.
func (r *requests) cancelReplaced() {
	for _, h := range r.replaced {
		for i := range h.from.ask.open() {
			if o := &h.from.ask.open()[i]; o.ref.Piece == h.piece {
				r.cancel(h.from, o, r.now)
			}
		}
	}
	r.replaced = r.replaced[:0]
}

// slower reports whether other takes more than twice patience times as long for so
// many blocks as the peer that is being asked takes for its own.
func (r *requests) slower(other *peer, theirBlocks, myBlocks, patience int) bool {
	mine := time.Second
	if rate := r.asking.down.recent(r.now); rate > 0 {
		mine = wait(rate, myBlocks)
	}
	// A peer that has gone quiet is assumed to stay quiet four times as long again.
	theirs := 4 * (r.now - other.ask.moved)
	if rate := other.down.recent(r.now); rate > 0 {
		theirs = wait(rate, theirBlocks)
	}
	return theirs.Seconds() > 2*float64(patience)*mine.Seconds()+overtakeSpare.Seconds()
}

// wait estimates how long n blocks take at a rate in bytes per second.
func wait(rate int64, n int) time.Duration {
	return time.Duration(float64(n*block.Size) / float64(rate) * float64(time.Second))
}
