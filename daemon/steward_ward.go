package daemon

import (
	"time"

	"swarmnode/daemon/queue"
)

// A view is what a steward sees of a torrent.
type view struct {
	wants  bool   // the user wants it to run, and neither a goal nor an error keeps it from that
	aims   bool   // it was told to run
	forced bool   // it does not queue
	done   bool   // every wanted piece is there
	hashed bool   // its content is being hashed
	full   bool   // its content cannot be written because the file system is as full as it may be
	why    string // why it rests, if it does not want to run

	began   time.Time     // when it last began to run; zero: not yet
	payload int64         // bytes sent and received, in all runs
	given   int64         // bytes sent
	size    int64         // bytes of the wanted files
	seeding time.Duration // for how long it has seeded, in all runs
	dir     string        // where its content lies

	ratio      Goal[float64]
	time, idle Goal[time.Duration]
}

// A ward is what a steward knows of a torrent.
type ward struct {
	charge   charge
	seen     view // at the last look
	looked   bool // seen is known
	queued   queue.Torrent
	position int
	version  uint64 // of the order in which it was last
	stalled  bool   // as it appears
	held     bool   // for lack of free space
	why      string // it was told to rest for this reason
}

// attend looks at a torrent, and does what depends on it alone.
func (s *steward) attend(now time.Time, w *ward) {
	before, first := w.seen, !w.looked
	w.seen, w.looked = w.charge.view(), true
	v, q := &w.seen, &w.queued
	kind := queue.Download
	if v.done {
		kind = queue.Seed
	}
	if first || kind != q.Kind || v.forced != q.Forced || v.hashed != q.Hashed ||
		v.wants != before.wants {
		s.decider.unsure = true
	}
	if q.Hashed && !v.hashed || q.Running && v.began.After(q.Since) {
		q.Since = now // it begins only now
		s.decider.unsure = true
	}
	q.Kind, q.Forced, q.Hashed = kind, v.forced, v.hashed
	if v.payload > before.payload && !first && q.Running && q.Move(now, s.set.QueueStalled) {
		s.decider.unsure = true
	}
	if v.wants {
		s.hold(now, w)
		s.pursue(now, w)
	}
	if !v.wants {
		w.release(now)
	}
	s.watchStall(now, w)
}

// release lets a torrent rest that does not want to run.
func (w *ward) release(now time.Time) {
	w.held, w.why = false, w.seen.why
	w.queued.Spent = false
	if w.queued.Running {
		w.queued.Rest(now, queue.NoPlace)
	}
	w.charge.rest(w.seen.why, inTurn)
}

// hold keeps a download from running while its file system has too little room.
func (s *steward) hold(now time.Time, w *ward) {
	v := &w.seen
	why := ""
	if !v.done && !v.hashed {
		why = s.space.refuses(now, v.dir, v.full && w.queued.Running)
	}
	if held := why != ""; held != w.held {
		w.held = held
		s.decider.unsure = true
	}
	if !w.held {
		return
	}
	if w.queued.Running {
		w.queued.Rest(now, queue.NoPlace)
	}
	w.tell(why, inTurn)
}

// pursue stops a seed that has reached a goal.
func (s *steward) pursue(now time.Time, w *ward) {
	v := &w.seen
	if !v.done || v.hashed {
		return
	}
	g := goalsOf(&s.set, &Options{Ratio: v.ratio, Time: v.time, Idle: v.idle})
	m := seeded{given: v.given, size: v.size, seeding: v.seeding, moved: now}
	if w.queued.Running {
		m.moved = later(w.queued.Since, w.queued.Moved)
	}
	what, next := g.reached(now, m)
	if what == "" {
		if w.queued.Running {
			s.scanAt = sooner(s.scanAt, next)
		}
		return
	}
	v.wants, v.why = false, what
	s.decider.unsure = true
	w.charge.finish(what)
}

// later returns the later one of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// watchStall makes it appear whether a torrent is stalled.
func (s *steward) watchStall(now time.Time, w *ward) {
	q := &w.queued
	if stalled := q.Stalled(now, s.set.QueueStalled); stalled != w.stalled {
		w.stalled = stalled
		w.charge.appear(stalled)
	}
	if q.Running && !q.Hashed && !w.stalled && s.set.QueueStalled > 0 {
		s.scanAt = sooner(s.scanAt, later(q.Since, q.Moved).Add(s.set.QueueStalled))
	}
}

// tell tells a torrent to rest, unless it was told so already.
func (w *ward) tell(why string, when haste) {
	if w.why != why || w.seen.aims {
		w.why, w.seen.aims = why, false
		w.charge.rest(why, when)
	}
}
