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
	s.arranging.Lock()
	ctx, cancel := context.WithCancel(ctx)
	a := &arrangement{cancel, make(chan struct{})}
	w := s.workers
	w.mu.Lock()
	closing := s.closing
	if !closing {
		s.arranged = a
	}
	w.mu.Unlock()
	if closing {
		err = &Error{"open", s.names.path(), ErrClosed}
	} else {
		err = ctx.Err()
	}
	end = func() {
		w.mu.Lock()
		s.arranged = nil
		w.mu.Unlock()
		close(a.ended)
		cancel()
		s.arranging.Unlock()
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return ctx, end, nil
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
