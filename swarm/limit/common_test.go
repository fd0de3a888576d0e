package limit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// user is a torrent that shares a limit with others.
type user struct {
	connections int
	own         float64 // its own limit, as part of the common one; 0 is none
	// what its connections can move, as part of the common limit; 0 is any amount
	wants  float64
	begins time.Duration
	place  Placement // without a group
	group  string    // "" is none
}

// A party is the limit of a group of users, as part of the common limit; 0 is none.
type party struct {
	rate  float64
	alone bool
}

// parts has users share a rate for some seconds, and returns what part of it each
// got of the time from which all were there.
func parts(t *testing.T, rate int64, seconds int, users []user,
	parties map[string]party) []float64 {
	t.Helper()
	common := NewCommon(rate)
	groups := make(map[string]*Group)
	for name, p := range parties {
		groups[name] = common.NewGroup()
		groups[name].Set(int64(p.rate*float64(rate)), p.alone)
	}
	var all time.Duration
	for _, u := range users {
		all = max(all, u.begins)
	}
	from := time.Now().Add(all)
	ctx, cancel := context.WithDeadline(t.Context(), from.Add(time.Duration(seconds)*time.Second))
	defer cancel()
	var wg sync.WaitGroup
	moved := make([]atomic.Int64, len(users))
	for i, u := range users {
		b := NewBucket(int64(u.own*float64(rate)), common)
		u.place.Group = groups[u.group]
		b.Place(u.place)
		for range u.connections {
			wg.Go(func() {
				time.Sleep(u.begins)
				n := b.Quantum()
				if u.wants > 0 {
					n /= u.connections
				}
				for ctx.Err() == nil && b.WaitN(ctx, n) == nil {
					if !time.Now().Before(from) {
						moved[i].Add(int64(n))
					}
					if u.wants > 0 {
						time.Sleep(time.Duration(float64(n*u.connections) / u.wants / float64(
							rate) * float64(time.Second)))
					}
				}
			})
		}
	}
	wg.Wait()
	got := make([]float64, len(users))
	for i := range got {
		got[i] = float64(moved[i].Load()) / float64(seconds) / float64(rate)
	}
	return got
}

// TestCommon: torrents have equal parts of a common limit, however many connections
// each has; what one cannot or may not use goes to the others.
func TestCommon(t *testing.T) {
	for name, c := range map[string]struct {
		users []user
		want  []float64 // parts of the rate
	}{
		"alone with one":  {[]user{{connections: 1}}, []float64{1}},
		"alone with many": {[]user{{connections: 40}}, []float64{1}},
		"one beside many": {[]user{{connections: 1}, {connections: 40}}, []float64{0.5, 0.5}},
		"many beside one": {[]user{{connections: 40}, {connections: 1}}, []float64{0.5, 0.5}},
		"three": {[]user{{connections: 40}, {connections: 1}, {connections: 7}},
			[]float64{1. / 3, 1. / 3, 1. / 3}},
		"one comes later": {[]user{{connections: 40},
			{connections: 1, begins: 3 * time.Second}}, []float64{0.5, 0.5}},
		"many come later": {[]user{{connections: 1},
			{connections: 40, begins: 3 * time.Second}}, []float64{0.5, 0.5}},
		"a limit of its own": {[]user{{connections: 8, own: 1. / 8}, {connections: 2},
			{connections: 2}}, []float64{2. / 16, 7. / 16, 7. / 16}},
		"a high one": {[]user{{connections: 8, own: 0.9}, {connections: 1}},
			[]float64{0.5, 0.5}},
		"two such": {[]user{{connections: 8, own: 0.1}, {connections: 1, own: 0.2}},
			[]float64{0.1, 0.2}},
		"slow": {[]user{{connections: 1, wants: 0.1}, {connections: 1}},
			[]float64{0.1, 0.9}},
		"slow, with many": {[]user{{connections: 40, wants: 0.2}, {connections: 1}},
			[]float64{0.2, 0.8}},
		"slow beside many": {[]user{{connections: 1, wants: 0.2}, {connections: 40}},
			[]float64{0.2, 0.8}},
		"all slow": {[]user{{connections: 1, wants: 0.2},
			{connections: 10, wants: 0.5}}, []float64{0.2, 0.5}},
		"as fast as its share": {[]user{{connections: 1, wants: 0.45}, {connections: 40}},
			[]float64{0.45, 0.55}},
	} {
		for _, rate := range []int64{64 << 10, 1 << 20, 100 << 20, 1 << 30} {
			t.Run(fmt.Sprintf("%s/%d", name, rate), func(t *testing.T) {
				seconds := 10
				if rate < 1<<20 {
					seconds = 100 // a step takes long
				}
				synctest.Test(t, func(t *testing.T) {
					got := parts(t, rate, seconds, c.users, nil)
					for i, want := range c.want {
						if got[i] < want-0.02 || got[i] > want+0.02 {
							t.Errorf("%+v get %.3f of the rate, want %.3f", c.users, got, c.want)
							break
						}
					}
				})
			})
		}
	}
}

// TestCommonBurst: after any pause, however many torrents begin at once, no more
// comes than a moment's worth.
func TestCommonBurst(t *testing.T) {
	for _, rate := range []int64{64 << 10, 1 << 20, 100 << 20} {
		synctest.Test(t, func(t *testing.T) {
			common := NewCommon(rate)
			burst := common.burst(float64(rate))
			buckets := make([]*Bucket, 20)
			for i := range buckets {
				buckets[i] = NewBucket(0, common)
			}
			for _, pause := range []time.Duration{0, time.Second, time.Hour} {
				time.Sleep(pause)
				before := time.Now()
				var total atomic.Int64
				n := buckets[0].Quantum()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				var wg sync.WaitGroup
				for _, b := range buckets {
					wg.Go(func() {
						for ctx.Err() == nil && b.WaitN(ctx, n) == nil {
							total.Add(int64(n))
							passed := time.Since(before).Seconds()
							most := float64(rate)*passed + 2*burst +
								float64(2*len(buckets)*n)
							if got := float64(total.Load()); got > most {
								t.Errorf("%d bytes/s: %.0f bytes in %.3f s, want at most %.0f",
									rate, got, passed, most)
								return
							}
						}
					})
				}
				wg.Wait()
				cancel()
			}
		})
	}
}

// TestCommonEnds: who gives its place up leaves nothing behind.
func TestCommonEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := NewCommon(1000)
		b := NewBucket(0, common)
		b.Take(1 << 20)
		first, second := b.Take(1), b.Take(1)
		first.Leave()
		second.Leave()
		second.Leave()
		time.Sleep(time.Second)
		if common.mu.Lock(); len(b.flow.lanes[laneMain].waiting) != 0 || common.resting {
			t.Errorf("%d wait, ticking %v", len(b.flow.lanes[laneMain].waiting), common.resting)
		}
		common.mu.Unlock()
		time.Sleep(time.Hour)
		other := NewBucket(0, common)
		other.Spend(1)
		time.Sleep(time.Second)
		other.Spend(1)
		if len(common.busy) != 1 || b.flow.busy {
			t.Errorf("%d are busy when all is paid, want the one that came now", len(common.busy))
		}
	})
}
