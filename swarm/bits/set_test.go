package bits

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// BEP 3, "bitfield": "The high bit in the first byte corresponds to piece index 0. [...]
// Spare bits at the end are set to zero." Each length is compared with that, bit by bit.
func TestWireOfEveryLength(t *testing.T) {
	for n := range 200 {
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		s := New(n)
		want := make([]byte, (n+7)/8)
		for i := range n {
			if rng.IntN(2) == 0 {
				s.Add(i)
				want[i/8] |= 0x80 >> (i % 8)
			}
		}
		if got := s.AppendWire([]byte{0xee}); !slices.Equal(got[1:], want) || got[0] != 0xee {
			t.Fatalf("%d: written as %x, want %x", n, got, want)
		}
		again, err := FromWire(want, n)
		if err != nil || again.AnyNotIn(s) || s.AnyNotIn(again) || again.Count() != s.Count() {
			t.Fatalf("%d: read with %d members, %v", n, again.Count(), err)
		}
		for spare := n; spare < 8*len(want); spare++ {
			bad := slices.Clone(want)
			bad[spare/8] |= 0x80 >> (spare % 8)
			again, err := FromWire(bad, n)
			if !errors.Is(err, ErrSpare) || again.Count() != s.Count() || again.AnyNotIn(s) {
				t.Fatalf("%d: with spare bit %d: %v", n, spare, err)
			}
		}
		for _, bad := range [][]byte{append(want, 0), want[:max(0, len(want)-1)]} {
			if len(bad) == len(want) {
				continue
			}
			if _, err := FromWire(bad, n); !errors.Is(err, ErrLength) {
				t.Fatalf("%d: in %d bytes: %v", n, len(bad), err)
			}
		}
	}
}

func TestOutOfRange(t *testing.T) {
	s := Full(10)
	for _, i := range []int{-1, 10, 63, 64, math.MaxInt} {
		if s.Has(i) || s.Remove(i) {
			t.Errorf("%d is a member", i)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Add(%d) did not panic", i)
				}
			}()
			s.Add(i)
		}()
	}
	if s.Count() != 10 || s.Next(10) != -1 || s.NextMissing(-5) != -1 || s.Next(-5) != 0 {
		t.Errorf("%d members, next %d", s.Count(), s.Next(-5))
	}
}

func TestFullAndEmpty(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 128, 129} {
		full, empty := Full(n), New(n)
		if full.Count() != n || !full.All() || full.Len() != n || full.NextMissing(0) != -1 {
			t.Errorf("full of %d: %d members", n, full.Count())
		}
		if !empty.None() || empty.Next(0) != -1 || empty.AnyNotIn(full) ||
			full.AnyNotIn(empty) != (n > 0) {
			t.Errorf("empty of %d: %d members", n, empty.Count())
		}
		empty.SetAll()
		full.Clear()
		if empty.AnyNotIn(Full(n)) || Full(n).AnyNotIn(empty) || !full.None() {
			t.Errorf("of %d: SetAll or Clear left something", n)
		}
	}
}

// The body of a loop over the members may remove the one that it is at.
func TestRemoveWhileWalking(t *testing.T) {
	s := Full(150)
	var seen []int
	for i := range s.Members() {
		seen = append(seen, i)
		if i%3 == 0 {
			s.Remove(i)
		}
	}
	if len(seen) != 150 || s.Count() != 100 || !slices.IsSorted(seen) {
		t.Errorf("saw %d, %d are left", len(seen), s.Count())
	}
	for i := range s.Members() {
		if i%3 == 0 {
			t.Errorf("%d is still there", i)
		}
		if i > 20 {
			break
		}
	}
}

func TestCloneIsApart(t *testing.T) {
	a := New(100)
	a.Add(5)
	b := a.Clone()
	b.Add(70)
	a.Remove(5)
	if !b.Has(5) || a.Has(70) || a.Count() != 0 || b.Count() != 2 {
		t.Errorf("%d and %d members", a.Count(), b.Count())
	}
}
