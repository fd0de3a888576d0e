package bits

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestWire(t *testing.T) {
	for _, tt := range []struct {
		payload []byte
		n       int
		members []int
		err     error
	}{
		{[]byte{}, 0, nil, nil},
		{[]byte{0x80}, 1, []int{0}, nil},
		{[]byte{0xa0, 0x40}, 10, []int{0, 2, 9}, nil},
		{[]byte{0xa0, 0x60}, 10, []int{0, 2, 9}, ErrSpare},
		{[]byte{0xff}, 9, nil, ErrLength},
		{[]byte{0, 0, 0, 0, 0, 0, 0, 1, 0x80}, 65, []int{63, 64}, nil},
	} {
		s, err := FromWire(tt.payload, tt.n)
		if !errors.Is(err, tt.err) {
			t.Errorf("%x: got error %v, want %v", tt.payload, err, tt.err)
		}
		if s == nil {
			continue
		}
		if got := slices.Collect(s.Members()); !slices.Equal(got, tt.members) ||
			s.Count() != len(got) {
			t.Errorf("%x: got %v (count %d), want %v", tt.payload, got, s.Count(), tt.members)
		}
		if err == nil && !bytes.Equal(s.AppendWire(nil), tt.payload) {
			t.Errorf("%x: written as %x", tt.payload, s.AppendWire(nil))
		}
	}
}

// TestModel runs random operations on a Set and on a slice of bools.
func TestModel(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		n := rng.IntN(200)
		s, model := New(n), make([]bool, n)
		for range 300 {
			i := rng.IntN(n + 1)
			switch op := rng.IntN(20); {
			case op == 0:
				s.SetAll()
				for j := range model {
					model[j] = true
				}
			case op == 1:
				s.Clear()
				clear(model)
			case i == n:
			case op < 11:
				if got, want := s.Add(i), !model[i]; got != want {
					t.Fatalf("seed %d: Add(%d): got %v", seed, i, got)
				}
				model[i] = true
			default:
				if got, want := s.Remove(i), model[i]; got != want {
					t.Fatalf("seed %d: Remove(%d): got %v", seed, i, got)
				}
				model[i] = false
			}
			want, missing := nextOf(model, i, true), nextOf(model, i, false)
			if s.Next(i) != want || s.NextMissing(i) != missing {
				t.Fatalf("seed %d: from %d: got %d and %d, want %d and %d", seed, i, s.Next(i),
					s.NextMissing(i), want, missing)
			}
		}
		again, err := FromWire(s.AppendWire(nil), n)
		if err != nil || again.Count() != s.Count() || again.AnyNotIn(s) || s.AnyNotIn(again) {
			t.Fatalf("seed %d: not the same after the wire: %v", seed, err)
		}
	}
}

func TestIntersect(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	for _, n := range []int{0, 1, 63, 64, 65, 200} {
		a, b, got := New(n), New(n), Full(n)
		want := 0
		for i := range n {
			inA, inB := rng.IntN(2) == 0, rng.IntN(2) == 0
			if inA {
				a.Add(i)
			}
			if inB {
				b.Add(i)
			}
			if inA && inB {
				want++
			}
		}
		got.Intersect(a, b)
		if got.Count() != want || got.AnyNotIn(a) || got.AnyNotIn(b) {
			t.Errorf("of %d: %d members, want %d", n, got.Count(), want)
		}
	}
}

func nextOf(model []bool, from int, member bool) int {
	for i := from; i < len(model); i++ {
		if model[i] == member {
			return i
		}
	}
	return -1
}

func TestSubtract(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	for _, n := range []int{0, 1, 63, 64, 65, 200} {
		a, b, want := New(n), New(n), New(n)
		for i := range n {
			inA, inB := rng.IntN(2) == 0, rng.IntN(2) == 0
			if inA {
				a.Add(i)
			}
			if inB {
				b.Add(i)
			}
			if inA && !inB {
				want.Add(i)
			}
		}
		a.Subtract(b)
		if a.Count() != want.Count() || a.AnyNotIn(want) || want.AnyNotIn(a) {
			t.Errorf("of %d: %d members, want %d", n, a.Count(), want.Count())
		}
	}
}
