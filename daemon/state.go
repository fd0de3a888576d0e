package daemon

import (
	"cmp"
	"time"

	"swarmnode/daemon/stuck"
	"swarmnode/swarm"
)

// A State describes a torrent at one moment. Sizes are bytes without padding, rates bytes per
// second.
type State struct {
	Status Status
	Name   string // of the content, as the user named it, or as the torrent does
	// Why says, in a sentence for users, why it is Stopped or queued, unless the user wants
	// that; Finished says that a goal was reached.
	Why      string
	Finished bool
	// Error is what the user has to do something about; empty if there is nothing.
	Error string

	Queue   int  // the position in the queue, from 0
	Forced  bool // it does not queue
	Stalled bool // nothing has moved for Settings.QueueStalled
	// Stuck says why it does not get on; Torrent.Stuck has the sentence.
	Stuck stuck.Reason

	Dir         string // where the content lies now
	Temporary   bool   // it is removed after its last use; see Daemon.Visit
	HaveInfo    bool   // the metadata is known
	Private     bool
	Size        int64
	Wanted      int64 // of the files that are wanted
	Got         int64 // of Wanted, in verified pieces
	Left        int64 // of Wanted, missing
	Have        int64 // of Size, in verified pieces
	Files       int   // padding is left out
	Pieces      int
	PiecesHave  int
	PieceLength int

	MetadataSize, MetadataHave int   // bytes, until HaveInfo
	Checked, CheckTotal        int64 // bytes, while Checking
	Moved, MoveTotal           int64 // bytes, while content is copied to another folder

	DownRate, UpRate int64
	ETA              time.Duration // until Left is 0, or the goal is reached; negative: unknown
	Ratio            float64       // given, as a share of Wanted; negative: unknown
	Totals           swarm.Totals  // of all runs
	Started          time.Time     // when it last began to run; zero if it has not since the start

	// Swarm has the rest; its zero value while the torrent is not open.
	Swarm swarm.State
}

// State returns what the torrent was doing a moment ago. It never waits. Nobody may change the
// maps of a State.
func (t *Torrent) State() (s State) {
	var f stuck.Facts
	t.examine(&s, &f)
	s.Stuck = f.Reason()
	return s
}

// examine writes State without Stuck, and the facts that Stuck follows from. Of a torrent that
// its user wants to rest, there are no others.
func (t *Torrent) examine(s *State, f *stuck.Facts) {
	t.mu.Lock()
	run := t.run
	t.mu.Unlock()
	var open swarm.State
	if run != nil {
		open = run.State()
	}
	t.mu.Lock()
	*s = t.kept()
	if run != nil && t.run == run {
		s.open(&open)
	}
	s.Status, s.Why = t.status(s), t.whyNow()
	s.Error = t.errorNow(s)
	t.facts(s, f)
	o := &t.rec.Options
	ratio, seeds, idle := o.Ratio, o.Time, o.Idle
	limits := limited{o.Down, o.Alone, o.Group}
	t.mu.Unlock()
	now := time.Now()
	if f.Stage == stuck.Running { // the others do not depend on the network
		t.daemon.around(now).look(f, now, s, &limits)
	}
	s.Ratio = ratioOf(s.Totals.Up, s.Wanted)
	switch {
	case s.Status == Downloading && s.Left > 0 && s.DownRate > 0:
		s.ETA = time.Duration(float64(s.Left) / float64(s.DownRate) * float64(time.Second))
	case s.Status == Seeding:
		set := t.daemon.Settings()
		g := goalsOf(&set, &Options{Ratio: ratio, Time: seeds, Idle: idle})
		s.ETA = g.eta(now, seeded{s.Totals.Up, s.Wanted, s.Totals.Seeding,
			later(s.Started, s.Totals.LastActive)}, s.UpRate)
	}
}

// kept returns the State of a torrent at rest. t.mu is held.
func (t *Torrent) kept() State {
	r, d := &t.rec, &t.drive
	k := &r.Shown
	s := State{
		Name: k.Name, Finished: r.Finished, Queue: t.daemon.order.position(t),
		Forced: r.Options.Forced, Stalled: d.stalled,
		Dir: cmp.Or(r.Place, r.Options.Dir), Temporary: r.Temporary,
		HaveInfo: k.HaveInfo, Private: k.Private, Size: k.Size, Wanted: k.Wanted, Got: k.Got,
		Left: k.Left,
		Have: k.Have, Files: int(k.Files), Pieces: int(k.Pieces), PiecesHave: int(k.PiecesHave),
		PieceLength: int(k.PieceLength), Totals: k.totals(), Started: d.started,
		ETA: -1, Ratio: -1,
	}
	return s
}

// open puts into s what the engine knows of an open torrent.
func (s *State) open(now *swarm.State) {
	s.Swarm = *now
	s.DownRate, s.UpRate = now.DownRate, now.UpRate
	s.MetadataSize, s.MetadataHave = now.MetadataSize, now.MetadataHave
	s.Moved, s.MoveTotal = now.Moved, now.MoveTotal
	if now.Phase == swarm.Checking {
		s.Checked, s.CheckTotal = now.Checked, now.CheckTotal
	}
	added := s.Totals.Added
	s.Totals = now.Totals
	if !added.IsZero() {
		s.Totals.Added = added
	}
	if now.Dir == "" || now.Pieces == 0 || !s.HaveInfo { // the content is not known yet
		return
	}
	s.Dir = now.Dir
	s.Wanted, s.Got, s.Left, s.Have = now.Wanted, now.Got, now.Left, now.Have
	s.PiecesHave = now.PiecesHave
}

// status returns what the torrent does. s has what is known of its content. t.mu is held.
func (t *Torrent) status(s *State) Status {
	d, phase := &t.drive, s.Swarm.Phase
	switch {
	case t.run != nil && phase == swarm.Checking:
		return Checking
	case d.check == checkWaiting || d.check == checkGranted || d.verify:
		return CheckQueued
	case d.failed, t.rec.Options.Stopped, t.rec.Finished:
		return Stopped
	case t.run != nil && d.running && d.aim == aimRun:
		if s.HaveInfo && s.Left == 0 {
			return Seeding
		}
		return Downloading
	case s.HaveInfo && s.Left == 0:
		return SeedQueued
	}
	return DownloadQueued
}

// whyShort is State.Why of a torrent that the memory limit keeps from running.
const whyShort = "memory limit reached: waiting for room"

// whyNow returns State.Why. t.mu is held.
func (t *Torrent) whyNow() string {
	if t.drive.short && t.drive.aim == aimRun && !t.drive.running {
		return whyShort
	}
	return t.drive.why
}

// errorNow returns State.Error. t.mu is held.
func (t *Torrent) errorNow(s *State) string {
	switch {
	case t.drive.fault != nil:
		return t.drive.fault.Error()
	case s.Swarm.Fault != nil && swarm.CauseOf(s.Swarm.Fault) != swarm.CauseReserve:
		return s.Swarm.Fault.Error()
	}
	return ""
}
