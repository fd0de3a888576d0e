package core

import (
	"slices"
	"time"

	"swarmnode/swarm/block"
)

// overtakeSpare is by how much a peer must be slower than twice the time of another one to
// be overtaken in the endgame: a cancel takes as long to arrive.
const overtakeSpare = time.Second

// worthy reports whether p may overtake others: it has proved itself, or no peer has.
func (r *requests) worthy(p *peer) bool {
	proven := func(q *peer) bool {
		return !q.trust.onProbation() && q.interesting() && !q.ask.choking
	}
	return proven(p) || !slices.ContainsFunc(r.peers.all(), proven)
}

// mayOvertake reports whether a peer is so much slower than asking that its blocks are
// worth a second request.
func (r *requests) mayOvertake(ref uint32) bool {
	other := r.peers.live(PeerRef(ref))
	if other == nil {
		return true
	}
	return r.slower(other, other.ask.live, 1, 1)
}

// replacedMax is how often the patience with the owner of a piece doubles.
const replacedMax = 16

// mayReplacePiece reports whether a peer would take so much longer for the blocks that it
// lacks of a piece than asking for all of them. lacks and all count the piece's blocks;
// times is how often it changed owner, and each time doubles the difference that it
// takes: if our own line is slow, every peer looks slow.
func (r *requests) mayReplacePiece(ref, piece uint32, lacks, all, times int) bool {
	other := r.peers.live(PeerRef(ref))
	if other != nil && !r.slower(other, lacks, all, 1<<min(times, replacedMax)) {
		return false
	}
	if other != nil {
		r.round.replaced = append(r.round.replaced, handed{other, piece})
	}
	return true
}

// handed is a piece that was taken from a peer.
type handed struct {
	from  *peer
	piece uint32
}

// cancelReplaced takes back the requests for pieces that another peer fetches now.
func (r *requests) cancelReplaced() {
	for _, h := range r.round.replaced {
		for i := range h.from.ask.unanswered() {
			if o := &h.from.ask.unanswered()[i]; o.ref.Piece == h.piece {
				r.cancel(h.from, o, r.round.now)
			}
		}
	}
	r.round.replaced = r.round.replaced[:0]
}

// slower reports whether other takes more than twice as long for its blocks as asking
// takes for its own; patience multiplies that.
func (r *requests) slower(other *peer, theirBlocks, myBlocks, patience int) bool {
	mine := time.Second
	if rate := r.round.asking.down.recent(r.round.now); rate > 0 {
		mine = wait(rate, myBlocks)
	}
	// A peer that has gone quiet is assumed to stay quiet four times as long again.
	theirs := 4 * (r.round.now - other.ask.moved)
	if rate := other.down.recent(r.round.now); rate > 0 {
		theirs = wait(rate, theirBlocks)
	}
	return theirs.Seconds() > 2*float64(patience)*mine.Seconds()+overtakeSpare.Seconds()
}

// wait estimates how long n blocks take at a rate in bytes per second.
func wait(rate int64, n int) time.Duration {
	return time.Duration(float64(n*block.Size) / float64(rate) * float64(time.Second))
}
