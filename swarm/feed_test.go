package swarm

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/feed"
)

// newFeedEngine returns an Engine with nothing but a feed.
func newFeedEngine() *Engine {
	e := new(Engine)
	e.feed.Init(time.Now(), entryOf, hashOf)
	return e
}

// fedTorrent returns a torrent of e that is not in its feed yet.
func fedTorrent(e *Engine, n int) *Torrent {
	t := &Torrent{engine: e}
	binary.BigEndian.PutUint32(t.hash[:], uint32(n))
	return t
}

// A feedReader remembers what the feed has told it, as a program would.
type feedReader struct {
	*Subscription
	known map[metainfo.Hash]*Torrent
	seen  map[*Torrent]int64 // the value at the last change
}

func newFeedReader(e *Engine, from uint64) *feedReader {
	return &feedReader{e.Subscribe(from), make(map[metainfo.Hash]*Torrent),
		make(map[*Torrent]int64)}
}

// apply takes note of changes. The value of a torrent is its count of heard addresses.
func (r *feedReader) apply(c Changes) {
	if c.Reset {
		clear(r.known)
	}
	for _, hash := range c.Removed {
		delete(r.known, hash)
	}
	for _, change := range c.Torrents {
		t := change.Torrent
		if change.Kinds&Added != 0 {
			r.known[t.hash] = t
		}
		r.seen[t] = t.heard.Load()
	}
}

// catchUp reads until nothing has changed any more.
func (r *feedReader) catchUp(t *testing.T) {
	t.Helper()
	for {
		c, wait, closed := read(r.feed, r.seq)
		if closed {
			t.Fatal("the feed is closed")
		}
		if wait != nil {
			return
		}
		if c.Seq <= r.seq && !c.Reset {
			t.Fatalf("the number went from %d to %d", r.seq, c.Seq)
		}
		r.seq = c.Seq
		r.apply(c)
	}
}

// check fails the test unless r knows the torrents of truth with their present values.
func (r *feedReader) check(t *testing.T, truth map[metainfo.Hash]*Torrent) {
	t.Helper()
	if len(r.known) != len(truth) {
		t.Fatalf("the reader knows %d torrents of %d", len(r.known), len(truth))
	}
	for hash, torrent := range truth {
		if r.known[hash] != torrent || r.seen[torrent] != torrent.heard.Load() {
			t.Fatalf("%v: the reader has %p with %d, the truth is %p with %d", hash,
				r.known[hash], r.seen[r.known[hash]], torrent, torrent.heard.Load())
		}
	}
}

// TestFeedLosesNothing: readers that read at random moments, from any moment on, end with
// what is true, whatever happened in between.
func TestFeedLosesNothing(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		e := newFeedEngine()
		truth := make(map[metainfo.Hash]*Torrent)
		readers := []*feedReader{newFeedReader(e, 0)}
		names := 1 + rng.IntN(3*feed.TombstonesMax/2)
		for range 4000 {
			torrent := fedTorrent(e, rng.IntN(names))
			there := truth[torrent.hash]
			switch do := rng.IntN(100); {
			case do < 60 && there == nil:
				e.feed.Add(torrent)
				truth[torrent.hash] = torrent
			case do < 60:
				there.heard.Add(1)
				there.changed(1 << rng.IntN(kindCount-1))
			case do < 98 && there != nil:
				e.feed.Remove(there)
				delete(truth, there.hash)
				there.changed(ChangedState) // too late
			case do >= 98 && len(readers) < 10:
				readers = append(readers, newFeedReader(e, readers[rng.IntN(len(readers))].seq))
				clone(readers[len(readers)-1], readers)
			case do >= 98:
				readers[rng.IntN(len(readers))].catchUp(t)
			}
		}
		for _, r := range readers {
			r.catchUp(t)
			r.check(t, truth)
		}
	}
}

// clone gives r the memory of the reader that stopped at its moment.
func clone(r *feedReader, others []*feedReader) {
	for _, other := range others {
		if other.seq == r.seq && other != r {
			for hash, torrent := range other.known {
				r.known[hash] = torrent
			}
			for torrent, value := range other.seen {
				r.seen[torrent] = value
			}
			return
		}
	}
}

// TestFeedOrder: changes come in their order, each torrent once and with the kinds of all
// its changes since the moment that is asked for.
func TestFeedOrder(t *testing.T) {
	e := newFeedEngine()
	a, b, c := fedTorrent(e, 1), fedTorrent(e, 2), fedTorrent(e, 3)
	for _, torrent := range []*Torrent{a, b, c} {
		e.feed.Add(torrent)
	}
	s := e.Subscribe(0)
	expect := func(want Changes) {
		t.Helper()
		got, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Reset != want.Reset || !slices.Equal(got.Torrents, want.Torrents) ||
			!slices.Equal(got.Removed, want.Removed) || got.Seq != e.feed.Seq() {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	expect(Changes{Reset: true, Torrents: []Change{{a, allKinds}, {b, allKinds}, {c, allKinds}}})

	b.changed(ChangedPeers)
	a.changed(ChangedState)
	b.changed(ChangedFiles | ChangedState)
	expect(Changes{Torrents: []Change{{a, ChangedState},
		{b, ChangedPeers | ChangedFiles | ChangedState}}})

	b.changed(ChangedPeers)
	e.feed.Remove(c)
	e.feed.Remove(a)
	again := fedTorrent(e, 3)
	e.feed.Add(again)
	b.changed(0)
	c.changed(ChangedState)
	expect(Changes{Torrents: []Change{{b, ChangedPeers}, {again, allKinds}},
		Removed: []metainfo.Hash{c.hash, a.hash}})
}

// TestFeedReset: a reader reads everything when its moment is of another run, or when more
// torrents were removed since than the feed remembers.
func TestFeedReset(t *testing.T) {
	e := newFeedEngine()
	first := e.feed.Seq()
	kept := fedTorrent(e, 1)
	e.feed.Add(kept)
	for from, reset := range map[uint64]bool{
		0: true, 1: true, first - 1: true, first: false, first + 2: true, 1 << 63: true,
	} {
		c, err := e.Subscribe(from).Next(t.Context())
		if err != nil || c.Reset != reset || len(c.Torrents) != 1 || c.Torrents[0].Torrent != kept {
			t.Errorf("from %d: %+v, %v", from, c, err)
		}
	}
	var moments []uint64
	for i := range feed.TombstonesMax + 2 {
		torrent := fedTorrent(e, 2+i)
		e.feed.Add(torrent)
		moments = append(moments, e.feed.Seq()) // before the removal
		e.feed.Remove(torrent)
	}
	for i, reset := range map[int]bool{0: true, 1: true, 2: false, feed.TombstonesMax: false} {
		c, err := e.Subscribe(moments[i]).Next(t.Context())
		if err != nil || c.Reset != reset || !reset && len(c.Removed) != feed.TombstonesMax+2-i {
			t.Errorf("before removal %d: reset %v, %d removed", i, c.Reset, len(c.Removed))
		}
	}
}

// TestNextWaits: Next returns when something changes, when its context ends, and when the
// engine is closed, and not before.
func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFeedEngine()
		torrent := fedTorrent(e, 1)
		e.feed.Add(torrent)
		s := e.Subscribe(e.feed.Seq())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var changes Changes
		var err error
		next := func(do func()) {
			t.Helper()
			returned := make(chan struct{})
			go func() {
				changes, err = s.Next(ctx)
				close(returned)
			}()
			synctest.Wait()
			select {
			case <-returned:
				t.Fatal("it did not wait")
			default:
			}
			do()
			<-returned
		}
		next(func() { torrent.changed(ChangedFiles) })
		if err != nil || len(changes.Torrents) != 1 {
			t.Errorf("%+v, %v", changes, err)
		}
		next(func() { e.feed.Remove(torrent) })
		if err != nil || len(changes.Removed) != 1 {
			t.Errorf("%+v, %v", changes, err)
		}
		next(cancel)
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		ctx = t.Context()
		next(e.feed.Close)
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if _, err := e.Subscribe(0).Next(ctx); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestFeedOfMany: many goroutines change torrents, add and remove them, while readers read
// at their own speed. All of them end with what is true.
func TestFeedOfMany(t *testing.T) {
	e := newFeedEngine()
	const writers, each = 8, 20
	var mu sync.Mutex
	truth := make(map[metainfo.Hash]*Torrent)
	var done atomic.Bool
	var reading, writing sync.WaitGroup
	readers := make([]*feedReader, 4)
	for i := range readers {
		readers[i] = newFeedReader(e, 0)
		reading.Go(func() {
			for r := readers[i]; !done.Load(); {
				c, err := r.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				r.apply(c)
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			mine := make([]*Torrent, each)
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for range 2000 {
				i := rng.IntN(each)
				switch {
				case mine[i] == nil:
					mine[i] = fedTorrent(e, w*each+i)
					e.feed.Add(mine[i])
				case rng.IntN(10) == 0:
					e.feed.Remove(mine[i])
					mine[i] = nil
				default:
					mine[i].heard.Add(1)
					mine[i].changed(ChangedState)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, torrent := range mine {
				if torrent != nil {
					truth[torrent.hash] = torrent
				}
			}
		})
	}
	writing.Wait()
	done.Store(true)
	last := fedTorrent(e, writers*each) // wakes readers that wait
	e.feed.Add(last)
	truth[last.hash] = last
	reading.Wait()
	for _, r := range readers {
		r.catchUp(t)
		r.check(t, truth)
	}
}

// TestReaderOfAnEngine: whatever torrents do, a reader who asks for the state of those that
// changed ends with the states of all.
func TestReaderOfAnEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		ctx, cancel := context.WithCancel(t.Context())
		known := make(map[*Torrent]State)
		var reading, writing sync.WaitGroup
		reading.Go(func() {
			for s := e.Subscribe(0); ; {
				c, err := s.Next(ctx)
				if err != nil {
					return
				}
				if c.Reset {
					clear(known)
				}
				for torrent := range known {
					if slices.Contains(c.Removed, torrent.hash) {
						delete(known, torrent)
					}
				}
				for _, change := range c.Torrents {
					known[change.Torrent] = change.Torrent.State()
				}
				time.Sleep(7 * time.Millisecond)
			}
		})
		for w := range 6 {
			writing.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), 9))
				torrent := addLink(t, e, byte(1+w))
				for range 60 {
					switch rng.IntN(6) {
					case 0:
						torrent.Close()
						torrent = addLink(t, e, byte(1+w))
					case 1:
						torrent.SetSequential(rng.IntN(2) == 0)
					case 2:
						torrent.SetLimits(Limits{Up: rng.Int64N(5)})
					default:
						hearOf(torrent, rng.IntN(50), 1)
					}
					time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
				}
			})
		}
		writing.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		cancel()
		reading.Wait()
		if len(known) != 6 {
			t.Errorf("the reader knows %d torrents of 6", len(known))
		}
		for _, torrent := range e.Torrents() {
			was, is := known[torrent], torrent.State()
			if !was.same(&is) || was.Limits != is.Limits {
				t.Errorf("%v: the reader has %+v\nthe truth is %+v", torrent.hash, was, is)
			}
		}
	})
}
