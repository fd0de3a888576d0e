package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestQueueByOwner: whoever holds fewest places gets the next, however long the
// queue of others is; among equals the oldest.
func TestQueueByOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQueue(8)
		got := make(chan string, 100)
		wait := func(owner string, n int) {
			for range n {
				go func() {
					if b.acquire(t.Context(), owner) == nil {
						got <- owner
					}
				}()
				synctest.Wait()
			}
		}
		wait("crowd", 20) // takes all, and waits for more
		for range 8 {
			<-got
		}
		wait("late", 2)
		wait("later", 1)
		for i, want := range []string{"late", "later", "late", "crowd"} {
			b.release("crowd")
			synctest.Wait()
			if owner := <-got; owner != want {
				t.Fatalf("place %d went to %s, want %s", i, owner, want)
			}
		}
		if b.used() != 8 {
			t.Errorf("%d places are taken, want 8", b.used())
		}
		for _, owner := range []string{"late", "later", "late"} {
			b.release(owner)
		}
		for range 16 { // each gives its place to the next of the crowd
			b.release("crowd")
			synctest.Wait()
		}
		if b.used() != 0 || len(b.held) != 0 || len(b.queued) != 0 {
			t.Errorf("%d places are taken, held %v, queued %v", b.used(), b.held, b.queued)
		}
	})
}

// TestQueueIsBounded: not any number may wait, but the first of an owner always.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newQueue(1)
		if err := b.acquire(ctx, "crowd"); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2*waitersMax)
		for range waitersMax {
			go func() { ended <- b.acquire(ctx, "crowd") }()
		}
		synctest.Wait()
		if err := b.acquire(ctx, "crowd"); !errors.Is(err, ErrBusy) {
			t.Errorf("one too many: %v, want %v", err, ErrBusy)
		}
		go func() { ended <- b.acquire(ctx, "other") }()
		synctest.Wait()
		if err := b.acquire(ctx, "other"); !errors.Is(err, ErrBusy) {
			t.Errorf("another that waits already: %v, want %v", err, ErrBusy)
		}
		cancel()
		for range waitersMax + 1 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("after the end: %v", err)
			}
		}
		b.release("crowd")
		if b.used() != 0 || len(b.waiting) != 0 || len(b.queued) != 0 {
			t.Errorf("%d places are taken, %d wait, by owner %v", b.used(), len(b.waiting),
				b.queued)
		}
	})
}
