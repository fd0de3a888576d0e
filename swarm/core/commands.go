package core

import (
	"slices"
	"time"

	"swarmnode/swarm/picker"
)

// Prioritize ranks a piece: picker.Skip if it is not wanted, or else a higher
// priority before a lower one. Like the other methods that say what is wanted it
// does nothing before InfoReady, or for a piece that the torrent does not have.
// Actions may follow.
func (t *Torrent) Prioritize(now time.Time, piece int, priority picker.Priority) {
	t.advance(now)
	if piece < 0 || !t.validPiece(uint32(piece)) {
		return
	}
	needed := t.pick.Needed().Has(piece)
	t.pick.SetPriority(uint32(piece), priority)
	is := t.pick.Needed().Has(piece)
	if is == needed {
		return
	}
	t.progress.need(piece, is)
	for _, p := range t.peers.snapshot() {
		p.has.need(uint32(piece), is)
		t.showInterest(p)
	}
	t.checkComplete()
	t.requests.refillSoon(t.now)
}

// Sourceless reports whether a piece from first up to end is needed that nobody has who
// is connected.
func (t *Torrent) Sourceless(first, end int) bool {
	if t.pick == nil {
		return false
	}
	for piece := t.pick.Needed().Next(first); piece >= 0 &&
		piece < end; piece = t.pick.Needed().Next(piece + 1) {
		if !slices.ContainsFunc(t.peers.all(), func(p *peer) bool {
			return p.has.piece(uint32(piece))
		}) {
			return true
		}
	}
	return false
}

// SetSequential makes pieces be fetched in order, or again the rarest first.
func (t *Torrent) SetSequential(on bool) {
	if t.pick != nil {
		t.pick.SetSequential(on)
	}
}

// SetDeadline makes a piece be fetched before all that have a later deadline
// or none. It reports whether that is possible: there are at most 1,024.
func (t *Torrent) SetDeadline(piece int, at time.Time) bool {
	if piece < 0 || !t.validPiece(uint32(piece)) || t.pick.State(uint32(piece)) == picker.Have {
		return false
	}
	t.requests.refillSoon(t.now)
	return t.pick.SetDeadline(uint32(piece), at.Sub(t.start))
}

// ClearDeadline takes the deadline of a piece away.
func (t *Torrent) ClearDeadline(piece int) {
	if piece >= 0 && t.validPiece(uint32(piece)) {
		t.pick.ClearDeadline(uint32(piece))
	}
}

func ifThen[T any](ok bool, yes, no T) T {
	if ok {
		return yes
	}
	return no
}
