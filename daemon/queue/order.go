package queue

import (
	"cmp"
	"math"
	"slices"
)

// placeGap is the distance between two places that are given away, so that a torrent which
// moves between two others gets a place without another one changing.
const placeGap = 1 << 20

// placeMax bounds the size of a place, so that there is room before and after each.
const placeMax = math.MaxInt64 / 4

// An Order is the order of torrents: each has a position, from 0 and without gaps, and a
// place, a number that keeps its meaning when others move. A record keeps the place. One
// goroutine at a time may use an Order. The zero Order is empty.
type Order[K cmp.Ordered] struct {
	list   []K
	places map[K]int64
	index  map[K]int // of the first known elements of list, and perhaps wrong for the others
	known  int
}

// Len returns how many torrents there are.
func (o *Order[K]) Len() int { return len(o.list) }

// All returns the torrents by their positions. The next change of the order overwrites it.
func (o *Order[K]) All() []K { return o.list }

// Has reports whether there is such a torrent.
func (o *Order[K]) Has(k K) bool {
	_, ok := o.places[k]
	return ok
}

// Place returns the place of a torrent.
func (o *Order[K]) Place(k K) int64 { return o.places[k] }

// Position returns the position of a torrent, -1 if there is no such torrent.
func (o *Order[K]) Position(k K) int {
	if !o.Has(k) {
		return -1
	}
	o.number()
	return o.index[k]
}

// number makes index right.
func (o *Order[K]) number() {
	for ; o.known < len(o.list); o.known++ {
		o.index[o.list[o.known]] = o.known
	}
}

// changedFrom says that positions from i on may have changed.
func (o *Order[K]) changedFrom(i int) { o.known = min(o.known, i) }

// Load makes the order that of the places in records. Torrents with equal places are in the
// order of their keys. It returns the torrents whose place has to be another one.
func (o *Order[K]) Load(places map[K]int64) (changed []K) {
	*o = Order[K]{places: make(map[K]int64, len(places)), index: make(map[K]int, len(places))}
	for k, place := range places {
		o.list = append(o.list, k)
		o.places[k] = place
	}
	slices.SortFunc(o.list, func(a, b K) int {
		return cmp.Or(cmp.Compare(o.places[a], o.places[b]), cmp.Compare(a, b))
	})
	for i, k := range o.list {
		place := o.places[k]
		if place < -placeMax || place > placeMax || i > 0 && place == o.places[o.list[i-1]] {
			return o.spread()
		}
	}
	return nil
}

// Append adds a torrent at the end, and returns its place. A torrent that is there stays where
// it is.
func (o *Order[K]) Append(k K) int64 {
	if place, ok := o.places[k]; ok {
		return place
	}
	if o.places == nil {
		o.places, o.index = make(map[K]int64), make(map[K]int)
	}
	o.list = append(o.list, k)
	o.places[k] = o.between(len(o.list) - 1)
	return o.places[k]
}

// Next returns the place that Append would give to another torrent.
func (o *Order[K]) Next() int64 {
	if len(o.list) == 0 {
		return 0
	}
	return o.places[o.list[len(o.list)-1]] + placeGap
}

// Remove takes a torrent out.
func (o *Order[K]) Remove(k K) {
	i := o.Position(k)
	if i < 0 {
		return
	}
	o.list = slices.Delete(o.list, i, i+1)
	delete(o.places, k)
	delete(o.index, k)
	o.changedFrom(i)
	o.known = min(o.known, len(o.list))
}

// Move gives a torrent another position, the nearest one that there is, and returns the
// torrents whose place has changed: itself as a rule, all if there was no place between its
// new neighbours, none if it is where it was.
func (o *Order[K]) Move(k K, to int) (changed []K) {
	from := o.Position(k)
	to = min(max(to, 0), len(o.list)-1)
	if from < 0 || from == to {
		return nil
	}
	o.list = slices.Insert(slices.Delete(o.list, from, from+1), to, k)
	o.changedFrom(min(from, to))
	place := o.between(to)
	if to > 0 && place <= o.places[o.list[to-1]] ||
		to+1 < len(o.list) && place >= o.places[o.list[to+1]] ||
		place < -placeMax || place > placeMax {
		return o.spread()
	}
	o.places[k] = place
	return []K{k}
}

// between returns a place between the neighbours of element i. If there is none, it returns
// that of a neighbour.
func (o *Order[K]) between(i int) int64 {
	switch {
	case len(o.list) == 1:
		return 0
	case i == 0:
		return o.places[o.list[1]] - placeGap
	case i == len(o.list)-1:
		return o.places[o.list[i-1]] + placeGap
	}
	before, after := o.places[o.list[i-1]], o.places[o.list[i+1]]
	return before + (after-before)/2
}

// spread gives all torrents places with gaps, and returns those whose place has changed.
func (o *Order[K]) spread() (changed []K) {
	for i, k := range o.list {
		if place := int64(i) * placeGap; o.places[k] != place {
			o.places[k] = place
			changed = append(changed, k)
		}
	}
	return changed
}

// A Shift says where several torrents go.
type Shift uint8

// The shifts.
const (
	Top Shift = iota
	Up        // by one position
	Down
	Bottom
)

// Shift moves some torrents, which keep their order among themselves. Torrents that have
// reached an end already stay there. It returns the torrents whose place has changed.
func (o *Order[K]) Shift(some []K, where Shift) (changed []K) {
	some = slices.DeleteFunc(slices.Clone(some), func(k K) bool { return !o.Has(k) })
	slices.SortFunc(some, func(a, b K) int { return cmp.Compare(o.Position(a), o.Position(b)) })
	some = slices.Compact(some)
	backwards := where == Down || where == Bottom
	if backwards {
		slices.Reverse(some)
	}
	seen := make(map[K]bool)
	for n, k := range some {
		end, step := n, -1 // no torrent of some goes beyond those before it
		if backwards {
			end, step = len(o.list)-1-n, 1
		}
		to := end
		if at := o.Position(k); at != end && (where == Up || where == Down) {
			to = at + step
		}
		for _, moved := range o.Move(k, to) {
			if !seen[moved] {
				seen[moved] = true
				changed = append(changed, moved)
			}
		}
	}
	return changed
}
