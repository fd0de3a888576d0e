package limit

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPlacement: groups bound what their members have together, those outside of the common
// limit leave it to the others, and ranks divide what there is.
func TestPlacement(t *testing.T) {
	one := func(u user) user { u.connections = 1; return u }
	many := func(u user) user { u.connections = 20; return u }
	for name, c := range map[string]struct {
		users   []user
		parties map[string]party
		want    []float64
	}{
		"a group of one": {[]user{one(user{group: "a"}), many(user{})},
			map[string]party{"a": {rate: 0.25}}, []float64{0.25, 0.75}},
		"a group of three": {
			[]user{one(user{group: "a"}), many(user{group: "a"}), one(user{group: "a"}),
				many(user{})},
			map[string]party{"a": {rate: 0.3}}, []float64{0.1, 0.1, 0.1, 0.7}},
		"a group with more than its share": {[]user{one(user{group: "a"}), many(user{})},
			map[string]party{"a": {rate: 0.9}}, []float64{0.5, 0.5}},
		"a group without a limit": {[]user{one(user{group: "a"}), many(user{})},
			map[string]party{"a": {}}, []float64{0.5, 0.5}},
		"a member with a limit of its own": {
			[]user{many(user{group: "a", own: 0.1}), many(user{group: "a"}), many(user{})},
			map[string]party{"a": {rate: 0.4}}, []float64{0.1, 0.3, 0.6}},
		"a slow member": {
			[]user{one(user{group: "a", wants: 0.1}), many(user{group: "a"}), many(user{})},
			map[string]party{"a": {rate: 0.4}}, []float64{0.1, 0.3, 0.6}},
		"two groups": {
			[]user{one(user{group: "a"}), one(user{group: "b"}), many(user{group: "b"}),
				one(user{})},
			map[string]party{"a": {rate: 0.1}, "b": {rate: 0.2}}, []float64{0.1, 0.1, 0.1, 0.7}},
		"a group outside": {[]user{one(user{group: "a"}), many(user{group: "a"}), many(user{})},
			map[string]party{"a": {rate: 0.5, alone: true}}, []float64{0.25, 0.25, 1}},
		"one alone": {[]user{one(user{own: 0.5, place: Placement{Alone: true}}), many(user{})}, nil,
			[]float64{0.5, 1}},
		"one alone leaves its group": {
			[]user{one(user{group: "a", own: 0.5, place: Placement{Alone: true}}),
				many(user{group: "a"})},
			map[string]party{"a": {rate: 0.1}}, []float64{0.5, 0.1}},
		"ranks": {[]user{one(user{place: Placement{Rank: -1}}), many(user{}),
			one(user{place: Placement{Rank: 1}})}, nil, []float64{1. / 21, 4. / 21, 16. / 21}},
		"a high rank that wants little": {[]user{one(user{wants: 0.2, place: Placement{Rank: 1}}),
			many(user{})}, nil, []float64{0.2, 0.8}},
		"a low rank without others": {[]user{one(user{place: Placement{Rank: -1}})}, nil,
			[]float64{1}},
		"ranks in a group": {[]user{many(user{group: "a"}),
			many(user{group: "a", place: Placement{Rank: 1}}), one(user{})},
			map[string]party{"a": {rate: 0.5}}, []float64{0.1, 0.4, 0.5}},
		"large ranks are ranks of 1": {[]user{one(user{place: Placement{Rank: 99}}),
			one(user{place: Placement{Rank: -99}})}, nil, []float64{16. / 17, 1. / 17}},
	} {
		for _, rate := range []int64{1 << 20, 100 << 20} {
			t.Run(fmt.Sprintf("%s/%d", name, rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got := parts(t, rate, 10, c.users, c.parties)
					for i, want := range c.want {
						if got[i] < want-0.03 || got[i] > want+0.03 {
							t.Errorf("got %.3f of the rate, want %.3f", got, c.want)
							break
						}
					}
				})
			})
		}
	}
}

// TestGroupAlone: a group outside limits its members when the common rate is none.
func TestGroupAlone(t *testing.T) {
	for _, alone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			common := NewCommon(0)
			g := common.NewGroup()
			g.Set(1<<20, alone)
			if g.Rate() != 1<<20 {
				t.Errorf("the rate is %d", g.Rate())
			}
			a, b := NewBucket(0, common), NewBucket(0, common)
			a.Place(Placement{Group: g})
			if !a.Limits() || b.Limits() {
				t.Fatalf("limits: %v and %v, want the member of the group alone", a.Limits(),
					b.Limits())
			}
			if got := movedIn(t, a, 10*time.Second) >> 20; got < 9 || got > 11 {
				t.Errorf("%d MiB in 10 s, want 10", got)
			}
		})
	}
}

// movedIn returns how many bytes a bucket lets through in that time.
func movedIn(t *testing.T, b *Bucket, d time.Duration) (n int64) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); n += int64(b.Quantum()) {
		if err := b.WaitN(t.Context(), b.Quantum()); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestPlaceChanges: a change of the placement or of the group concerns those who wait.
func TestPlaceChanges(t *testing.T) {
	for name, change := range map[string]func(b *Bucket, g *Group){
		"alone":        func(b *Bucket, g *Group) { b.Place(Placement{Group: g, Alone: true}) },
		"out of it":    func(b *Bucket, g *Group) { b.Place(Placement{}) },
		"no limit":     func(b *Bucket, g *Group) { g.Set(0, false) },
		"a high limit": func(b *Bucket, g *Group) { g.Set(1<<30, true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				common := NewCommon(0)
				g := common.NewGroup()
				g.Set(10, false)
				b := NewBucket(0, common)
				b.Place(Placement{Group: g})
				b.Take(1 << 10)
				var done atomic.Bool
				go func() {
					if b.Take(1<<10).Wait(t.Context()) == nil {
						done.Store(true)
					}
				}()
				time.Sleep(time.Second)
				if done.Load() {
					t.Fatal("a group of 10 bytes per second lets a kilobyte through in a second")
				}
				change(b, g)
				time.Sleep(time.Second)
				if !done.Load() {
					t.Error("the ticket still waits")
				}
			})
		})
	}
}

// TestGroupBurst: a group that nobody has used for long has no more than a burst.
func TestGroupBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		common := NewCommon(100 * rate)
		g := common.NewGroup()
		g.Set(rate, false)
		b := NewBucket(0, common)
		b.Place(Placement{Group: g})
		other := NewBucket(0, common)
		for _, pause := range []time.Duration{0, time.Second, time.Hour} {
			time.Sleep(pause)
			movedIn(t, other, 10*time.Millisecond) // so that the common rate was shared
			most := int64(rate + 2*common.burst(rate) + float64(2*b.Quantum()))
			if got := movedIn(t, b, time.Second); got > most {
				t.Errorf("%d bytes in a second after %v, want at most %d", got, pause, most)
			}
		}
	})
}

// TestPlaceNothing: a nil bucket has no place.
func TestPlaceNothing(t *testing.T) {
	var b *Bucket
	b.Place(Placement{Alone: true})
	if b.Limits() {
		t.Error("a nil bucket limits")
	}
}
