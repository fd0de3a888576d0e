package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSources(t *testing.T) {
	s := NewSources(10, 5)
	start := time.Now()
	a, b := netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("1.2.3.5")
	ask := func(at time.Duration, ip netip.Addr, times, want int) {
		t.Helper()
		got := 0
		for range times {
			if s.Allow(start.Add(at), ip) {
				got++
			}
		}
		if got != want {
			t.Errorf("%v at %v: %d of %d allowed, want %d", ip, at, got, times, want)
		}
	}
	s.start = start
	ask(0, a, 20, 5)
	ask(0, b, 20, 5)
	ask(100*time.Millisecond, a, 20, 1)
	ask(300*time.Millisecond, a, 20, 2)
	ask(time.Hour, a, 20, 5)
	ask(time.Hour+time.Second, netip.MustParseAddr("::ffff:1.2.3.4"), 20, 5)
}

// Sources do not suffer from each other: with a hundredth as many as there are
// buckets, hardly two share one.
func TestSourcesAreApart(t *testing.T) {
	s := NewSources(1, 1)
	now := time.Now()
	refused := 0
	for i := range sourceBuckets / 100 {
		if !s.Allow(now, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})) {
			refused++
		}
	}
	if refused > 30 {
		t.Errorf("%d of %d refused by another's rate", refused, sourceBuckets/100)
	}
}

func TestSourcesAtOnce(t *testing.T) {
	s := NewSources(1, 100)
	now := time.Now()
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if s.Allow(now, netip.IPv6Loopback()) {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 100 {
		t.Errorf("%d allowed, want 100", n)
	}
	if !(*Sources)(nil).Allow(now, netip.Addr{}) {
		t.Error("no limit refuses")
	}
}

func BenchmarkSources(b *testing.B) {
	s := NewSources(1000, 1000)
	ip := netip.MustParseAddr("2001:db8::1")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.Allow(now, ip)
	}
}
