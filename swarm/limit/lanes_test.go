package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAsides: what is moved besides gets its share and no more while the rest is
// wanted, and all of it otherwise; one bucket beside another is worth as much as
// what waits in it.
func TestAsides(t *testing.T) {
	const rate, seconds = 1 << 20, 20
	for name, c := range map[string]struct {
		mains, asides [2]int // how many wait, of two buckets
		want          [2][2]float64
	}{
		"both":             {[2]int{1}, [2]int{40}, [2][2]float64{{.8, .2}}},
		"asides alone":     {[2]int{}, [2]int{40}, [2][2]float64{{0, 1}}},
		"none":             {[2]int{4}, [2]int{}, [2][2]float64{{1}}},
		"in two buckets":   {[2]int{4}, [2]int{0, 40}, [2][2]float64{{.8}, {0, .2}}},
		"two with all":     {[2]int{4, 1}, [2]int{9, 9}, [2][2]float64{{.4, .1}, {.4, .1}}},
		"asides of two":    {[2]int{}, [2]int{9, 1}, [2][2]float64{{0, .5}, {0, .5}}},
		"one with an idle": {[2]int{0, 0}, [2]int{0, 3}, [2][2]float64{{}, {0, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
				defer cancel()
				common := NewCommon(rate)
				var wg sync.WaitGroup
				var moved [2][2]atomic.Int64
				for i := range 2 {
					b := NewBucket(0, common)
					move := func(count, lane int, wait func() error) {
						for range count {
							wg.Go(func() {
								for wait() == nil {
									moved[i][lane].Add(16 << 10)
								}
							})
						}
					}
					move(c.mains[i], 0, func() error { return b.WaitN(ctx, 16<<10) })
					move(c.asides[i], 1, func() error { return b.TakeAside(16<<10, 0).Wait(ctx) })
				}
				wg.Wait()
				for i := range 2 {
					for lane := range 2 {
						got := float64(moved[i][lane].Load()) / rate / seconds
						if want := c.want[i][lane]; got < want-.03 || got > want+.03 {
							t.Errorf("bucket %d, lane %d: %.3f of the rate, want %.3f", i, lane,
								got, want)
						}
					}
				}
			})
		})
	}
}

// TestLowestRankFirst: of asides the one of the lowest rank goes first, and of
// equals the oldest.
func TestLowestRankFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1<<10, nil)
		b.TakeAside(1<<10, 0)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var order []int64
		for _, rank := range []int64{9, 5, 7, 5, 0} {
			ticket := b.TakeAside(1<<10, rank)
			wg.Go(func() {
				<-ticket.Ready()
				mu.Lock()
				defer mu.Unlock()
				order = append(order, rank)
			})
		}
		wg.Wait()
		for i, want := range []int64{0, 5, 5, 7, 9} {
			if order[i] != want {
				t.Fatalf("in the order %v", order)
			}
		}
	})
}

// TestTicketsThatAreLeftCostNothing: who gives up before its turn has taken
// nothing, so that those who come and go cannot keep others waiting.
func TestTicketsThatAreLeftCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 10
		b := NewBucket(rate, nil)
		b.Take(16 << 10)
		for range 1000 {
			if !b.Take(16 << 10).Leave() {
				t.Fatal("it was not waiting")
			}
			b.TakeAside(16<<10, 0)
		}
		began := time.Now()
		if err := b.WaitN(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second/2 {
			t.Errorf("the next one waits %v", took)
		}
	})
}

// TestDebtsAreBounded: what could not wait never delays others by more than a
// second, and while it goes on they get most of the rate.
func TestDebtsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 10
		b := NewBucket(rate, nil)
		b.Spend(1 << 30)
		began := time.Now()
		if err := b.WaitN(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		moved := 0
		for time.Since(began) < 20*time.Second {
			b.Spend(4 << 10)
			if err := b.WaitN(t.Context(), 4<<10); err != nil {
				t.Fatal(err)
			}
			moved += 4 << 10
		}
		if rest := float64(moved) / rate / 20; rest < .9 {
			t.Errorf("%.2f of the rate is left for others", rest)
		}
		time.Sleep(1500 * time.Millisecond)
		b.Take(0) // brings it up to date
		if b.common.mu.Lock(); !b.idle() {
			t.Error("the debt is longer than a second")
		}
		b.common.mu.Unlock()
	})
}
