package daemon

import (
	"context"
	"sync"
	"time"

	"swarmnode/swarm"
)

const (
	// stewardPause is the least time between two rounds of the steward, unless a user waits.
	stewardPause = 250 * time.Millisecond
	// stewardRest is the least time until a round that only the passing of time asks for.
	stewardRest = time.Second
	// stewardKinds are the changes of a torrent that may change what the steward decides.
	stewardKinds = swarm.ChangedState | swarm.ChangedSettings | swarm.Added
)

// A steward decides which torrents run: it asks the queue, the goals and the free space, and
// tells the torrents. It looks at what has changed, and at all torrents only when the time for
// that has come. One goroutine runs it; wake and urge may be called by any.
type steward struct {
	world world
	poke  chan struct{} // begins the next round at once

	mu     sync.Mutex
	urgent map[ID]bool // torrents about which users wait

	// Owned by the goroutine.
	set     Settings
	known   bool // set is known
	wards   map[ID]*ward
	order   []*ward // by position
	version uint64  // of the order
	scanAt  time.Time
	rates   rates
	space   space
	decider decider
}

// A world is what a steward needs of a daemon. Tests have another one.
type world interface {
	Settings() Settings
	// ordered returns all torrents by their positions, and the version of that order. ok is
	// false if it is the version given.
	ordered(version uint64) (list []charge, now uint64, ok bool)
	// setLimits sets the limits of all torrents together.
	setLimits(limits swarm.EngineLimits)
	// freeSpace returns how many bytes are free where a folder lies. It may take long.
	freeSpace(dir string) (int64, error)
	// background runs f in a goroutine, unless the daemon has ended.
	background(f func()) bool
}

// A charge is a torrent, as a steward needs it.
type charge interface {
	ID() ID
	view() view
	wake(when haste)
	rest(why string, when haste)
	finish(why string)
	appear(stalled bool)
	moved()
}

// newSteward returns a steward that has not looked at anything.
func newSteward(w world) *steward {
	s := &steward{world: w, poke: make(chan struct{}, 1), urgent: make(map[ID]bool),
		wards: make(map[ID]*ward)}
	s.space.init(w, s.wake)
	return s
}

// wake makes the next round begin at once.
func (s *steward) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// urge makes the next round begin at once, for users who wait for something about a torrent.
func (s *steward) urge(id ID) {
	s.mu.Lock()
	s.urgent[id] = true
	s.mu.Unlock()
	s.wake()
}

// takeUrgent returns the torrents about which users wait.
func (s *steward) takeUrgent() map[ID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.urgent) == 0 {
		return nil
	}
	urgent := s.urgent
	s.urgent = make(map[ID]bool)
	return urgent
}

// run decides until ctx ends. It reads the changes of all torrents from news.
func (s *steward) run(ctx context.Context, news *Subscription) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changes, wait, err := news.poll()
		if err != nil {
			return
		}
		next := s.round(time.Now(), &changes)
		timer.Reset(stewardPause)
		select {
		case <-timer.C:
		case <-s.poke:
			continue
		case <-ctx.Done():
			return
		}
		if wait == nil {
			continue // something had changed, so something else may have since
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), stewardRest))
			due = timer.C
		}
		select {
		case <-wait:
		case <-due:
		case <-s.poke:
		case <-ctx.Done():
			return
		}
	}
}

// round decides once, after some changes, and returns when to do so again if nothing changes;
// zero: then there is no need to.
func (s *steward) round(now time.Time, changes *Changes) (next time.Time) {
	urgent := s.takeUrgent()
	if changes.Settings || !s.known {
		s.adopt(now)
	}
	s.arrange(now)
	for _, c := range changes.Torrents {
		if w := s.wards[c.Torrent.id]; w != nil && c.Kinds&stewardKinds != 0 {
			s.attend(now, w)
		}
	}
	for id := range urgent {
		if w := s.wards[id]; w != nil {
			s.attend(now, w)
		}
	}
	if s.space.news() || !s.scanAt.IsZero() && !now.Before(s.scanAt) {
		s.scan(now)
	}
	s.decider.decide(now, s.order, &s.set, urgent)
	next = s.rates.set(s.world, &s.set)
	next = sooner(next, s.scanAt)
	next = sooner(next, s.decider.next)
	return sooner(next, s.space.next(now))
}

// sooner returns the earlier one of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// adopt takes the settings, which may be new.
func (s *steward) adopt(now time.Time) {
	s.set, s.known = s.world.Settings(), true
	s.space.limit(s.set.MinFree)
	s.decider.unsure = true
	s.scan(now)
}

// arrange brings the wards into the order of the daemon, if that is another one.
func (s *steward) arrange(now time.Time) {
	list, version, ok := s.world.ordered(s.version)
	if !ok {
		return
	}
	s.version, s.decider.unsure = version, true
	s.order = s.order[:0]
	for i, c := range list {
		w := s.wards[c.ID()]
		if w == nil {
			w = &ward{charge: c, position: i}
			w.queued.Since = now
			s.wards[c.ID()] = w
			s.attend(now, w)
		}
		if w.position != i {
			w.position = i
			w.charge.moved()
		}
		w.version = version
		s.order = append(s.order, w)
	}
	for id, w := range s.wards {
		if w.version != version {
			delete(s.wards, id)
		}
	}
}

// scan looks at all torrents, since a deadline of one has come.
func (s *steward) scan(now time.Time) {
	s.scanAt = time.Time{}
	s.space.forget()
	for _, w := range s.order {
		s.attend(now, w)
	}
}
