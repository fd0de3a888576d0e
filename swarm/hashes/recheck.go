package hashes

import (
	"time"

	"swarmnode/swarm/bits"
)

// treeWait is how long pieces of a hybrid are not asked for because their hash in
// the tree may come: some round trips.
const treeWait = 3 * time.Second

// Standing is how far a piece has come, as a Recheck needs to know it.
type Standing uint8

// The standings of a piece.
const (
	Absent Standing = iota // nothing of it is verified or about to be
	Coming                 // it is being fetched or verified
	There                  // it is verified
)

// Recheck compares the pieces of a hybrid with their second hash: those that were
// verified by SHA-1 alone, before peers had told the piece layers, are verified
// again once these are known. So a torrent whose halves differ in content is found
// out, whichever half the data fits (BEP 52, "upgrade path").
//
//	no piece is in two of ready, flying and the complement of known
//
// The sender of a piece that fits the tree alone would be taken for a liar. So while
// a peer can tell the layers, only pieces with both hashes are asked for, up to
// until.
type Recheck struct {
	known  *bits.Set // pieces whose hash in the tree is known; nil when all are checked
	ready  *bits.Set // of these, which were, or are being, verified without it
	flying *bits.Set // being verified for the second time
	among  *bits.Set // for the results of Among
	until  time.Duration
}

// Begin starts the check of a hybrid's pieces, of which knows reports whether the
// hash in the tree is known. It returns until when Among leaves pieces out.
func (r *Recheck) Begin(now time.Duration, pieces int, knows func(piece int) bool) time.Duration {
	*r = Recheck{known: bits.New(pieces), ready: bits.New(pieces), flying: bits.New(pieces),
		among: bits.New(pieces), until: now + treeWait}
	for piece := range pieces {
		if knows(piece) {
			r.known.Add(piece)
		}
	}
	return r.until
}

// Active reports whether the check is going on.
func (r *Recheck) Active() bool { return r.known != nil }

// Waits reports whether pieces are left out until their hash in the tree comes.
func (r *Recheck) Waits(now time.Duration) bool { return r.known != nil && now < r.until }

// Among returns the pieces of have that can be compared with both hashes. The set is
// the Recheck's own, and valid until the next call.
func (r *Recheck) Among(have *bits.Set) *bits.Set {
	r.among.Intersect(have, r.known)
	return r.among
}

// Know records that the hash of a piece in the tree is known.
func (r *Recheck) Know(piece int, s Standing) {
	if r.known == nil || piece >= r.known.Len() || !r.known.Add(piece) {
		return
	}
	if s != Absent { // the hashing of one that is coming may have begun
		r.ready.Add(piece)
	}
}

// Next returns a piece to verify again, until enough are being verified. Each takes
// a Done.
func (r *Recheck) Next(standing func(piece int) Standing) (piece int, ok bool) {
	if r.known == nil || r.flying.Count() >= verifyMax {
		return 0, false
	}
	for piece = r.ready.Next(0); piece >= 0; piece = r.ready.Next(piece + 1) {
		switch standing(piece) {
		case There:
			r.ready.Remove(piece)
			r.flying.Add(piece)
			return piece, true
		case Absent: // it was lost, and its next copy is compared with both hashes
			r.ready.Remove(piece)
		}
	}
	return 0, false
}

// Done records that a piece is no longer being verified, with whatever result. It
// reports whether Next had returned the piece.
func (r *Recheck) Done(piece int) bool {
	return r.flying != nil && r.flying.Remove(piece)
}

// Finish ends the check if no piece is left.
func (r *Recheck) Finish() {
	if r.known != nil && r.known.All() && r.ready.None() && r.flying.None() {
		*r = Recheck{}
	}
}

// Check panics when an invariant does not hold. It is for tests and race builds.
func (r *Recheck) Check() {
	if r.known == nil {
		return
	}
	for piece := range r.ready.Members() {
		if r.flying.Has(piece) {
			panic("hashes: a piece is ready and being verified")
		}
	}
	if r.ready.AnyNotIn(r.known) || r.flying.AnyNotIn(r.known) || r.flying.Count() > verifyMax {
		panic("hashes: a piece is verified again without its second hash, or too many are")
	}
}
