package hashes

import "swarmnode/swarm/bits"

// verifyMax is how many pieces one check has verified at a time: enough for every
// storage worker to have some.
const verifyMax = 32

// Deferred is the check of pieces whose data lay on disk before their hashes were
// known: those of a v2 torrent that came by magnet link (BEP 52, "piece layers").
// A piece moves from waiting to ready once its hash is known, to flying when Next
// returns it, and out with Done.
//
//	waiting and flying have no member in common; ready is a part of waiting
type Deferred struct {
	waiting *bits.Set // not verified yet; nil when there is nothing to check
	ready   *bits.Set // of these, whose hash is known
	flying  *bits.Set // being verified
}

// Begin starts the check of the pieces in data, which Deferred takes over.
func (d *Deferred) Begin(data *bits.Set) {
	*d = Deferred{}
	if !data.None() {
		d.waiting, d.ready, d.flying = data, bits.New(data.Len()), bits.New(data.Len())
	}
}

// Active reports whether the check is going on.
func (d *Deferred) Active() bool { return d.waiting != nil }

// Know records that the hash of a piece is known. It reports whether the piece
// waited for that.
func (d *Deferred) Know(piece int) bool {
	if d.waiting == nil || !d.waiting.Has(piece) {
		return false
	}
	d.ready.Add(piece)
	return true
}

// Next returns a piece to verify now, until enough are being verified. Each takes
// a Done, also a piece that turns out to need no verifying.
func (d *Deferred) Next() (piece int, ok bool) {
	if d.waiting == nil || d.flying.Count() >= verifyMax {
		return 0, false
	}
	if piece = d.ready.Next(0); piece < 0 {
		return 0, false
	}
	d.ready.Remove(piece)
	d.waiting.Remove(piece)
	d.flying.Add(piece)
	return piece, true
}

// Done records that a piece is no longer being verified, with whatever result. It
// reports whether Next had returned the piece.
func (d *Deferred) Done(piece int) bool {
	return d.flying != nil && d.flying.Remove(piece)
}

// Finish ends the check if no piece is left. It reports whether it did.
func (d *Deferred) Finish() bool {
	if d.waiting == nil || !d.waiting.None() || !d.flying.None() {
		return false
	}
	*d = Deferred{}
	return true
}

// Check panics when an invariant does not hold. It is for tests and race builds.
func (d *Deferred) Check() {
	if d.waiting == nil {
		return
	}
	for piece := range d.waiting.Members() {
		if d.flying.Has(piece) {
			panic("hashes: a piece waits and is being verified")
		}
	}
	if d.ready.AnyNotIn(d.waiting) || d.flying.Count() > verifyMax {
		panic("hashes: a piece is ready that does not wait, or too many are being verified")
	}
}
