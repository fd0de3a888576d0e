package storage

import (
	"context"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// lateSets are the pieces with data whose hashes were not known to Check: those
// of a v2 torrent that came by magnet link, whose piece layers come from peers
// (BEP 52). Verify settles each when its hash is known.
//
//	trusted is a part of all
type lateSets struct {
	all     *bits.Set // nil when there are none
	trusted *bits.Set // said to be sound by the record, in files that are as they were left
}

func (l *lateSets) none() bool { return l.all == nil }

// unknown returns how many of them no record vouches for.
func (l *lateSets) unknown() int {
	if l.all == nil {
		return 0
	}
	return l.all.Count() - l.trusted.Count()
}

// Late returns the pieces that Check has found data of, but no hash to check it
// by; nil if there are none. They are not in Have. When the hash of one is
// known, Verify reports whether it is right; until then nothing may be written
// to it.
func (s *Store) Late() *bits.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.putOff.none() {
		return nil
	}
	return s.putOff.all.Clone()
}

// putOff takes the pieces out of the check that cannot be verified. Holes are
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

// accounted returns what is verified, or said to be so by a record that nothing
// speaks against. Store.mu is held.
func (s *Store) accounted() *bits.Set {
	set := s.have.Clone()
	if !s.putOff.none() {
		for p := range s.putOff.trusted.Members() {
			set.Add(p)
		}
	}
	return set
}

// trustLate takes a piece that was put off for sound if the record says so, as
// Check would have. It is hashed before it is first read from.
func (s *Store) trustLate(piece int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.putOff.none() || !s.putOff.trusted.Remove(piece) {
		return false
	}
	s.removeLate(piece)
	s.have.Add(piece)
	return true
}

// settleLate notes that a piece is verified, or is not right. It is an *Error
// with ErrExists when the last of the pieces that were put off was not right,
// and none was, of data under the content's own name that no record knows: then
// it is something else, and must not be overwritten.
func (s *Store) settleLate(piece int) error {
	s.mu.Lock()
	if s.putOff.none() || !s.putOff.all.Has(piece) {
		s.mu.Unlock()
		return nil
	}
	s.removeLate(piece)
	last := s.putOff.none() && s.have.None()
	s.mu.Unlock()
	if last && s.foreign(context.Background()) {
		return s.leaveForeign()
	}
	return nil
}

// removeLate takes a piece out of those put off. Store.mu is held.
func (s *Store) removeLate(piece int) {
	s.putOff.all.Remove(piece)
	s.putOff.trusted.Remove(piece)
	if s.putOff.all.None() {
		s.putOff = lateSets{}
	}
}
