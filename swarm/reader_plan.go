package swarm

import (
	"context"
	"sync"
	"time"

	"swarmnode/swarm/storage"
	"swarmnode/swarm/stream"
)

// readers are what the readers of one torrent share: the plan of what they need, and the
// news of pieces that they wait for. It is safe for concurrent use.
//
//	count <= readersMax
type readers struct {
	mu      sync.Mutex
	count   int
	plan    *stream.Plan  // nil without readers
	planned time.Time     // when the plan was carried out last
	hungry  bool          // the plan named pieces then
	changed chan struct{} // closed at the next change; nil if nobody waits for it
}

// add gives r a head at the start of its file, which rests until it is used: some readers
// only read at places that they name.
func (s *readers) add(r *Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == readersMax {
		return ErrReaders
	}
	s.count++
	if s.plan == nil {
		s.plan = stream.New(int(r.piece))
	}
	r.head = s.plan.Open(r.file.Offset, r.file.Offset+r.file.Length)
	r.head.Rest()
	return nil
}

// remove takes the heads of r away. It reports whether r had any.
func (s *readers) remove(r *Reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed {
		return false
	}
	r.closed = true
	s.count--
	s.plan.Close(r.head)
	r.trails.Close(s.plan)
	if s.count == 0 {
		s.plan = nil
	}
	return true
}

// follow returns the head for a read of r at byte at of the content.
func (s *readers) follow(r *Reader, at int64) *stream.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed {
		return r.head // the read fails
	}
	return r.trails.Follow(s.plan, at, r.file.Offset+r.file.Length)
}

// at returns where a head is, in bytes of the content.
func (s *readers) at(h *stream.Head) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.At()
}

// wake makes a head look at what is read by it.
func (s *readers) wake(h *stream.Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Wake()
}

// advance records that n bytes were read.
func (s *readers) advance(h *stream.Head, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Read(n)
}

// wait records that a read waits for a piece, and returns the plan for leave. The plan is nil
// if there are no readers any more, so that the read fails.
func (s *readers) wait(piece int) *stream.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plan != nil {
		s.plan.Await(piece)
	}
	return s.plan
}

// leave records that the read waits no longer.
func (s *readers) leave(plan *stream.Plan, piece int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if plan != nil {
		plan.Leave(piece)
	}
}

// jump moves a head to byte at of the content.
func (s *readers) jump(h *stream.Head, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Jump(at)
}

// isStale reports whether the plan was not carried out for a while.
func (s *readers) isStale(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.planned) >= replanReading
}

// watch returns a channel that is closed at the next change of the pieces.
func (s *readers) watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// tell wakes those that watch, because a piece was verified or the storage is open.
func (s *readers) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// awaitStore waits until the storage of t is open and checked, and returns it.
func (s *readers) awaitStore(ctx context.Context, t *Torrent) (store *storage.Store, err error) {
	for store == nil {
		changed := s.watch()
		err = t.command(func(time.Time) error {
			store = t.loop.store
			return nil
		})
		if err != nil {
			return nil, t.stopped()
		}
		if store != nil {
			return store, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-t.ctx.Done():
			return nil, t.stopped()
		}
	}
	return store, nil
}

// replan makes the loop carry out what the readers need now. It does nothing after the end
// of the torrent.
func (t *Torrent) replan() { t.ask(func(now time.Time) { t.loop.followReaders(now) }) }

// followReaders makes what the readers need be fetched first.
func (l *loop) followReaders(now time.Time) {
	s := &l.t.readers
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planned = now
	var list []stream.Deadline
	if s.plan != nil {
		list = s.plan.Deadlines(l.core.DownRate(), l.core.Has)
	}
	if len(list) == 0 && !s.hungry {
		return
	}
	s.hungry = len(list) > 0
	l.lend(now, list)
	l.core.SetDeadlines(now, list)
}
