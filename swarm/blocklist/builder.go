package blocklist

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// RangesMax bounds the ranges of a list, after neighbours have become one. The largest lists
// that are published have about a million.
const RangesMax = 4_000_000

// A Builder collects ranges, and makes a List of them. The zero value is ready for use. It is
// not safe for concurrent use.
type Builder struct {
	v4 collection[range4]
	v6 collection[range6]
	// rangesMax and bytesMax replace RangesMax and BytesMax in tests, unless they are 0.
	rangesMax int
	bytesMax  int64
}

// most returns how many ranges there may be.
func (b *Builder) most() int { return cmp.Or(b.rangesMax, RangesMax) }

// Add adds the addresses from first to last. It reports whether that is a range: both are
// of one family, and first is not above last. Two IPv4 addresses mapped into IPv6 count as
// the IPv4 addresses.
func (b *Builder) Add(first, last netip.Addr) bool {
	if first.Is4In6() && last.Is4In6() {
		first, last = first.Unmap(), last.Unmap()
	}
	if !first.IsValid() || first.BitLen() != last.BitLen() || last.Less(first) {
		return false
	}
	if first.Is4() {
		b.add4(range4{value4(first), value4(last)})
	} else {
		b.add6(range6{value6(first), value6(last)})
	}
	return true
}

func (b *Builder) add4(r range4) { b.v4.add(r, b.most(), joins4, merge4) }
func (b *Builder) add6(r range6) { b.v6.add(r, b.most(), joins6, merge6) }

// over returns an error of the kind ErrTooMany once more ranges than RangesMax have come.
func (b *Builder) over() error {
	if b.v4.over || b.v6.over {
		return errTooMany
	}
	return nil
}

// List returns the list of everything that was added. The error is of the kind ErrTooMany.
func (b *Builder) List() (*List, error) {
	b.v4.ranges = merge4(b.v4.ranges)
	b.v6.ranges = merge6(b.v6.ranges)
	if b.over() != nil || len(b.v4.ranges)+len(b.v6.ranges) > b.most() {
		return nil, errTooMany
	}
	return &List{newTable4(b.v4.ranges), newTable6(b.v6.ranges)}, nil
}

// A collection holds ranges of a family in any order.
type collection[R any] struct {
	ranges []R
	over   bool // there were too many, of which some are missing
}

// compactMin is the least number of ranges that are worth sorting before there is space for
// more.
const compactMin = 1 << 16

// add adds a range, if there are no more than most. joins extends a range by another one that
// begins no earlier, and reports whether they touch: a list in order needs no more than that.
// merge sorts ranges and makes those that touch one, which a large collection tries before it
// grows.
func (c *collection[R]) add(r R, most int, joins func(into *R, next R) bool,
	merge func([]R) []R) {
	if n := len(c.ranges); n > 0 && joins(&c.ranges[n-1], r) {
		return
	}
	if len(c.ranges) == cap(c.ranges) && len(c.ranges) >= compactMin {
		c.ranges = merge(c.ranges)
		if c.over = len(c.ranges) > most; c.over {
			return
		}
		// Half as much again at least: merging pays for itself, however little it gains.
		c.ranges = slices.Grow(c.ranges, len(c.ranges)/2)
	}
	c.ranges = append(c.ranges, r)
}

// joins4 extends into by next, which begins no earlier, if they touch.
func joins4(into *range4, next range4) bool {
	if next.first < into.first || into.last != math.MaxUint32 && next.first > into.last+1 {
		return false
	}
	into.last = max(into.last, next.last)
	return true
}

// joins6 is joins4 for IPv6.
func joins6(into *range6, next range6) bool {
	if next.first.compare(into.first) < 0 ||
		into.last != max128 && next.first.compare(into.last.next()) > 0 {
		return false
	}
	if into.last.compare(next.last) < 0 {
		into.last = next.last
	}
	return true
}

func merge4(list []range4) []range4 {
	return mergeBy(list, func(a, b range4) int { return cmp.Compare(a.first, b.first) }, joins4)
}

func merge6(list []range6) []range6 {
	return mergeBy(list, func(a, b range6) int { return a.first.compare(b.first) }, joins6)
}

// mergeBy sorts list in place, and returns it with those that touch as one.
func mergeBy[R any](list []R, compare func(a, b R) int, joins func(into *R, next R) bool) []R {
	if !slices.IsSortedFunc(list, compare) {
		slices.SortFunc(list, compare)
	}
	kept := list[:0]
	for _, r := range list {
		if n := len(kept); n == 0 || !joins(&kept[n-1], r) {
			kept = append(kept, r)
		}
	}
	return kept
}
