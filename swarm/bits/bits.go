// Package bits holds sets of small integers: the pieces that a peer has, the
// blocks of a piece that have arrived. Its noun is the Set, which is also read from and
// written as the bitfield of BEP 3.
package bits

import (
	"errors"
	"iter"
	"math/bits"
)

// A Set is a subset of 0 … Len()-1. The zero Set has length 0. It is for one
// goroutine at a time.
type Set struct {
	words []uint64 // bit i is words[i/64]>>(i%64); bits from n on are zero
	n     int
	count int // bits set; 0 <= count <= n
}

// New returns an empty subset of 0 … n-1.
func New(n int) *Set {
	return &Set{words: make([]uint64, (n+63)/64), n: n}
}

// Full returns the set of all of 0 … n-1.
func Full(n int) *Set {
	s := New(n)
	s.SetAll()
	return s
}

// ErrLength says that a bitfield does not have the length that its pieces
// need. ErrSpare says that only its spare bits are wrong.
var (
	ErrLength = errors.New("bitfield has the wrong length")
	ErrSpare  = errors.New("bitfield has spare bits set")
)

// FromWire reads the payload of a bitfield message, in which the high bit of
// the first byte is piece 0 (BEP 3). The error is ErrLength if the payload is not as
// long as n bits need. When spare bits are set, the set is returned together with
// ErrSpare, so that the caller may be lenient.
func FromWire(payload []byte, n int) (*Set, error) {
	if len(payload) != (n+7)/8 {
		return nil, ErrLength
	}
	s := New(n)
	for i, b := range payload {
		s.words[i/8] |= uint64(bits.Reverse8(b)) << (i % 8 * 8)
	}
	var err error
	if tail := n % 64; tail != 0 {
		last := &s.words[len(s.words)-1]
		if *last>>tail != 0 {
			err = ErrSpare
		}
		*last &= 1<<tail - 1
	}
	for _, w := range s.words {
		s.count += bits.OnesCount64(w)
	}
	return s, err
}

// AppendWire appends s to dst as the payload of a bitfield message (BEP 3).
func (s *Set) AppendWire(dst []byte) []byte {
	for i := range (s.n + 7) / 8 {
		dst = append(dst, bits.Reverse8(byte(s.words[i/8]>>(i%8*8))))
	}
	return dst
}

// Len returns the number of integers that the set is drawn from.
func (s *Set) Len() int { return s.n }

// Count returns the number of members.
func (s *Set) Count() int { return s.count }

// All reports whether every integer is a member.
func (s *Set) All() bool { return s.count == s.n }

// None reports whether the set is empty.
func (s *Set) None() bool { return s.count == 0 }

// Has reports whether i is a member. An i out of range is not.
func (s *Set) Has(i int) bool {
	return uint(i) < uint(s.n) && s.words[i/64]>>(i%64)&1 != 0
}

// Add makes i a member, and reports whether that is new. It panics if i is out of range.
func (s *Set) Add(i int) bool {
	if s.Has(i) {
		return false
	}
	s.check(i)
	s.words[i/64] |= 1 << (i % 64)
	s.count++
	return true
}

// Remove takes i out, and reports whether it was a member.
func (s *Set) Remove(i int) bool {
	if !s.Has(i) {
		return false
	}
	s.words[i/64] &^= 1 << (i % 64)
	s.count--
	return true
}

// SetAll makes every integer a member.
func (s *Set) SetAll() {
	for i := range s.words {
		s.words[i] = ^uint64(0)
	}
	if tail := s.n % 64; tail != 0 {
		s.words[len(s.words)-1] = 1<<tail - 1
	}
	s.count = s.n
}

// Clear takes every member out.
func (s *Set) Clear() {
	clear(s.words)
	s.count = 0
}

// Clone returns a copy.
func (s *Set) Clone() *Set {
	c := *s
	c.words = append([]uint64(nil), s.words...)
	return &c
}

// Members ranges over the members in ascending order. The body may remove the
// member that it was given.
func (s *Set) Members() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s.words {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Next returns the smallest member that is at least i, or -1.
func (s *Set) Next(i int) int { return s.scan(i, 0) }

// NextMissing returns the smallest integer that is at least i and not a member,
// or -1.
func (s *Set) NextMissing(i int) int { return s.scan(i, ^uint64(0)) }

// scan returns the first bit from i on that is set in words XOR flip, or -1.
func (s *Set) scan(i int, flip uint64) int {
	i = max(i, 0)
	for w := i / 64; w < len(s.words); w++ {
		word := s.words[w] ^ flip
		if w == i/64 {
			word &^= 1<<(i%64) - 1
		}
		if word != 0 {
			if at := w*64 + bits.TrailingZeros64(word); at < s.n {
				return at
			}
			return -1
		}
	}
	return -1
}

// Intersect makes s the integers that are members of both a and b. All three
// have the same length.
func (s *Set) Intersect(a, b *Set) {
	s.count = 0
	for i := range s.words {
		s.words[i] = a.words[i] & b.words[i]
		s.count += bits.OnesCount64(s.words[i])
	}
}

// Subtract removes the members of other from s. Both have the same length.
func (s *Set) Subtract(other *Set) {
	s.count = 0
	for i := range s.words {
		s.words[i] &^= other.words[i]
		s.count += bits.OnesCount64(s.words[i])
	}
}

// AnyNotIn reports whether s has a member that other lacks. Both have the same
// length.
func (s *Set) AnyNotIn(other *Set) bool {
	for i, w := range s.words {
		if w&^other.words[i] != 0 {
			return true
		}
	}
	return false
}

func (s *Set) check(i int) {
	if uint(i) >= uint(s.n) {
		panic("bits: index out of range")
	}
}
