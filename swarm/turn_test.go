package swarm

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// TestTurn: one at a time has the turn, everybody who waits gets it, and a context ends the
// wait.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u turn
		if err := u.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("the reason")
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- u.take(ctx) }()
		holders, done := 0, 0
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if err := u.take(t.Context()); err != nil {
					t.Error(err)
				}
				holders++
				if holders != 1 {
					t.Errorf("%d have the turn", holders)
				}
				holders--
				done++
				u.give()
			})
		}
		synctest.Wait()
		if done != 0 {
			t.Error("the turn was taken twice")
		}
		cancel(reason)
		if err := <-gaveUp; err != reason {
			t.Errorf("error %v, want %v", err, reason)
		}
		u.give()
		wait.Wait()
		if done != 8 {
			t.Errorf("%d of 8 got the turn", done)
		}
	})
}

// TestReaderBehindChoice: the context of Torrent.Reader ends a wait for a choice of files that
// takes long, and Remove has a context of its own.
func TestReaderBehindChoice(t *testing.T) {
	e, spec := contentFor(t)
	torrent, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := torrent.Reader(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	if err := torrent.files.changing.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the reason")
	cancel(reason)
	if _, err := torrent.Reader(ctx, 0); err != reason {
		t.Errorf("a reader: %v, want %v", err, reason)
	}
	torrent.Close()
	if err := torrent.Remove(ctx, false); err != reason {
		t.Errorf("Remove: %v, want %v", err, reason)
	}
	if err := torrent.SetFiles(make([]Priority, 1)); !errors.Is(err, ErrStopped) {
		t.Errorf("SetFiles: %v, want ErrStopped", err)
	}
	torrent.files.changing.give()
	if err := torrent.Remove(t.Context(), false); err != nil {
		t.Error(err)
	}
}
