package block

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestAligned(t *testing.T) {
	const piece = 2*Size + 100
	for _, tt := range []struct {
		ref  Ref
		want bool
	}{
		{Ref{0, 0, Size}, true},
		{Ref{0, Size, Size}, true},
		{Ref{0, 2 * Size, 100}, true},
		{Ref{0, 2 * Size, 99}, false},
		{Ref{0, 2 * Size, Size}, false},
		{Ref{0, 1, Size}, false},
		{Ref{0, 3 * Size, 0}, false},
		{Ref{0, 1<<32 - Size, Size}, false},
		{Ref{0, 0, 1<<32 - 1}, false},
	} {
		if got := tt.ref.Aligned(piece); got != tt.want {
			t.Errorf("%v: got %v", tt.ref, got)
		}
	}
}

func TestPoolIsBounded(t *testing.T) {
	p := NewPool(2 * Size)
	a, b := p.TryGet(), p.TryGet()
	if a == nil || b == nil || p.TryGet() != nil || p.Available() != 0 {
		t.Fatal("a pool of two did not hand out exactly two")
	}
	a.Resize(5)
	a.Release()
	if again := p.TryGet(); again != a || len(again.Bytes()) != Size {
		t.Fatal("a released buffer did not come back whole")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Get(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal("Get on an empty pool did not end with its context:", err)
	}
}

func TestGetWaitsForRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(Size)
		held := p.TryGet()
		got := make(chan *Buf)
		go func() {
			b, _ := p.Get(t.Context())
			got <- b
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("Get did not wait")
		default:
		}
		held.Release()
		if b := <-got; b != held {
			t.Fatal("another buffer than the released one")
		}
	})
}

// TestWaitUncrowded: whoever fills buffers waits while too many of them wait, and all
// who wait go on.
func TestWaitUncrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(2 * backlogMax * Size)
		var held []*Buf
		for range backlogMax {
			if p.Crowded() || p.WaitUncrowded(t.Context()) != nil {
				t.Fatal("crowded too early")
			}
			b := p.TryGet()
			b.Filled()
			b.Filled() // once is enough
			held = append(held, b)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		go func() { done <- p.WaitUncrowded(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of the context", err)
		}
		for range cap(done) {
			go func() { done <- p.WaitUncrowded(t.Context()) }()
		}
		synctest.Wait()
		for len(held) > backlogLow+1 {
			held[0].Release()
			held = held[1:]
		}
		synctest.Wait()
		if len(done) != 0 {
			t.Errorf("%d went on while %d buffers wait", len(done), len(held))
		}
		held[0].Release()
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for _, b := range held[1:] {
			b.Release()
		}
		if n := p.backlog.Load(); n != 0 || p.Available() != p.Cap() {
			t.Errorf("%d buffers wait, %d of %d are free", n, p.Available(), p.Cap())
		}
	})
}

func BenchmarkGetRelease(b *testing.B) {
	p := NewPool(64 * Size)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ := p.Get(context.Background())
		buf.Release()
	}
}
