package limit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBucketRate moves bytes through a bucket for some seconds and looks at
// how many came through in all and in every tenth of a second.
func TestBucketRate(t *testing.T) {
	for _, rate := range []int64{1 << 10, 64 << 10, 1 << 20, 100 << 20, 1 << 30} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seconds = 10
				b := NewBucket(rate, nil)
				start := time.Now()
				var total int64
				window, inWindow := start, int64(0)
				const windowTime = 500 * time.Millisecond
				for time.Since(start) < seconds*time.Second {
					n := b.Quantum()
					if err := b.WaitN(t.Context(), n); err != nil {
						t.Fatal(err)
					}
					if time.Since(window) >= windowTime {
						window, inWindow = time.Now(), 0
					}
					total += int64(n)
					inWindow += int64(n)
					bound := float64(rate)*windowTime.Seconds() + b.common.burst(float64(rate)) +
						2*float64(n)
					if float64(inWindow) > bound {
						t.Fatalf("%d bytes within %v, want at most %.0f", inWindow, windowTime,
							bound)
					}
				}
				got, want := float64(total)/time.Since(start).Seconds(), float64(rate)
				slack := want*0.02 + 2*quantumMin/seconds
				if got < want-slack || got > want+slack {
					t.Errorf("%.0f bytes/s, want %.0f", got, want)
				}
			})
		})
	}
}

// What was not used is not saved up: after a pause of any length no more comes
// at once than a moment's worth.
func TestBucketBurst(t *testing.T) {
	for _, rate := range []int64{64 << 10, 1 << 20, 1 << 30} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBucket(rate, nil)
			for _, pause := range []time.Duration{0, time.Second, time.Hour} {
				time.Sleep(pause)
				var atOnce int64
				n := b.Quantum()
				for start := time.Now(); time.Since(start) == 0; atOnce += int64(n) {
					if err := b.WaitN(t.Context(), n); err != nil {
						t.Fatal(err)
					}
				}
				// The last of them waited already.
				if most := int64(b.common.burst(float64(rate))) + 2*int64(n); atOnce > most {
					t.Errorf("%d bytes/s: %d at once after %v, want at most %d", rate, atOnce,
						pause, most)
				}
			}
		})
	}
}

func TestBucketIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(64<<10, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		var turns [20]int
		for i := range turns {
			wg.Go(func() {
				for b.WaitN(ctx, 4<<10) == nil {
					turns[i]++
				}
			})
		}
		wg.Wait()
		for i, n := range turns {
			if n < 45 || n > 51 {
				t.Errorf("waiter %d had %d turns, want about 48", i, n)
			}
		}
	})
}

func TestBucketCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1, nil)
		b.Take(1 << 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.WaitN(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the error of the context", err)
		}
	})
}

func TestBucketWithoutLimit(t *testing.T) {
	if NewBucket(0, nil) != nil {
		t.Error("a bucket that will never limit anything")
	}
	for _, b := range []*Bucket{nil, NewBucket(0, NewCommon(0))} {
		if n := testing.AllocsPerRun(100, func() {
			b.Spend(1 << 30)
			if b.WaitN(context.Background(), 1<<30) != nil || b.Take(1<<30) != nil ||
				b.TakeAside(1<<30, 1) != nil || b.Owe(1<<30) != 0 {
				t.Error("a bucket without a limit limits")
			}
		}); n != 0 {
			t.Errorf("%v allocations, want none", n)
		}
		if got := b.Quantum(); got != quantumMax || b.Limits() {
			t.Errorf("quantum %d, want %d; limits %v", got, quantumMax, b.Limits())
		}
	}
}

func TestDialRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDials(0, nil)
		start := time.Now()
		for i := range 10*DialRateMax + dialBurst {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 6881)
			if err := d.Acquire(t.Context(), "torrent", Destination{Addr: addr}); err != nil {
				t.Fatal(err)
			}
			if i == dialBurst-1 && time.Since(start) != 0 {
				t.Errorf("the first %d dials waited %v", dialBurst, time.Since(start))
			}
			d.Release("torrent")
		}
		if got := time.Since(start); got < 10*time.Second || got > 10100*time.Millisecond {
			t.Errorf("took %v, want 10 s", got)
		}
		if d.HalfOpen() != 0 {
			t.Errorf("%d half-open, want none", d.HalfOpen())
		}
	})
}

func TestDialMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDials(0, nil)
		for i := range 3 * recentMax {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(10 + i>>16), byte(i >> 8),
				byte(i), 1}), 6881)
			to := Destination{Addr: addr, Told: Told(i % 2)}
			if err := d.Acquire(t.Context(), "torrent", to); err != nil {
				t.Fatal(err)
			}
			d.Release("torrent")
			for _, n := range []int{len(d.rumours.sources), len(d.rumours.networks), len(d.named)} {
				if n > recentMax+1 {
					t.Fatalf("%d are remembered, want at most %d", n, recentMax)
				}
			}
		}
	})
}

func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDials(1, nil)
		a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
		if err := d.Acquire(t.Context(), "torrent", Destination{Addr: a}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Acquire(ctx, "torrent", Destination{Addr: b}); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Errorf("second dial: %v, want it to wait", err)
		}
		d.Release("torrent")
		if err := d.Acquire(t.Context(), "torrent", Destination{Addr: b}); err != nil {
			t.Errorf("after release: %v", err)
		}
	})
}

func BenchmarkBucket(b *testing.B) {
	b.ReportAllocs()
	bucket := NewBucket(1<<50, NewCommon(1<<50))
	for b.Loop() {
		bucket.WaitN(context.Background(), 16<<10)
	}
}
