package swarm

import (
	"context"
	"iter"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
)

// A closable is a Discovery that yields one address and then waits, until it is closed.
type closable struct {
	addr   netip.AddrPort
	closed chan struct{}
	asked  atomic.Int32
	ended  atomic.Int32
}

func newClosable(addr string) *closable {
	return &closable{addr: netip.MustParseAddrPort(addr), closed: make(chan struct{})}
}

func (c *closable) Peers(ctx context.Context, _ metainfo.Hash, _ uint16,
	_ bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		c.asked.Add(1)
		defer func() { c.ended.Add(1) }()
		if !yield(c.addr) {
			return
		}
		select {
		case <-c.closed:
		case <-ctx.Done():
		}
	}
}

// follow collects what s yields until ctx ends.
func follow(ctx context.Context, s *Switch) *[]string {
	var got []string
	go func() {
		for addr := range s.Peers(ctx, metainfo.Hash{}, 1, false) {
			got = append(got, addr.String())
		}
		got = append(got, "end")
	}()
	return &got
}

func wantFound(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("found %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("found %q, want %q", got, want)
		}
	}
}

// A search goes on with whatever a Switch stands for, waits while it is off, and ends with
// its context.
func TestSwitchIsExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var s Switch
		got := follow(ctx, &s)
		synctest.Wait()
		wantFound(t, *got)

		first, second := newClosable("192.0.2.1:1"), newClosable("192.0.2.2:2")
		s.Set(first)
		synctest.Wait()
		wantFound(t, *got, "192.0.2.1:1")

		s.Set(second)
		close(first.closed)
		synctest.Wait()
		wantFound(t, *got, "192.0.2.1:1", "192.0.2.2:2")
		if first.ended.Load() != 1 || second.ended.Load() != 0 {
			t.Errorf("searches ended: %d of the first, %d of the second", first.ended.Load(),
				second.ended.Load())
		}

		s.Set(nil)
		close(second.closed)
		synctest.Wait()
		if second.ended.Load() != 1 || s.On() {
			t.Errorf("%d searches ended, on is %v after the end", second.ended.Load(), s.On())
		}
		wantFound(t, *got, "192.0.2.1:1", "192.0.2.2:2")

		cancel()
		synctest.Wait()
		wantFound(t, *got, "192.0.2.1:1", "192.0.2.2:2", "end")
	})
}

// A search that its Discovery ends by itself ends the one of the Switch as well: it is not
// repeated without a pause.
func TestSwitchEndsWithASearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Switch
		d := newClosable("192.0.2.1:1")
		close(d.closed)
		s.Set(d)
		got := follow(t.Context(), &s)
		synctest.Wait()
		wantFound(t, *got, "192.0.2.1:1", "end")
	})
}

// A search goes on at once with the Discovery that takes the place of one that was closed.
func TestSearchFollowsASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var d Switch
		first, second := newClosable("192.0.2.1:1"), newClosable("192.0.2.2:2")
		d.Set(first)
		var found []string
		s := newSearch([]metainfo.Hash{{1}}, 1, func(_ book.Source, addr netip.AddrPort) {
			found = append(found, addr.String())
		})
		s.setSources([]source{{&d, book.SourceDHT}}, false)
		began := time.Now()
		s.start(ctx, began, false)
		synctest.Wait()
		d.Set(nil)
		close(first.closed)
		synctest.Wait()
		wantFound(t, found, "192.0.2.1:1")
		d.Set(second)
		synctest.Wait()
		wantFound(t, found, "192.0.2.1:1", "192.0.2.2:2")
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		cancel()
		s.join()
		if first.asked.Load() != 1 || second.asked.Load() != 1 || second.ended.Load() != 1 {
			t.Errorf("asked %d and %d times", first.asked.Load(), second.asked.Load())
		}
	})
}

// No goroutine waits for a source that is off when a round begins. The round includes the
// source once it is on, and only once.
func TestSearchLeavesOutWhatIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var off Switch
		on := newClosable("192.0.2.1:1")
		later := newClosable("192.0.2.2:2")
		s := newSearch([]metainfo.Hash{{1}}, 1, func(book.Source, netip.AddrPort) {})
		s.setSources([]source{{on, book.SourceLSD}, {&off, book.SourceDHT}}, false)
		s.start(ctx, time.Now(), false)
		synctest.Wait()
		if on.asked.Load() != 1 || len(s.leftOut) != 1 {
			t.Fatalf("asked %d times, %d left out", on.asked.Load(), len(s.leftOut))
		}
		off.Set(later)
		for range 2 {
			s.include(&off)
			synctest.Wait()
			if later.asked.Load() != 1 || on.asked.Load() != 1 {
				t.Errorf("asked %d and %d times, want once", later.asked.Load(), on.asked.Load())
			}
		}
		s.stop()
		off.Set(nil)
		s.start(ctx, time.Now(), false)
		s.stop()
		off.Set(later)
		s.include(&off) // a search that has stopped does not begin
		synctest.Wait()
		if later.asked.Load() != 1 {
			t.Errorf("a search that was stopped asked %d times", later.asked.Load())
		}
		cancel()
		s.join()
	})
}

// BenchmarkSwitch measures what a Switch adds to the memory of a search.
func BenchmarkSwitch(b *testing.B) {
	var s Switch
	d := newClosable("192.0.2.1:1")
	close(d.closed) // a search ends at once
	s.Set(d)
	for _, run := range []struct {
		name string
		d    Discovery
	}{{"plain", d}, {"switched", &s}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range run.d.Peers(b.Context(), metainfo.Hash{}, 1, false) {
				}
			}
		})
	}
}
