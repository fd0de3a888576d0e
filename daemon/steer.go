package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"swarmnode/swarm"
)

// A Turn says when a torrent starts.
type Turn bool

// The turns.
const (
	InTurn Turn = false // when the queue lets it
	AtOnce Turn = true  // outside of the queue (Options.Forced)
)

// Options returns what the user has set. Nobody may change its slices and maps.
func (t *Torrent) Options() Options {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Options
}

// Set changes the options by a function that gets a copy. If the new ones are wrong, nothing
// changes, and the error is an *OptionError. Content is moved by Move, not by Options.Dir.
func (t *Torrent) Set(ctx context.Context, by func(*Options)) error {
	t.editing.Lock()
	defer t.editing.Unlock()
	t.mu.Lock()
	if t.drive.removed {
		t.mu.Unlock()
		return ErrRemoved
	}
	before := t.rec.Options
	after := before.clone()
	t.mu.Unlock()
	by(&after)
	if err := t.checkOptions(&before, &after); err != nil {
		return err
	}
	if before.Dir != after.Dir {
		if err := t.daemon.admit(ctx, after.Dir); err != nil {
			return err
		}
	}
	run, err := t.openFor(ctx, &before, &after)
	if err != nil {
		return err
	}
	if run != nil {
		err := t.applyOptions(run, &before, &after)
		if err != nil && !errors.Is(err, swarm.ErrStopped) {
			return err
		}
	}
	after.intern()
	t.mu.Lock()
	after.takeOver(&before, &t.rec.Options)
	t.rec.Options = after
	t.edited(settingsLate)
	t.mu.Unlock()
	if run != nil && !sameTiers(before.Trackers, after.Trackers) {
		if err := t.announceTo(run); err != nil { // check has read the URLs
			return &OptionError{"trackers", err}
		}
	}
	t.changed(swarm.ChangedSettings | swarm.ChangedState)
	t.daemon.steward.look(t)
	return nil
}

// takeOver puts into o, which was made of before, what Start, Stop and Move have changed
// meanwhile, unless o changes that, too.
func (o *Options) takeOver(before, now *Options) {
	if o.Stopped == before.Stopped && o.Forced == before.Forced {
		o.Stopped, o.Forced = now.Stopped, now.Forced
	}
	if o.Dir == before.Dir {
		o.Dir = now.Dir
	}
}

// checkOptions returns an *OptionError if options cannot be set.
func (t *Torrent) checkOptions(before, after *Options) error {
	if err := after.check(); err != nil {
		return err
	}
	t.mu.Lock()
	entries, known, place := int(t.rec.Shown.Entries), t.rec.Shown.HaveInfo, t.rec.Place
	t.mu.Unlock()
	switch {
	case after.Files != nil && known && len(after.Files) != entries:
		return &OptionError{"files", swarm.ErrPriorities}
	case after.Dir != before.Dir && place == "":
		return &OptionError{"dir", errors.New("content is moved by Move")}
	}
	return nil
}

// openFor opens a torrent that rests if a change of options needs that: files that come to be
// wanted are looked at. It returns nil if the torrent rests and the engine need not know.
func (t *Torrent) openFor(ctx context.Context, before, after *Options) (*swarm.Torrent, error) {
	t.mu.Lock()
	run, known := t.run, t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if run != nil || !known || slices.Equal(before.Files, after.Files) {
		return run, nil
	}
	run, err := t.open(ctx)
	if err == nil {
		t.awaitFiles(ctx, run, openPatience)
	}
	return run, err
}

// applyOptions tells the engine what is new of the options.
func (t *Torrent) applyOptions(run *swarm.Torrent, before, after *Options) error {
	if !slices.Equal(before.Files, after.Files) && run.Info() != nil {
		n := len(run.Info().Layout().Files)
		files := after.Files
		if files == nil {
			files = slices.Repeat([]swarm.Priority{swarm.Normal}, n)
		}
		if err := run.SetFiles(files); err != nil {
			return &OptionError{"files", err}
		}
	}
	_, webSeeds := t.sources(after)
	if (before.WebSeeds == nil) != (after.WebSeeds == nil) ||
		!slices.Equal(before.WebSeeds, after.WebSeeds) {
		if err := run.SetWebSeeds(webSeeds); err != nil {
			return &OptionError{"webseeds", err}
		}
	}
	if before.Sequential != after.Sequential {
		if err := run.SetSequential(after.Sequential); err != nil {
			return err
		}
	}
	if limits := after.limits(); limits != before.limits() {
		return run.SetLimits(limits)
	}
	return nil
}

// sources returns the trackers and web seeds that options mean: those that the user has set, or
// those of the torrent or link.
func (t *Torrent) sources(o *Options) (trackers [][]string, webSeeds []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	trackers, webSeeds = o.Trackers, o.WebSeeds
	if trackers == nil {
		trackers = t.rec.Trackers
	}
	if webSeeds == nil {
		webSeeds = t.rec.WebSeeds
	}
	return trackers, webSeeds
}

// sameTiers reports whether two lists of tiers are the same.
func sameTiers(a, b [][]string) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, slices.Equal[[]string])
}

// Start lets the torrent run when its turn in the queue comes, or outside of the queue. What
// kept it from running, such as an error, is forgotten. A goal that it has reached while it
// rested becomes GoalNone. A Set that is under way comes first: programs choose files and start
// at once, on two connections.
func (t *Torrent) Start(ctx context.Context, turn Turn) error {
	t.editing.Lock()
	defer t.editing.Unlock()
	if err := t.endedFor(); err != nil {
		return err
	}
	set := t.daemon.Settings()
	t.mu.Lock()
	if t.drive.removed {
		t.mu.Unlock()
		return ErrRemoved
	}
	if t.rec.Options.Stopped || t.rec.Finished {
		t.waive(&set)
	}
	t.rec.Options.Stopped, t.rec.Options.Forced = false, bool(turn)
	t.rec.Finished, t.rec.Goal = false, ""
	t.edited(settingsLate)
	t.mu.Unlock()
	t.forgive()
	t.changed(swarm.ChangedSettings | swarm.ChangedState)
	t.daemon.steward.look(t)
	t.hurry()
	return nil
}

// Stop makes the torrent rest until Start. Content that is being hashed is left.
func (t *Torrent) Stop(ctx context.Context) error {
	t.mu.Lock()
	if t.drive.removed {
		t.mu.Unlock()
		return ErrRemoved
	}
	t.rec.Options.Stopped, t.rec.Options.Forced = true, false
	checks := (t.drive.check != checkNone || t.drive.verify) && t.drive.needs == 0
	t.drive.verify, t.drive.looks = false, false
	t.edited(settingsLate)
	t.mu.Unlock()
	if checks {
		t.daemon.checks.release(t)
	}
	t.changed(swarm.ChangedSettings | swarm.ChangedState)
	t.daemon.steward.look(t)
	t.hurry()
	return nil
}

// hurry puts the torrent before those that nobody waits for, if something remains to do about
// it.
func (t *Torrent) hurry() {
	t.mu.Lock()
	d := &t.drive
	busy := !d.removed && (d.aim == aimRun) != d.running && (d.aim == aimRun || t.run != nil)
	t.mu.Unlock()
	if busy {
		t.daemon.hands.push(t, atOnce)
	}
}

// Verify hashes the content again, when its turn comes.
func (t *Torrent) Verify(ctx context.Context) error {
	t.mu.Lock()
	switch {
	case t.drive.removed:
		t.mu.Unlock()
		return ErrRemoved
	case !t.rec.Shown.HaveInfo:
		t.mu.Unlock()
		return ErrNoInfo
	}
	t.drive.verify = true
	t.drive.touched = time.Now()
	t.mu.Unlock()
	t.forgive()
	t.changed(swarm.ChangedState)
	t.daemon.hands.push(t, atOnce)
	return nil
}

// Reannounce asks the trackers as soon as they allow it. A torrent that rests asks nobody.
func (t *Torrent) Reannounce(ctx context.Context) error {
	if t.isRemoved() {
		return ErrRemoved
	}
	if run := t.opened(); run != nil {
		if err := run.Reannounce(); !errors.Is(err, swarm.ErrStopped) {
			return err
		}
	}
	return nil
}

// Enqueue changes the position in the queue: the new one is that of to, from 0.
func (t *Torrent) Enqueue(to int) error {
	if t.isRemoved() {
		return ErrRemoved
	}
	t.daemon.requeue([]*Torrent{t}, t.daemon.order.move(t, to))
	return nil
}
