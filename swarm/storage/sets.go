package storage

import "swarmnode/swarm/bits"

// keep removes from a the members that b lacks.
func keep(a, b *bits.Set) {
	for i := range a.Members() {
		if !b.Has(i) {
			a.Remove(i)
		}
	}
}

// equal reports whether two sets of the same length have the same members.
func equal(a, b *bits.Set) bool { return a.Count() == b.Count() && !a.AnyNotIn(b) }

// remove removes the members of b from a.
func remove(a, b *bits.Set) {
	for i := range a.Members() {
		if b.Has(i) {
			a.Remove(i)
		}
	}
}

// without returns the members of a that b lacks, or nil if there are none.
func without(a, b *bits.Set) *bits.Set {
	if !a.AnyNotIn(b) {
		return nil
	}
	c := a.Clone()
	for i := range b.Members() {
		c.Remove(i)
	}
	return c
}
