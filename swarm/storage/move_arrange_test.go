package storage

import (
	"context"
	"errors"
	"testing"
)

// Blocks that come while writes are held wait, and are written afterwards.
func TestHeldWritesWait(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 200_000, false})
	r := newRig(t, Config{Layout: layout}, data)
	if got := r.piece(0); !got.OK {
		t.Fatal(got)
	}
	_, end, err := r.store.arrange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.store.holdWrites()
	for p := 1; p < layout.Pieces(); p++ {
		for _, ref := range r.refs(p) {
			r.write(ref)
		}
		r.store.Verify(uint32(p))
	}
	if n := r.store.Have().Count(); n != 1 || len(r.results) != 0 {
		t.Errorf("%d pieces and %d results while writes are held, want 1 and 0", n, len(r.results))
	}
	r.store.releaseWrites()
	end()
	for range layout.Pieces() - 1 {
		if got := <-r.results; !got.OK {
			t.Error(got)
		}
	}
	r.back()
}

// Close ends an arrangement early, and waits for it. None begins after that.
func TestCloseEndsArrangement(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false})
	r := newRig(t, Config{Layout: layout}, data)
	ctx, end, err := r.store.arrange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.store.holdWrites()
	r.write(r.refs(0)[0])
	closed := make(chan error)
	go func() { closed <- r.store.Close() }()
	<-ctx.Done()
	select {
	case err := <-closed:
		t.Error("Close did not wait:", err)
	default:
	}
	r.store.releaseWrites()
	end()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, _, err := r.store.arrange(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error("an arrangement after Close:", err)
	}
}

// An arrangement whose context has ended does not begin.
func TestArrangeGivesUp(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100_000, false})
	r := newRig(t, Config{Layout: layout}, data)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.store.arrange(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, end, err := r.store.arrange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	end()
}
