package daemon

import (
	"context"
	"time"
)

// infoLook is how often AwaitInfo looks whether the torrent was opened again.
const infoLook = time.Second

// AwaitInfo waits until the metadata is known. The error is the cause of ctx, ErrRemoved, or says
// why the torrent cannot be opened.
func (t *Torrent) AwaitInfo(ctx context.Context) error {
	timer := time.NewTicker(infoLook)
	defer timer.Stop()
	for {
		t.mu.Lock()
		known, removed := t.rec.Shown.HaveInfo, t.drive.removed
		t.mu.Unlock()
		switch {
		case removed:
			return ErrRemoved
		case known:
			return nil
		}
		run, err := t.open(ctx)
		if err != nil {
			return err
		}
		select {
		case <-run.HaveInfo():
			t.awaitFiles(ctx, run, infoLook) // until we have taken note of it
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Resting reports whether the torrent fetches nothing now and will not before somebody does
// something or its turn comes, and why, as the end of a sentence for users.
func (t *Torrent) Resting() (why string, rests bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &t.drive
	switch {
	case d.removed:
		return "the torrent was removed", true
	case d.failed && d.fault != nil:
		return "the torrent cannot go on: " + d.fault.Error(), true
	case t.rec.Options.Stopped:
		return "the torrent is stopped", true
	case t.rec.Finished:
		return "the torrent is stopped: it " + t.rec.Goal, true
	case d.short && !d.running:
		return "the torrent rests: " + whyShort, true
	case d.aim == aimRest && d.why != "":
		return "the torrent rests: " + d.why, true
	}
	return "", false
}
