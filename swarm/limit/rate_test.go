package limit

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// waiters moves bytes through b with some goroutines until ctx ends, and counts them.
func waiters(ctx context.Context, wg *sync.WaitGroup, b *Bucket, count int, pause time.Duration,
	moved *atomic.Int64) {
	for range count {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := b.Quantum()
				if b.WaitN(ctx, n) != nil {
					return
				}
				moved.Add(int64(n))
				time.Sleep(pause) // what moving takes
			}
		})
	}
}

// TestSetRate: a new rate of a bucket or of all holds from the moment when it is set, for
// those who wait already, and for those who never had a limit.
func TestSetRate(t *testing.T) {
	const kib = 1 << 10
	for name, c := range map[string]struct {
		own, common []int64 // of one second after the other; 0 is none
		want        []float64
	}{
		"lower":            {[]int64{1000 * kib, 100 * kib, 10 * kib}, nil, nil},
		"higher":           {[]int64{10 * kib, 100 * kib, 1000 * kib}, nil, nil},
		"common lower":     {nil, []int64{1000 * kib, 100 * kib, 10 * kib}, nil},
		"common higher":    {nil, []int64{10 * kib, 100 * kib, 1000 * kib}, nil},
		"from none":        {[]int64{0, 100 * kib, 0, 10 * kib}, nil, nil},
		"common from none": {nil, []int64{0, 100 * kib, 0, 10 * kib}, nil},
		"one after the other": {[]int64{100 * kib, 100 * kib, 0, 1000 * kib},
			[]int64{0, 10 * kib, 10 * kib, 100 * kib},
			[]float64{100 * kib, 10 * kib, 10 * kib, 100 * kib}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seconds = 20
				common := NewCommon(0)
				b := NewBucket(0, common)
				var wg sync.WaitGroup
				var moved atomic.Int64
				ctx, cancel := context.WithCancel(t.Context())
				defer wg.Wait()
				defer cancel()
				waiters(ctx, &wg, b, 5, time.Millisecond, &moved)
				for i := range max(len(c.own), len(c.common)) {
					want := 0.
					if c.own != nil {
						b.SetRate(c.own[i])
						want = float64(c.own[i])
					}
					if c.common != nil {
						common.SetRate(c.common[i])
						want = float64(c.common[i])
					}
					if c.want != nil {
						want = c.want[i]
					}
					time.Sleep(2 * time.Second) // bytes of before are on their way
					before := moved.Load()
					time.Sleep(seconds * time.Second)
					got := float64(moved.Load()-before) / seconds
					switch {
					case want == 0 && got < 100<<20:
						t.Errorf("rate %d: %.0f bytes/s without a limit", i, got)
					case want > 0 && (got < want*.9 || got > want*1.1):
						t.Errorf("rate %d: %.0f bytes/s, want %.0f", i, got, want)
					}
				}
			})
		})
	}
}

// TestLimitIsLifted: those who would have waited for hours go at once when the limit that
// holds them ends, and nothing is left of it.
func TestLimitIsLifted(t *testing.T) {
	for name, lift := range map[string]func(*Bucket, *Common){
		"of a bucket": func(b *Bucket, c *Common) { c.SetRate(0); b.SetRate(-5) },
		"of all":      func(b *Bucket, c *Common) { b.SetRate(0); c.SetRate(0) },
		"much higher": func(b *Bucket, c *Common) { c.SetRate(1 << 40); b.SetRate(1 << 40) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				common := NewCommon(1)
				b := NewBucket(1, common)
				b.Take(1 << 20)
				b.TakeAside(1<<20, 3)
				b.Spend(1 << 20)
				main, aside := b.Take(1<<20), b.TakeAside(1<<20, 3)
				time.Sleep(time.Minute)
				if main == nil || aside == nil {
					t.Fatal("nobody waits")
				}
				start := time.Now()
				lift(b, common)
				<-main.Ready()
				<-aside.Ready()
				if waited := time.Since(start); waited > time.Second/4 {
					t.Errorf("they waited for %v", waited)
				}
				if main.Leave() || aside.Leave() {
					t.Error("they are still in the queue")
				}
				time.Sleep(time.Second)
				b.SetRate(1000)
				common.SetRate(1000)
				start = time.Now()
				for range 5 {
					b.WaitN(t.Context(), 1000)
				}
				if waited := time.Since(start); waited < 3*time.Second ||
					waited > 6*time.Second {
					t.Errorf("5,000 bytes took %v at 1,000 bytes/s", waited)
				}
			})
		})
	}
}

// TestLoweredRateForgives: nobody waits for what was taken at a far higher rate.
func TestLoweredRateForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := NewCommon(100 << 20)
		b := NewBucket(0, common)
		b.Take(100 << 20)
		common.SetRate(1 << 10)
		start := time.Now()
		if err := b.WaitN(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > debtMax+time.Second/4 {
			t.Errorf("it waited for %v", waited)
		}
	})
}

// TestRatesOfMany: whatever rates are set while many move bytes, nobody is forgotten.
func TestRatesOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := NewCommon(0)
		buckets := make([]*Bucket, 10)
		moved := make([]atomic.Int64, len(buckets))
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i := range buckets {
			buckets[i] = NewBucket(0, common)
			waiters(ctx, &wg, buckets[i], 1+i, 10*time.Millisecond, &moved[i])
		}
		rng := rand.New(rand.NewPCG(1, 2))
		rates := []int64{0, 0, 1, 1 << 10, 100 << 10, 10 << 20, 1 << 30}
		for range 500 {
			rate := rates[rng.IntN(len(rates))]
			if i := rng.IntN(2 * len(buckets)); i < len(buckets) {
				buckets[i].SetRate(rate)
			} else {
				common.SetRate(rate)
			}
			time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		}
		for _, b := range buckets {
			b.SetRate(0)
		}
		common.SetRate(1 << 20)
		time.Sleep(time.Second)
		before := make([]int64, len(buckets))
		for i := range moved {
			before[i] = moved[i].Load()
		}
		time.Sleep(20 * time.Second)
		for i := range moved {
			got, want := float64(moved[i].Load()-before[i])/20, float64(1<<20)/10
			if got < want*.8 || got > want*1.2 {
				t.Errorf("bucket %d has %.0f bytes/s at the end, want %.0f", i, got, want)
			}
		}
		cancel()
		wg.Wait()
		common.SetRate(0)
		if len(common.busy) != 0 || common.Rate() != 0 || buckets[0].Rate() != 0 {
			t.Errorf("%d are busy without a limit", len(common.busy))
		}
	})
}
