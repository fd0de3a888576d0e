package storage

import (
	"context"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// lateSets are the pieces with data whose hashes Check did not know: pieces of a v2
// torrent that came by magnet link, whose piece layers come from peers (BEP 52). Each
// leaves the sets when its hash is known and Verify has compared the piece with it.
//
//	trusted ⊆ all
type lateSets struct {
	all     *bits.Set // nil when there are none
	trusted *bits.Set // called sound by the record, in files that are as they were left
}

func (l *lateSets) none() bool { return l.all == nil }

// unknown returns how many of the pieces no record vouches for.
func (l *lateSets) unknown() int {
	if l.all == nil {
		return 0
	}
	return l.all.Count() - l.trusted.Count()
}

// remove takes piece p out of the sets.
func (l *lateSets) remove(p int) {
	l.all.Remove(p)
	l.trusted.Remove(p)
	if l.all.None() {
		*l = lateSets{}
	}
}

// Late returns the pieces that Check has found data of, but no hash to check it
// by; nil if there are none. They are not in Have. When the hash of one is
// known, Verify reports whether it is right; until then nothing may be written
// to it.
func (s *Store) Late() *bits.Set {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if s.known.late.none() {
		return nil
	}
	return s.known.late.all.Clone()
}

// putOff takes the pieces out of the check that cannot be verified yet. Holes are
// not worth waiting for.
func (c *check) putOff() lateSets {
	layout := c.s.layout
	if layout.Kind() != metainfo.V2 {
		return lateSets{}
	}
	l := lateSets{bits.New(layout.Pieces()), bits.New(layout.Pieces())}
	for p := range layout.Pieces() {
		if layout.CanVerify(p) {
			continue
		}
		had, data := c.have.Remove(p), c.data.Remove(p)
		c.holes.Remove(p)
		if had || data {
			l.all.Add(p)
		}
		if had {
			l.trusted.Add(p)
		}
	}
	if l.all.None() {
		return lateSets{}
	}
	return l
}

// trustLate counts a late piece as sound if the record calls it so, as Check would
// have, and reports whether it did. The piece is hashed before it is first read from.
func (l *ledger) trustLate(piece int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.late.none() || !l.late.trusted.Remove(piece) {
		return false
	}
	l.late.remove(piece)
	l.have.Add(piece)
	return true
}

// removeLate takes a piece out of the late ones. It reports whether the piece was the
// last of them, and no piece at all has turned out to be right.
func (l *ledger) removeLate(piece int) (allWrong bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.late.none() || !l.late.all.Has(piece) {
		return false
	}
	l.late.remove(piece)
	return l.late.none() && l.have.None()
}

// answerLate records that a late piece was verified, or found to be wrong. It returns
// an *Error with ErrExists when the last late piece was wrong, and all pieces were, of
// data under the content's own name that no record knows: then that data is something
// else, and must not be overwritten.
func (s *Store) answerLate(piece int) error {
	if s.known.removeLate(piece) && s.foreign(context.Background()) {
		return s.place.leaveForeign()
	}
	return nil
}
