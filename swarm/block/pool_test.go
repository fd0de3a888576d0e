package block

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Many goroutines take and release buffers. No more are out than the budget
// allows, no two goroutines have the same, and all come back.
func TestPoolUnderLoad(t *testing.T) {
	const budget = 5
	p := NewPool(budget * Size)
	var out, most atomic.Int64
	var held sync.Map
	var wait sync.WaitGroup
	for id := range 4 * budget {
		wait.Go(func() {
			for range 200 {
				b, err := p.Get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if _, taken := held.LoadOrStore(b, id); taken {
					t.Error("a buffer was handed out twice")
				}
				if n := out.Add(1); n > most.Load() {
					most.Store(n)
				}
				if len(b.Bytes()) != Size {
					t.Errorf("a buffer has %d bytes", len(b.Bytes()))
				}
				b.Resize(id)
				if id%2 == 0 {
					b.Filled()
				}
				out.Add(-1)
				held.Delete(b)
				b.Release()
			}
		})
	}
	wait.Wait()
	if most.Load() > budget || p.Available() != budget || p.Cap() != budget {
		t.Errorf("%d of %d were out at once, %d came back", most.Load(), budget, p.Available())
	}
	if p.Crowded() || p.backlog.Load() != 0 {
		t.Errorf("%d buffers count as filled", p.backlog.Load())
	}
}

// A budget is rounded down to whole buffers, but there is always one.
func TestPoolBudget(t *testing.T) {
	for budget, want := range map[int64]int{-1: 1, 0: 1, 1: 1, Size: 1, 2*Size - 1: 1,
		2 * Size: 2, 64 << 10: 4} {
		if got := NewPool(budget).Cap(); got != want {
			t.Errorf("%d bytes: %d buffers, want %d", budget, got, want)
		}
	}
}

// Resize keeps the bytes that are there, and refuses lengths that a buffer cannot have.
func TestResize(t *testing.T) {
	b := NewPool(Size).TryGet()
	copy(b.Bytes(), "content")
	b.Resize(3)
	if got := string(b.Bytes()); got != "con" {
		t.Errorf("cut to %q", got)
	}
	b.Resize(7)
	if got := string(b.Bytes()); got != "content" {
		t.Errorf("made longer: %q", got)
	}
	for _, n := range []int{-1, Size + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bytes did not panic", n)
				}
			}()
			b.Resize(n)
		}()
	}
	var none *Buf
	none.Release() // no buffer, nothing to give back
}

// Every byte of a piece is in exactly one of the aligned blocks.
func TestAlignedBlocksCoverPieces(t *testing.T) {
	for _, size := range []int{1, Size - 1, Size, Size + 1, 5*Size + 7} {
		at, index := 0, 0
		for at < size {
			r := Ref{Piece: 3, Begin: uint32(at), Length: uint32(min(Size, size-at))}
			if !r.Aligned(size) || r.Index() != index {
				t.Errorf("%d bytes: %v, block %d", size, r, r.Index())
			}
			for _, other := range []Ref{{3, r.Begin + 1, r.Length}, {3, r.Begin, r.Length - 1},
				{3, r.Begin, r.Length + 1}} {
				if other.Aligned(size) {
					t.Errorf("%d bytes: %v counts as a block", size, other)
				}
			}
			at, index = at+int(r.Length), index+1
		}
		if (Ref{Begin: uint32(index * Size), Length: Size}).Aligned(size) {
			t.Errorf("%d bytes: there is a block after the last", size)
		}
	}
}
