package blocklist

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math"
	"net/netip"
)

// A value128 is an IPv6 address as a number.
type value128 struct{ high, low uint64 }

// max128 is the last IPv6 address.
var max128 = value128{math.MaxUint64, math.MaxUint64}

func value6(a netip.Addr) value128 {
	b := a.As16()
	return value128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (v value128) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.high)
	binary.BigEndian.PutUint64(b[8:], v.low)
	return netip.AddrFrom16(b)
}

func (v value128) compare(o value128) int {
	return cmp.Or(cmp.Compare(v.high, o.high), cmp.Compare(v.low, o.low))
}

// next returns the address behind v, which must not be the last one.
func (v value128) next() value128 {
	if v.low++; v.low == 0 {
		v.high++
	}
	return v
}

// before returns the address before v, which must not be the first one.
func (v value128) before() value128 {
	if v.low == 0 {
		v.high--
	}
	v.low--
	return v
}

// range6 is a range of IPv6 addresses, both ends included; first <= last.
type range6 struct{ first, last value128 }

// table6 holds the boundaries of IPv6 in order. Most lists name networks of a /64 or more:
// then every lower half is zero, and low is nil.
type table6 struct{ high, low []uint64 }

// newTable6 returns the table of ranges that are sorted and do not touch.
func newTable6(ranges []range6) table6 {
	boundaries, low := 0, false
	each := func(add func(value128)) {
		for _, r := range ranges {
			add(r.first)
			if r.last != max128 {
				add(r.last.next())
			}
		}
	}
	each(func(v value128) {
		boundaries++
		low = low || v.low != 0
	})
	var t table6
	if boundaries == 0 {
		return t
	}
	t.high = make([]uint64, 0, boundaries)
	if low {
		t.low = make([]uint64, 0, boundaries)
	}
	each(func(v value128) {
		t.high = append(t.high, v.high)
		if low {
			t.low = append(t.low, v.low)
		}
	})
	return t
}

// at returns boundary i.
func (t *table6) at(i int) value128 {
	if t.low == nil {
		return value128{t.high[i], 0}
	}
	return value128{t.high[i], t.low[i]}
}

func (t *table6) contains(v value128) bool {
	above := after(t.high, v.high) // the boundaries up to the end of the /64
	if t.low != nil {
		same := 0 // where those of the /64 begin
		if v.high > 0 {
			same = after(t.high[:above], v.high-1)
		}
		above = same + after(t.low[same:above], v.low)
	}
	return above&1 == 1
}

// after returns how many of list, which is sorted, are at most v.
func after(list []uint64, v uint64) int {
	at := 0
	for n := len(list); n > 0; {
		half := (n + 1) / 2
		if list[at+half-1] <= v {
			at += half
			n -= half
		} else {
			n = half - 1
		}
	}
	return at
}

// ranges yields the ranges in order.
func (t *table6) ranges() iter.Seq[range6] {
	return func(yield func(range6) bool) {
		for i := 0; i < len(t.high); i += 2 {
			r := range6{t.at(i), max128}
			if i+1 < len(t.high) {
				r.last = t.at(i + 1).before()
			}
			if !yield(r) {
				return
			}
		}
	}
}
