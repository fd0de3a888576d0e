package storage

import "context"

// An arrangement is a change of where the content lies, or of what is kept where, that is
// under way. Close ends it early and waits for it.
type arrangement struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// arrange begins an arrangement once every other one, Check, Finish and Probe have ended.
// The caller calls end, exactly once unless there is an error, and gives up as soon as the
// context that arrange returns has ended. The error is an *Error with ErrClosed, or that of
// ctx.
func (s *Store) arrange(ctx context.Context) (_ context.Context, end func(), err error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, nil, err
	}
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.closing {
		s.endTurn()
		return nil, nil, &Error{"open", s.names.path(), ErrClosed}
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &arrangement{cancel, make(chan struct{})}
	s.arranged = a
	return ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.arranged = nil
		close(a.ended)
		cancel()
		s.endTurn()
	}, nil
}

// takeTurn waits until nothing else changes where the content lies, or needs that it stays:
// an arrangement, Check, Finish or Probe. giveTurn ends the turn. The error is that of ctx,
// for which it does not wait.
func (s *Store) takeTurn(ctx context.Context) error {
	w := s.workers
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.idle.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for s.taken && ctx.Err() == nil {
		s.idle.Wait()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.taken = true
	return nil
}

// tryTurn is takeTurn, but does not wait: it reports whether the turn was free.
func (s *Store) tryTurn() bool {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	if s.taken {
		return false
	}
	s.taken = true
	return true
}

// giveTurn ends what takeTurn or tryTurn began.
func (s *Store) giveTurn() {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	s.endTurn()
}

// endTurn is giveTurn while Workers.mu is held.
func (s *Store) endTurn() {
	s.taken = false
	s.idle.Broadcast()
}

// stopArranging ends an arrangement early, if one is under way, and waits for it. The
// Store is being closed, so that no other one begins.
func (s *Store) stopArranging() {
	s.workers.mu.Lock()
	a := s.arranged
	s.workers.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.ended
	}
}

// holdWrites returns when no worker is at a piece of s. Blocks that come afterwards wait
// until releaseWrites, and so does what Verify asks for. They are bounded by the pool that
// their buffers come from.
func (s *Store) holdWrites() {
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	s.held = true
	for s.busy > 0 {
		s.idle.Wait()
	}
}

// releaseWrites lets the workers go on.
func (s *Store) releaseWrites() {
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	s.held = false
	for _, p := range s.open {
		if p.hasWork() {
			w.schedule(p)
		}
	}
}
