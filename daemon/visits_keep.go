package daemon

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// keepVisit makes a temporary torrent a lasting one, as rec describes it, which was made from
// spec. What was fetched stays: it is moved to where rec says. The error is an *ExistsError if the
// torrent is a lasting one, ErrRemoved if it is being removed, or says why it cannot be kept.
func (d *Daemon) keepVisit(ctx context.Context, t *Torrent, rec *record, spec *AddSpec) error {
	t.mu.Lock()
	temporary, known := t.rec.Temporary, t.rec.Shown.HaveInfo
	leaving := t.drive.removed || t.drive.leaving
	t.mu.Unlock()
	switch {
	case !temporary:
		t.mergeTrackers(rec.Trackers)
		return &ExistsError{t}
	case leaving:
		return ErrRemoved
	case rec.Whole: // the user has all of the content elsewhere
		t.endVisit(ctx, time.Now())
		return ErrRemoved
	}
	t.editing.Lock()
	defer t.editing.Unlock()
	var err error
	if known {
		err = t.keepKnown(ctx, rec, spec)
	} else {
		err = t.keepUnknown(ctx, rec, spec)
	}
	if err != nil {
		return err
	}
	if err := d.saver.saveNow(t); err != nil {
		return &KeepError{err}
	}
	d.alias(t)
	d.log.Info("added", "torrent", t.hash.Short(), "id", t.id, "name", t.name(), "from",
		spec.Source)
	d.ledger.add()
	t.changed(swarm.ChangedSettings | swarm.ChangedState)
	d.happened(t, EventAdded)
	d.steward.look(t)
	if known {
		t.leaveVisits(ctx, rec)
	} else {
		d.hands.push(t, atOnce)
	}
	return nil
}

// keepUnknown keeps a temporary torrent whose metadata was not known a moment ago.
func (t *Torrent) keepUnknown(ctx context.Context, rec *record, spec *AddSpec) error {
	became, err := t.become(rec, spec)
	if err != nil || became {
		return err
	}
	return t.keepKnown(ctx, rec, spec)
}

// become closes a torrent and makes it what rec describes. It reports false if its metadata is
// known.
func (t *Torrent) become(rec *record, spec *AddSpec) (done bool, err error) {
	t.life.Lock() // until the metadata is written, which the next one to open it reads
	defer t.life.Unlock()
	if err := t.closeHeld(); err != nil {
		t.daemon.log.Info("closing a temporary torrent", "torrent", t.hash.Short(), "err", err)
	}
	t.mu.Lock()
	if t.drive.removed || t.rec.Shown.HaveInfo {
		defer t.mu.Unlock()
		if t.drive.removed {
			return false, ErrRemoved
		}
		return false, nil
	}
	next := *rec
	next.ID, next.Queue, next.Temporary = t.rec.ID, t.rec.Queue, false
	next.Shown.Added = t.rec.Shown.Added
	next.V1, next.V2 = "", ""
	if spec.Torrent != nil {
		t.names = namesOfInfo(spec.Torrent.Info())
		t.saved.info = spec.Torrent
	} else if known := namesOfMagnet(&spec.Magnet); len(known.short()) > len(t.names.short()) {
		t.names = known
	}
	next.intern()
	t.rec = next
	t.drive.known, t.drive.done = next.Shown.HaveInfo, false
	t.edited(0)
	t.mu.Unlock()
	if err := t.daemon.saver.saveNow(t); err != nil {
		return false, &KeepError{err}
	}
	return true, nil
}

// keepKnown keeps a temporary torrent whose metadata is known, while it is read.
func (t *Torrent) keepKnown(ctx context.Context, rec *record, spec *AddSpec) error {
	torrent, err := t.Metainfo(ctx)
	if err != nil {
		return err
	}
	l := torrent.Info().Layout()
	after := rec.Options.clone()
	switch {
	case spec.Torrent != nil:
	case len(spec.Choose) > 0:
		if after.Files = namedBy(spec.Choose, l); after.Files == nil {
			return &OptionError{"files", errNoFile}
		}
	case after.Files == nil:
		after.Files = prioritiesOf(&spec.Magnet, l)
	}
	if after.Files != nil && len(after.Files) != len(l.Files) {
		return &OptionError{"files", swarm.ErrPriorities}
	}
	t.mu.Lock()
	before, run := t.rec.Options, t.run
	t.mu.Unlock()
	if run != nil {
		if err := t.applyOptions(run, &before, &after); err != nil {
			return err
		}
	}
	after.intern()
	t.mu.Lock()
	if t.drive.removed || t.drive.leaving {
		t.mu.Unlock()
		return ErrRemoved
	}
	t.rec.Place, t.rec.Options, t.rec.Temporary = before.Dir, after, false
	if t.rec.Trackers == nil || spec.Torrent != nil {
		t.rec.Trackers = rec.Trackers
	}
	t.rec.wish(l)
	t.drive.known, t.drive.done = true, false // so that it becomes complete, if it is
	t.edited(0)
	t.mu.Unlock()
	if run != nil {
		if err := t.announceTo(run); err != nil {
			t.daemon.log.Info("trackers were not taken over", "torrent", t.hash.Short(), "err", err)
		}
		t.observe(run, swarm.ChangedState)
	}
	return nil
}

// wish counts what is wanted, after the choice of files has changed.
func (r *record) wish(l *metainfo.Layout) {
	s := &r.Shown
	s.Wanted = 0
	for i := range l.Files {
		f := &l.Files[i]
		if !f.Pad && (r.Options.Files == nil || isWanted(r.Options.Files[i])) {
			s.Wanted += f.Length
		}
	}
	s.Got = min(s.Got, s.Wanted)
	s.Left = s.Wanted - s.Got
}

// leaveVisits moves the content of a torrent that was temporary to the folder that rec names. If
// that cannot be done, the content stays where it is until it is complete.
func (t *Torrent) leaveVisits(ctx context.Context, rec *record) {
	if err := t.beginMove(); err != nil {
		return // its user does that, or removes it
	}
	d := t.daemon
	move := func() {
		if rec.Place == "" {
			_ = t.move(d.ctx, rec.Options.Dir) // State shows its error
		} else {
			t.moveUnfinished(d.ctx, rec.Place)
		}
	}
	if !d.start(move) {
		t.endMove()
	}
}

// moveUnfinished moves content to the folder for unfinished content. A start after a kill finds
// the content by the note of the engine.
func (t *Torrent) moveUnfinished(ctx context.Context, place string) {
	defer func() {
		t.endMove()
		t.daemon.folders.arrived(t) // it may have become complete meanwhile
	}()
	defer t.need()()
	run, err := t.openRecorded(ctx)
	if err == nil {
		t.daemon.hands.push(t, atOnce)
		err = run.Move(ctx, place)
	}
	if err != nil {
		if ctx.Err() == nil {
			t.daemon.log.Warn("unfinished content stays in the folder of temporary torrents", "torrent",
				t.hash.Short(), "err", err)
		}
		return
	}
	t.mu.Lock()
	t.rec.Place = shared(filepath.Clean(place))
	t.edited(0)
	t.mu.Unlock()
}

// none returns priorities with which nothing is wanted.
func none(l *metainfo.Layout) []swarm.Priority {
	return slices.Repeat([]swarm.Priority{swarm.Unwanted}, len(l.Files))
}
