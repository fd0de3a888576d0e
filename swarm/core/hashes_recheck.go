package core

import (
	"slices"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/picker"
)

// treeWait is how long pieces of a hybrid are not asked for because their hash in
// the tree may come: some round trips.
const treeWait = 3 * time.Second

// secondCheck is the check of a hybrid's pieces against their second hash: those
// that were verified by SHA-1 alone, before peers had told the piece layers, are
// verified anew when these are known. A torrent whose halves are of different
// content is found out so, whichever half the data fits (BEP 52, "upgrade
// path").
//
//	no piece is in two of ready, flying and the complement of known
//
// Who sent a piece that fits the tree alone would be taken for a liar, so while a
// peer can tell the layers, nothing is asked for that they are needed for, up to
// until.
type secondCheck struct {
	known  *bits.Set // pieces whose hash in the tree is known; nil when that is all
	ready  *bits.Set // of these, which were, or are being, verified without it
	flying *bits.Set // being verified for the second time
	among  *bits.Set // for answers of withTrees
	until  time.Duration
}

// startSecond notes which pieces have one hash alone.
func (t *Torrent) startSecond() {
	if t.layout.HashesKnown() {
		return
	}
	n := t.layout.Pieces()
	s := secondCheck{known: bits.New(n), ready: bits.New(n), flying: bits.New(n),
		among: bits.New(n), until: t.now + treeWait}
	for piece := range n {
		if t.layout.KnowsTree(piece) {
			s.known.Add(piece)
		}
	}
	t.twice = s
	t.timers.by(timerRefill, s.until)
}

// awaitsTrees reports whether pieces wait for their hash in the tree.
func (t *Torrent) awaitsTrees() bool {
	if t.twice.known == nil || t.now >= t.twice.until {
		return false
	}
	return slices.ContainsFunc(t.peers.all(), func(p *peer) bool {
		return p.v2 && t.now >= p.hashes.until
	})
}

// withTrees returns the pieces among have that can be compared with both hashes, or
// all of them when the second ones will hardly come.
func (t *Torrent) withTrees(have *bits.Set) *bits.Set {
	if !t.awaitsTrees() {
		return have
	}
	t.twice.among.Intersect(have, t.twice.known)
	return t.twice.among
}

// knowSecond notes that pieces have both hashes.
func (t *Torrent) knowSecond(first, end int) {
	s := &t.twice
	if s.known == nil {
		return
	}
	for piece := first; piece < min(end, s.known.Len()); piece++ {
		if !s.known.Add(piece) {
			continue
		}
		switch t.pick.State(uint32(piece)) {
		case picker.Have, picker.InFlight, picker.Unverified: // the hashing may have begun
			s.ready.Add(piece)
		}
	}
	t.moreSecond()
	t.requests.refillSoon(t.now)
}

// moreSecond has pieces verified that we have, some at a time.
func (t *Torrent) moreSecond() {
	s := &t.twice
	for piece := s.ready.Next(0); piece >= 0 && s.flying.Count() < lateMax; piece = s.ready.Next(
		piece + 1) {
		switch t.pick.State(uint32(piece)) {
		case picker.Have:
			s.ready.Remove(piece)
			s.flying.Add(piece)
			t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
		case picker.Wanted, picker.Skipped: // it was lost; what comes anew is compared with both
			s.ready.Remove(piece)
		}
	}
	if s.known.All() && s.ready.None() && s.flying.None() {
		t.twice = secondCheck{}
	}
}

// checkSecond goes on after a piece was verified.
func (t *Torrent) checkSecond(piece uint32) {
	if s := &t.twice; s.known != nil {
		s.flying.Remove(int(piece))
		t.moreSecond()
	}
}

// secondFailed records that a piece that was verified for the second time is
// not right, and reports whether it was one: since both hashes are of the same
// content, it was damaged on disk.
func (t *Torrent) secondFailed(piece uint32) bool {
	if t.twice.flying == nil || !t.twice.flying.Remove(int(piece)) {
		return false
	}
	defer t.moreSecond()
	if !t.pick.Recheck(piece) {
		return false // it could not be read meanwhile, and this is the answer to that, too
	}
	t.pick.Refuted(piece)
	t.tellLost(piece)
	t.onPieceLost()
	t.checkComplete()
	t.requests.refillSoon(t.now)
	return true
}
