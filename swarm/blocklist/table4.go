package blocklist

import (
	"encoding/binary"
	"iter"
	"math"
	"net/netip"
)

// range4 is a range of IPv4 addresses, both ends included; first <= last.
type range4 struct{ first, last uint32 }

func value4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func addr4(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// blocks4 is the number of values that the upper half of an IPv4 address has.
const blocks4 = 1 << 16

// table4 holds the boundaries of IPv4. The lower halves of those whose upper half is h are
// low[index[h]:index[h+1]], in order. Without any boundary, index is nil.
type table4 struct {
	index []uint32 // blocks4 + 1 of them
	low   []uint16
}

// newTable4 returns the table of ranges that are sorted and do not touch.
func newTable4(ranges []range4) table4 {
	if len(ranges) == 0 {
		return table4{}
	}
	boundaries := 2 * len(ranges)
	if ranges[len(ranges)-1].last == math.MaxUint32 {
		boundaries-- // no address is left to end at
	}
	t := table4{make([]uint32, blocks4+1), make([]uint16, 0, boundaries)}
	add := func(at uint32) {
		t.index[at>>16+1]++
		t.low = append(t.low, uint16(at))
	}
	for _, r := range ranges {
		add(r.first)
		if r.last != math.MaxUint32 {
			add(r.last + 1)
		}
	}
	for h := range blocks4 {
		t.index[h+1] += t.index[h]
	}
	return t
}

func (t *table4) contains(v uint32) bool {
	if t.index == nil {
		return false
	}
	h := v >> 16
	at, end := t.index[h], t.index[h+1]
	// The number of boundaries up to v decides: at is moved behind the last of them.
	for n := end - at; n > 0; {
		half := (n + 1) / 2
		if t.low[at+half-1] <= uint16(v) {
			at += half
			n -= half
		} else {
			n = half - 1
		}
	}
	return at&1 == 1
}

// ranges yields the ranges in order.
func (t *table4) ranges() iter.Seq[range4] {
	return func(yield func(range4) bool) {
		if t.index == nil {
			return
		}
		var r range4
		open := false
		for h := range uint32(blocks4) {
			for _, low := range t.low[t.index[h]:t.index[h+1]] {
				at := h<<16 | uint32(low)
				if open = !open; open {
					r.first = at
				} else if r.last = at - 1; !yield(r) {
					return
				}
			}
		}
		if open {
			yield(range4{r.first, math.MaxUint32})
		}
	}
}
