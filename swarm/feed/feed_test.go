package feed

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A thing is an item with a value that changes.
type thing struct {
	name  int
	value int
	entry Entry[thing]
}

// newFeed returns a feed of things.
func newFeed(now time.Time) *Feed[thing, int] {
	f := new(Feed[thing, int])
	f.Init(now, func(t *thing) *Entry[thing] { return &t.entry },
		func(t *thing) int { return t.name })
	return f
}

// A reader remembers what the feed has told it, as a program would.
type reader struct {
	seq   uint64
	known map[int]*thing
	seen  map[*thing]int
	marks int
}

func newReader(from uint64) *reader {
	return &reader{from, make(map[int]*thing), make(map[*thing]int), 0}
}

// read reads until nothing has changed any more.
func (r *reader) read(t *testing.T, f *Feed[thing, int]) {
	t.Helper()
	for {
		c, wait, closed := f.Read(r.seq)
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
		if c.Reset {
			clear(r.known)
		}
		if c.Marked {
			r.marks++
		}
		for _, name := range c.Removed {
			delete(r.known, name)
		}
		for _, change := range c.Items {
			r.known[change.Item.name] = change.Item
			r.seen[change.Item] = change.Item.value
		}
	}
}

// check fails the test unless r knows the things of truth with their present values.
func (r *reader) check(t *testing.T, truth map[int]*thing) {
	t.Helper()
	if len(r.known) != len(truth) {
		t.Fatalf("the reader knows %d things of %d", len(r.known), len(truth))
	}
	for name, x := range truth {
		if r.known[name] != x || r.seen[x] != x.value {
			t.Fatalf("%d: the reader has %v, the truth is %v", name, r.known[name], x)
		}
	}
}

// TestNothingIsLost: readers that read at random moments end with what is true, whatever
// happened in between, and hear of every mark.
func TestNothingIsLost(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		f := newFeed(time.Now())
		truth := make(map[int]*thing)
		readers := []*reader{newReader(0), newReader(0), newReader(0)}
		names := 1 + rng.IntN(3*TombstonesMax/2)
		for range 4000 {
			name := rng.IntN(names)
			x := truth[name]
			switch do := rng.IntN(100); {
			case do < 60 && x == nil:
				truth[name] = &thing{name: name}
				f.Add(truth[name])
				f.Add(truth[name]) // which changes nothing
			case do < 60:
				x.value++
				f.Change(x, 1<<rng.IntN(KindsMax))
			case do < 96 && x != nil:
				f.Remove(x)
				f.Remove(x)
				f.Change(x, 1) // too late
				delete(truth, name)
			case do >= 98:
				r := readers[rng.IntN(len(readers))]
				marks := r.marks
				f.Mark()
				if r.read(t, f); r.marks == marks {
					t.Fatalf("seed %d: a mark was not told", seed)
				}
				r.check(t, truth)
			}
		}
		for _, r := range append(readers, newReader(0), newReader(1)) {
			r.read(t, f)
			r.check(t, truth)
		}
	}
}

// TestKinds: a reader hears which kinds of changes came after its moment.
func TestKinds(t *testing.T) {
	f := newFeed(time.Now())
	x, other := &thing{name: 1}, &thing{name: 2}
	f.Add(x)
	f.Add(other)
	moments := []uint64{f.Seq()}
	for _, kinds := range []uint8{1, 2, 4, 0, 1 << 7} {
		f.Change(other, 1)
		f.Change(x, kinds)
		moments = append(moments, f.Seq())
	}
	for i, want := range []uint8{7, 6, 4, 0, 0} {
		c, _, _ := f.Read(moments[i])
		var got uint8
		for _, item := range c.Items {
			if item.Item == x {
				got = item.Kinds
			}
		}
		if got != want {
			t.Errorf("since moment %d: kinds %b, want %b", i, got, want)
		}
	}
	x.entry.changed(longAgo, 1)
	x.entry.changed(longAgo, 1)
	if kinds := x.entry.since(f.Seq()); kinds != All&^1 {
		t.Errorf("kinds of long ago: %b", kinds)
	}
}

// TestWaiting: a reader that waits is woken by each kind of news, and by the end.
func TestWaiting(t *testing.T) {
	f := newFeed(time.Time{})
	x := &thing{name: 1}
	for _, news := range []func(){
		func() { f.Add(x) }, func() { f.Change(x, 1) }, f.Mark, func() { f.Remove(x) }, f.Close,
	} {
		_, wait, _ := f.Read(f.Seq())
		_, same, _ := f.Read(f.Seq())
		if wait == nil || wait != same {
			t.Fatal("readers do not wait for the same news")
		}
		news()
		select {
		case <-wait:
		default:
			t.Fatal("the reader was not woken")
		}
	}
	if _, _, closed := f.Read(0); !closed {
		t.Error("the feed is not closed")
	}
}

// TestForgottenRemovals: a reader that lags behind by too many removals reads everything again.
func TestForgottenRemovals(t *testing.T) {
	f := newFeed(time.Now())
	start := f.Seq()
	for i := range TombstonesMax + 1 {
		x := &thing{name: i}
		f.Add(x)
		if i == 0 {
			start = f.Seq()
		}
		f.Remove(x)
	}
	if c, _, _ := f.Read(start); !c.Reset || !c.Marked {
		t.Errorf("%d removals are told, %v", len(c.Removed), c.Reset)
	}
	x := &thing{name: -1}
	f.Add(x)
	c, _, _ := f.Read(start + 1)
	if c.Reset || len(c.Removed) != TombstonesMax || fmt.Sprint(c.Removed[:2]) != "[1 2]" {
		t.Errorf("%d removals, %v", len(c.Removed), c.Reset)
	}
}

func BenchmarkChange(b *testing.B) {
	f := newFeed(time.Now())
	things := make([]thing, 10_000)
	for i := range things {
		f.Add(&things[i])
	}
	i := 0
	for b.Loop() {
		f.Change(&things[i*7919%len(things)], 1)
		i++
	}
}
