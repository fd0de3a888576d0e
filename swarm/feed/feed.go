package feed

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// KindsMax is how many kinds of changes a Feed tells apart.
	KindsMax = 6
	// All are all kinds.
	All = 1<<KindsMax - 1
	// TombstonesMax bounds how many removed items a Feed remembers. A reader that lags
	// behind by more removals reads everything again.
	TombstonesMax = 1024

	// longAgo stands for a change of a kind that happened too many changes ago to say when.
	longAgo = math.MaxUint32
)

// A Change says what changed about one item.
type Change[T any] struct {
	Item  *T
	Kinds uint8
}

// Changes are the changes of a Feed since some moment. An item that changed several times is
// in it once.
type Changes[T, K any] struct {
	// Seq is the moment after these changes. It fits in 53 bits for many years, so programs
	// that keep numbers as floating point can hold it.
	Seq uint64
	// Reset says that the changes since then are not known, or that everything is new. Items
	// has all items with all kinds, and others that the reader remembers are gone.
	Reset bool
	// Marked says that there was a mark.
	Marked bool
	// Items are those that changed or were added, the latest last. It is nil without any.
	Items []Change[T]
	// Removed has the keys of items that are gone. They come before Items: an item may have
	// been removed and added again.
	Removed []K
}

// An Entry is the place of an item in a Feed, which guards it. An item has one.
type Entry[T any] struct {
	item          *T
	before, after *Entry[T]
	last          uint64 // moment of its last change; 0 while it is not in the list
	// ago says, for each kind, how far before last the last change of that kind is. From
	// longAgo on it is not known exactly, and readers are told once too often.
	ago [KindsMax]uint32
}

// A Feed knows in which order items of type *T changed last. K is what a removed item is
// remembered by. It is safe for concurrent use, once Init was called.
type Feed[T, K any] struct {
	entry func(*T) *Entry[T]
	key   func(*T) K

	mu     sync.Mutex
	closed bool
	hours  hours
	seq    uint64 // of the last change; grows by one with each change
	mark   uint64 // seq of the last mark
	// first and last are the ends of the list of items, which is in the order of their
	// last changes.
	first, last *Entry[T]
	count       int            // items in the list
	gone        []tombstone[K] // a ring; full once it has TombstonesMax
	oldest      int            // the oldest of a full ring
	since       uint64         // the oldest moment since when all removals are known
	wake        chan struct{}  // closed at the next change; nil while no reader waits
}

// A tombstone says when an item was removed.
type tombstone[K any] struct {
	key K
	seq uint64
}

// Init makes f an empty feed. Its moments are later than those of an earlier run, unless the
// clock was set back: no run makes a million changes per second. entry returns the Entry of
// an item, and key what it is remembered by.
func (f *Feed[T, K]) Init(now time.Time, entry func(*T) *Entry[T], key func(*T) K) {
	f.entry, f.key = entry, key
	f.seq = uint64(max(now.UnixMicro(), 1))
	f.since = f.seq
	f.hours.strike(now, f.seq)
}

// Add puts an item into the list.
func (f *Feed[T, K]) Add(t *T) {
	e := f.entry(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.last != 0 {
		return
	}
	e.item = t
	f.count++
	f.append(e, f.next())
}

// Change says that something changed about an item. It does nothing if the item is not in
// the list.
func (f *Feed[T, K]) Change(t *T, kinds uint8) {
	e := f.entry(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.last == 0 || kinds&All == 0 {
		return
	}
	f.unlink(e)
	e.changed(f.seq+1-e.last, kinds)
	f.append(e, f.next())
}

// Mark says that something changed that is no item.
func (f *Feed[T, K]) Mark() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark = f.next()
}

// Remove takes an item out of the list and remembers that it was there.
func (f *Feed[T, K]) Remove(t *T) {
	e := f.entry(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.last == 0 {
		return
	}
	f.count--
	f.unlink(e)
	*e = Entry[T]{}
	stone := tombstone[K]{f.key(t), f.next()}
	if len(f.gone) < TombstonesMax {
		f.gone = append(f.gone, stone)
		return
	}
	f.since = f.gone[f.oldest].seq
	f.gone[f.oldest] = stone
	f.oldest = (f.oldest + 1) % TombstonesMax
}

// Close ends all reading.
func (f *Feed[T, K]) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.rouse()
}

// Seq returns the moment of the last change.
func (f *Feed[T, K]) Seq() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq
}

// Moment returns a moment after which everything lies that has changed since t. What has
// changed for up to StrikeEvery before t may lie after it as well. For a time that is too
// long ago it is 0, of which Read makes a Reset.
func (f *Feed[T, K]) Moment(t time.Time) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hours.moment(t, f.seq)
}

// next returns the number of a new change, and wakes the readers that wait for it. f.mu is
// held.
func (f *Feed[T, K]) next() uint64 {
	f.hours.strike(time.Now(), f.seq)
	f.seq++
	f.rouse()
	return f.seq
}

// rouse wakes all readers that wait. f.mu is held.
func (f *Feed[T, K]) rouse() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// append puts e at the end of the list. f.mu is held.
func (f *Feed[T, K]) append(e *Entry[T], seq uint64) {
	e.before, e.after, e.last = f.last, nil, seq
	if f.last != nil {
		f.last.after = e
	} else {
		f.first = e
	}
	f.last = e
}

// unlink takes e out of the list. f.mu is held.
func (f *Feed[T, K]) unlink(e *Entry[T]) {
	if e.before != nil {
		e.before.after = e.after
	} else {
		f.first = e.after
	}
	if e.after != nil {
		e.after.before = e.before
	} else {
		f.last = e.before
	}
}

// Read returns the changes since the moment from, the Seq of earlier Changes. If from is 0, of
// another run, or older than what f remembers, the Changes have Reset set and all items. If
// there are no changes, Read returns a channel that is closed at the next one instead. closed
// says that Close was called.
func (f *Feed[T, K]) Read(from uint64) (c Changes[T, K], wait <-chan struct{}, closed bool) {
	items, c, wait, closed := ReadAs(f, from, func(t *T, kinds uint8) Change[T] {
		return Change[T]{t, kinds}
	})
	c.Items = items
	return c, wait, closed
}

// ReadAs is Feed.Read for programs that have a type of their own for a change, which as makes
// while the feed is locked. The Changes have no Items.
func ReadAs[C, T, K any](f *Feed[T, K], from uint64, as func(t *T, kinds uint8) C) (items []C,
	c Changes[T, K], wait <-chan struct{}, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, c, nil, true
	case from == f.seq:
		if f.wake == nil {
			f.wake = make(chan struct{})
		}
		return nil, c, f.wake, false
	case from < f.since, from > f.seq:
		items = make([]C, 0, f.count)
		for e := f.first; e != nil; e = e.after {
			items = append(items, as(e.item, All))
		}
		return items, Changes[T, K]{Seq: f.seq, Reset: true, Marked: true}, nil, false
	}
	for e := f.last; e != nil && e.last > from; e = e.before {
		items = append(items, as(e.item, e.since(from)))
	}
	slices.Reverse(items)
	c = Changes[T, K]{Seq: f.seq, Marked: f.mark > from, Removed: f.removals(from)}
	return items, c, nil, false
}

// removals returns what was removed since the moment from, which f remembers. It costs as much
// as there are removals. f.mu is held.
func (f *Feed[T, K]) removals(from uint64) (keys []K) {
	for i := range f.gone { // the latest first
		stone := &f.gone[(f.oldest+len(f.gone)-1-i)%len(f.gone)]
		if stone.seq <= from {
			break
		}
		keys = append(keys, stone.key)
	}
	slices.Reverse(keys)
	return keys
}

// changed records a change of some kinds that comes later than the last one by some numbers.
func (e *Entry[T]) changed(later uint64, kinds uint8) {
	for i := range e.ago {
		if kinds&(1<<i) != 0 {
			e.ago[i] = 0
		} else {
			e.ago[i] = uint32(min(uint64(e.ago[i])+later, longAgo))
		}
	}
}

// since returns the kinds of changes after the moment from.
func (e *Entry[T]) since(from uint64) uint8 {
	var kinds uint8
	for i, ago := range e.ago {
		if e.last-uint64(ago) > from || ago == longAgo {
			kinds |= 1 << i
		}
	}
	return kinds
}
