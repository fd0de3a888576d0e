package swarm

import (
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/reach"
)

// A standing keeps where the Engine stands, and tells listeners of changes. It is safe for
// concurrent use.
type standing struct {
	mu        sync.Mutex
	machine   *reach.Machine
	version   uint64 // counts the changes, from 1
	telling   bool   // a goroutine calls listeners, and will tell them of all changes
	listeners []*standingListener
}

// A standingListener is a function that hears where we stand.
type standingListener struct {
	hear  func(reach.Standing)
	heard uint64 // the version that it has heard
}

func (s *standing) init(now time.Time) { s.machine, s.version = reach.New(now), 1 }

// now returns where we stand.
func (s *standing) now() reach.Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Standing()
}

// observe gives the machine an observation, or the time alone if o is nil, and tells the
// listeners of a change.
func (s *standing) observe(now time.Time, o reach.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	if o == nil {
		changed = s.machine.Tick(now)
	} else {
		changed = s.machine.Observe(now, o)
	}
	if changed {
		s.version++
		s.tell()
	}
}

// tell calls the listeners that have not heard the present standing, one after the other.
// s.mu is held, but not during the calls.
func (s *standing) tell() {
	if s.telling {
		return
	}
	s.telling = true
	for {
		i := slices.IndexFunc(s.listeners,
			func(l *standingListener) bool { return l.heard != s.version })
		if i < 0 {
			break
		}
		l, is := s.listeners[i], s.machine.Standing()
		l.heard = s.version
		s.mu.Unlock()
		l.hear(is)
		s.mu.Lock()
	}
	s.telling = false
}

// listen makes f hear the present standing and every change, until the function that it
// returns is called.
func (s *standing) listen(f func(reach.Standing)) (stop func()) {
	l := &standingListener{hear: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	s.tell()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners = slices.DeleteFunc(s.listeners,
			func(other *standingListener) bool { return other == l })
	}
}

// Reach returns how others reach the engine, as far as that is known. Nobody may change its
// Relayed.
func (e *Engine) Reach() reach.Standing { return e.standing.now() }

// Observe tells the engine something about how others see or reach it. It does not wait for
// the network.
func (e *Engine) Observe(o reach.Observation) { e.standing.observe(time.Now(), o) }

// OnReach calls f with the present standing, and again whenever it changes. The calls never
// overlap and come in the order of the changes; several changes may become one call. f must
// not block, and may call any method of the engine. The function that OnReach returns ends
// that; one last call may be under way when it returns.
func (e *Engine) OnReach(f func(reach.Standing)) (stop func()) { return e.standing.listen(f) }
