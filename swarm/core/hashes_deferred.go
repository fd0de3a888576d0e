package core

import (
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// lateMax is how many pieces that were put off are being verified at a time:
// enough for every storage worker to have some.
const lateMax = 32

// lateCheck is the check of pieces whose data was there at the start, before
// their hashes were known: those of a v2 torrent that came by magnet link (BEP
// 52, "piece layers"). The picker holds them until they were looked at.
//
//	waiting and flying have no member in common; ready is a part of waiting
type lateCheck struct {
	waiting *bits.Set // not looked at yet; nil when there is nothing to check
	ready   *bits.Set // of these, whose hash is known
	flying  *bits.Set // being verified
}

// putOff takes in which pieces have data that could not be verified yet.
func (t *Torrent) putOff(late *bits.Set) {
	if late == nil || late.Len() != t.pick.Pieces() || late.None() {
		return
	}
	for piece := range late.Members() {
		t.pick.Hold(uint32(piece))
	}
	t.late = lateCheck{waiting: late, ready: bits.New(late.Len()), flying: bits.New(late.Len())}
}

// checkLate has pieces verified that were put off and whose hash is known.
func (t *Torrent) checkLate() {
	l := &t.late
	if l.waiting == nil {
		return
	}
	for l.flying.Count() < lateMax {
		piece := l.ready.Next(0)
		if piece < 0 {
			break
		}
		l.ready.Remove(piece)
		l.waiting.Remove(piece)
		if t.pick.Suppose(uint32(piece)) {
			l.flying.Add(piece)
			t.out.do(Action{Kind: Verify, Ref: block.Ref{Piece: uint32(piece)}})
		}
	}
	if l.waiting.None() && l.flying.None() {
		t.late = lateCheck{}
		t.requests.refillSoon(t.now)
	}
}

// lateDone notes that a piece was verified or not, and reports whether it was one
// of those that had been put off.
func (t *Torrent) lateDone(piece uint32) bool {
	if t.late.flying == nil || !t.late.flying.Remove(int(piece)) {
		return false
	}
	t.checkLate()
	t.requests.refillSoon(t.now)
	return true
}

// awaitsLate reports whether nothing is asked for yet: as long as no piece has
// turned out to be right, what lies on disk may be somebody else's.
func (t *Torrent) awaitsLate() bool {
	return t.late.waiting != nil && t.pick.Have().None()
}
