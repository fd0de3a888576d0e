package swarm

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
)

// A Kind is a set of things that changed about a torrent.
type Kind uint8

// The kinds of changes.
const (
	ChangedState    Kind = 1 << iota // what Torrent.State returns
	ChangedFiles                     // Torrent.Files
	ChangedTrackers                  // Torrent.Trackers and Torrent.WebSeeds
	ChangedPeers                     // which peers there are
	ChangedSettings                  // what the user set: limits, order, files, names, places
	Added                            // the torrent is new

	kindCount = iota
	allKinds  = 1<<kindCount - 1
)

// A Change says what changed about one torrent.
type Change struct {
	Torrent *Torrent
	Kinds   Kind
}

// Changes are the changes of an Engine since some moment. A torrent that changed several
// times is in it once: the values are read from its methods.
type Changes struct {
	// Seq is the moment after these changes, for Subscribe. It fits in 53 bits for many
	// years, so programs that keep numbers as floating point can hold it.
	Seq uint64
	// Reset says that the changes since then are not known, or that everything is new.
	// Torrents has all torrents, and others that the reader remembers are gone.
	Reset bool
	// Torrents are the torrents that changed or were added, the latest last. It is nil
	// without any.
	Torrents []Change
	// Removed are the info-hashes of torrents that are gone. They come before Torrents: a
	// torrent may have been removed and added again.
	Removed []metainfo.Hash
}

// tombstonesMax bounds how many removed torrents a feed remembers. A reader that lags
// behind by more removals reads everything again.
const tombstonesMax = 1024

// A feed knows in which order the torrents of an Engine changed last. A change costs the
// same however many torrents and readers there are, since readers have no queue: they look
// at the end of the order. It is safe for concurrent use.
type feed struct {
	mu     sync.Mutex
	closed bool
	seq    uint64 // of the last change; grows by one with each change
	// first and last are the ends of the list of torrents, which is in the order of
	// their last changes.
	first, last *Torrent
	count       int           // torrents in the list
	gone        []tombstone   // a ring; full once it has tombstonesMax
	oldest      int           // the oldest of a full ring
	since       uint64        // Seq of the oldest moment since when all removals are known
	wake        chan struct{} // closed at the next change; nil while no reader waits
}

// A feedEntry is the place of a torrent in a feed. Its feed guards it.
type feedEntry struct {
	before, after *Torrent
	last          uint64 // seq of its last change; 0 while it is not in the list
	// ago says, for each kind, how far before last the last change of that kind is. From
	// longAgo on it is not known exactly, and readers are told once too often.
	ago [kindCount]uint32
}

const longAgo = math.MaxUint32

// A tombstone says when a torrent was removed.
type tombstone struct {
	hash metainfo.Hash
	seq  uint64
}

// init starts the numbers at a moment that is later than every one of an earlier run,
// unless the clock was set back: no run makes a million changes per second.
func (f *feed) init(now time.Time) {
	f.seq = uint64(max(now.UnixMicro(), 1))
	f.since = f.seq
}

// add puts a torrent into the list.
func (f *feed) add(t *Torrent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	f.append(t, f.next())
}

// change says that something changed about t. It does nothing if t is not in the list.
func (f *feed) change(t *Torrent, kinds Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.fed.last == 0 || kinds&allKinds == 0 {
		return
	}
	f.unlink(t)
	t.fed.changed(f.seq+1-t.fed.last, kinds)
	f.append(t, f.next())
}

// remove takes t out of the list and remembers that it was there.
func (f *feed) remove(t *Torrent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.fed.last == 0 {
		return
	}
	f.count--
	f.unlink(t)
	t.fed.clear()
	stone := tombstone{t.hash, f.next()}
	if len(f.gone) < tombstonesMax {
		f.gone = append(f.gone, stone)
		return
	}
	f.since = f.gone[f.oldest].seq
	f.gone[f.oldest] = stone
	f.oldest = (f.oldest + 1) % tombstonesMax
}

// close ends all reading.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.rouse()
}

// next returns the number of a new change, and wakes the readers that wait for it. f.mu is
// held.
func (f *feed) next() uint64 {
	f.seq++
	f.rouse()
	return f.seq
}

// rouse wakes all readers that wait. f.mu is held.
func (f *feed) rouse() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// append puts t at the end of the list. f.mu is held.
func (f *feed) append(t *Torrent, seq uint64) {
	t.fed.before, t.fed.after, t.fed.last = f.last, nil, seq
	if f.last != nil {
		f.last.fed.after = t
	} else {
		f.first = t
	}
	f.last = t
}

// unlink takes t out of the list. f.mu is held.
func (f *feed) unlink(t *Torrent) {
	before, after := t.fed.before, t.fed.after
	if before != nil {
		before.fed.after = after
	} else {
		f.first = after
	}
	if after != nil {
		after.fed.before = before
	} else {
		f.last = before
	}
}

// read returns the changes since the moment from. If there are none, it returns a channel
// that is closed at the next change instead. The error is ErrClosed.
func (f *feed) read(from uint64) (c Changes, wait <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return Changes{}, nil, ErrClosed
	case from == f.seq:
		if f.wake == nil {
			f.wake = make(chan struct{})
		}
		return Changes{}, f.wake, nil
	case from < f.since, from > f.seq:
		c = Changes{Seq: f.seq, Reset: true, Torrents: make([]Change, 0, f.count)}
		for t := f.first; t != nil; t = t.fed.after {
			c.Torrents = append(c.Torrents, Change{t, allKinds})
		}
		return c, nil, nil
	}
	return f.changes(from), nil, nil
}

// changes returns what happened since the moment from, which f remembers. It costs as much
// as there are changes. f.mu is held.
func (f *feed) changes(from uint64) Changes {
	c := Changes{Seq: f.seq}
	for t := f.last; t != nil && t.fed.last > from; t = t.fed.before {
		c.Torrents = append(c.Torrents, Change{t, t.fed.since(from)})
	}
	slices.Reverse(c.Torrents)
	for i := range f.gone { // the latest first
		stone := &f.gone[(f.oldest+len(f.gone)-1-i)%len(f.gone)]
		if stone.seq <= from {
			break
		}
		c.Removed = append(c.Removed, stone.hash)
	}
	slices.Reverse(c.Removed)
	return c
}

// clear makes e the entry of a torrent that is not in the list.
func (e *feedEntry) clear() { *e = feedEntry{} }

// changed records a change of some kinds that comes later than the last one by some numbers.
func (e *feedEntry) changed(later uint64, kinds Kind) {
	for i := range e.ago {
		if kinds&(1<<i) != 0 {
			e.ago[i] = 0
		} else {
			e.ago[i] = uint32(min(uint64(e.ago[i])+later, longAgo))
		}
	}
}

// since returns the kinds of changes after the moment from.
func (e *feedEntry) since(from uint64) Kind {
	var kinds Kind
	for i, ago := range e.ago {
		if e.last-uint64(ago) > from || ago == longAgo {
			kinds |= 1 << i
		}
	}
	return kinds
}

// A Subscription reads the changes of an Engine. It holds nobody up and needs no end: a
// reader that comes late finds all changes in one piece, each torrent once. One goroutine
// at a time may use it.
type Subscription struct {
	feed *feed
	seq  uint64
}

// Subscribe returns a reader of the changes since the moment from, the Seq of earlier
// Changes. If from is 0, of another run, or older than what the engine remembers, the
// first Changes has Reset set and all torrents.
func (e *Engine) Subscribe(from uint64) *Subscription { return &Subscription{&e.feed, from} }

// Next returns what changed since the last call, and waits until something has. The caller
// chooses how often it asks: changes in between become one. The error is that of ctx, or
// ErrClosed once the engine is closed.
func (s *Subscription) Next(ctx context.Context) (Changes, error) {
	for {
		changes, wait, err := s.feed.read(s.seq)
		if err != nil {
			return Changes{}, err
		}
		if wait == nil {
			s.seq = changes.Seq
			return changes, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Changes{}, ctx.Err()
		}
	}
}

// changed says that something changed about the torrent, after it did. Any goroutine may
// call it.
func (t *Torrent) changed(kinds Kind) { t.engine.feed.change(t, kinds) }
