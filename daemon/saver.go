package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
	"weak"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// settingsLate is how long a change of settings may wait until it is written, so that
	// changes that come together are written once.
	settingsLate = 500 * time.Millisecond
	// shownLate is the same for what a list shows. The numbers are right again once the
	// torrent is opened; the engine keeps the totals.
	shownLate = 5 * time.Minute
	// saveRetry is the pause after the folder could not be written to.
	saveRetry = 10 * time.Second
)

// saving is what the saver knows of a torrent. Torrent.mu guards it.
type saving struct {
	version uint64            // grows with each change of the record
	written uint64            // version of the file
	durable bool              // the file exists
	info    *metainfo.Torrent // metadata that is not written yet; nil otherwise
	// parsed is what was read or written last, until the collector takes it: a large file costs
	// more to parse than everything else that an answer takes.
	parsed weak.Pointer[metainfo.Torrent]
}

// A saver writes the records of torrents that have changed, in a goroutine of its own. It is
// safe for concurrent use.
type saver struct {
	log     *slog.Logger
	records *records

	mu      sync.Mutex
	due     map[*Torrent]time.Time // when to write it
	next    time.Time              // the earliest of them
	wake    chan struct{}          // has room for one
	failing error                  // why the folder cannot be written to; nil if it can
}

func newSaver(log *slog.Logger, r *records) *saver {
	return &saver{log: log, records: r, due: make(map[*Torrent]time.Time),
		wake: make(chan struct{}, 1)}
}

// edited records that the record of t has changed, and schedules its writing. t.mu is held.
func (t *Torrent) edited(late time.Duration) {
	t.saved.version++
	t.daemon.saver.schedule(t, time.Now().Add(late))
}

// schedule makes t be written at a moment, or before.
func (s *saver) schedule(t *Torrent, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.due[t]; ok && !at.Before(was) {
		return
	}
	s.due[t] = at
	if s.next.IsZero() || at.Before(s.next) {
		s.next = at
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// take returns the torrents that are due at a moment.
func (s *saver) take(now time.Time) []*Torrent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*Torrent
	s.next = time.Time{}
	for t, at := range s.due {
		switch {
		case !at.After(now):
			list = append(list, t)
			delete(s.due, t)
		case s.next.IsZero() || at.Before(s.next):
			s.next = at
		}
	}
	return list
}

// until returns how long nothing is due, and false if nothing is scheduled.
func (s *saver) until(now time.Time) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next.Sub(now), !s.next.IsZero()
}

// run writes what is due, until ctx ends.
func (s *saver) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Stop()
		if wait, ok := s.until(time.Now()); ok {
			timer.Reset(max(wait, 0))
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			continue
		case <-timer.C:
		}
		s.saveAll(s.take(time.Now()))
	}
}

// flush writes everything that has changed.
func (s *saver) flush() error {
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.due))
	clear(s.due)
	s.next = time.Time{}
	s.mu.Unlock()
	return s.saveAll(list)
}

// saveAll writes the records of several torrents, and returns the first error. Those that
// could not be written are tried again.
func (s *saver) saveAll(list []*Torrent) error {
	if len(list) == 0 || s.records.readOnly != nil { // which was said at the start
		return nil
	}
	var mu sync.Mutex
	var first error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
	}
	s.records.each(len(list), func(i int) {
		if err := s.records.save(list[i]); err != nil {
			fail(err)
			s.schedule(list[i], time.Now().Add(saveRetry))
		}
	})
	if first == nil {
		if err := s.records.sync(); err != nil {
			fail(err)
		}
	}
	s.report(first)
	return first
}

// saveNow writes the record of one torrent at once, and makes it durable.
func (s *saver) saveNow(t *Torrent) error {
	err := s.records.save(t)
	if err == nil {
		err = s.records.sync()
	}
	s.report(err)
	return err
}

// report says once that the folder cannot be written to, and that it can again.
func (s *saver) report(err error) {
	if s.records.readOnly != nil {
		return // that was said at the start
	}
	s.mu.Lock()
	before := s.failing
	s.failing = err
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		s.log.Warn("changes of torrents cannot be kept; trying again", "every", saveRetry,
			"err", err, "cause", swarm.CauseOf(err).String())
	case err == nil && before != nil:
		s.log.Info("changes of torrents are kept again")
	}
}

// save writes the record of a torrent if it has changed since it was last written.
func (r *records) save(t *Torrent) error {
	return r.with(t.hash, func() error {
		t.mu.Lock()
		version := t.saved.version
		if t.drive.removed || t.saved.durable && t.saved.written == version {
			t.mu.Unlock()
			return nil
		}
		rec, info := t.rec, t.saved.info
		t.names.write(&rec)
		t.mu.Unlock()
		if info != nil { // first, so that the record is never ahead of it
			if err := r.replace(r.path(t.hash, infoSuffix), info.Marshal()); err != nil {
				return err
			}
		}
		doc, err := rec.marshal()
		if err != nil {
			return err
		}
		if err := r.replace(r.path(t.hash, recordSuffix), doc); err != nil {
			return err
		}
		t.mu.Lock()
		t.saved.written, t.saved.durable = version, true
		if t.saved.info == info {
			t.saved.info = nil
			if info != nil {
				t.saved.parsed = weak.Make(info)
			}
		}
		t.mu.Unlock()
		return nil
	})
}
