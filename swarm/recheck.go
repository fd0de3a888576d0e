package swarm

import (
	"context"
	"errors"
	"slices"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/storage"
)

const (
	// verifiesMax bounds how many pieces that Recheck has found to be other than they were
	// thought to be are verified at a time, besides those that are being fetched.
	verifiesMax = 64
	// verifyWait is how long Recheck waits for them at most before it goes on: a fault of
	// the disk answers several pieces at once.
	verifyWait = time.Second
)

// recheck is what the loop of a torrent knows of Recheck.
type recheck struct {
	due     bool // it comes after the first check of the content
	running bool
	// verifying is how many answers to Verify are awaited, and room is closed when they
	// are few again; nil if nobody waits for that.
	verifying int
	room      chan struct{}
}

// verify records that a piece is being verified.
func (r *recheck) verify() { r.verifying++ }

// verified records that an answer has come.
func (r *recheck) verified() {
	r.verifying = max(r.verifying-1, 0)
	if r.room != nil && r.verifying < verifiesMax {
		close(r.room)
		r.room = nil
	}
}

// isRunning reports whether the content is being hashed again.
func (r *recheck) isRunning() bool { return r.running }

// await returns a channel that is closed when few answers are awaited, or nil if they are
// few.
func (r *recheck) await() <-chan struct{} {
	if r.verifying < verifiesMax {
		return nil
	}
	if r.room == nil {
		r.room = make(chan struct{})
	}
	return r.room
}

// Recheck hashes all content again that lies on disk, whatever is known of it. It returns
// at once: State has the phase Checking and the progress, and the torrent goes on
// meanwhile. A piece counts as lost once it is found to be wrong, and is fetched again; of
// a torrent with Spec.Complete it is no longer offered. A piece that is found to be right
// need not be fetched. Until then each piece counts as it did, so uploads go on.
//
// Recheck works while the torrent is paused, and goes on with a check that a pause holds
// up. Pause holds it up, too. It joins a Recheck that runs, and follows the first check of
// the content. The error is ErrNoInfo while the metadata is not known, or ErrStopped after
// the end of the torrent. For a torrent that is MetadataOnly it does nothing.
func (t *Torrent) Recheck() error {
	return t.command(func(time.Time) error { return t.loop.startRecheck() })
}

// startRecheck begins to hash the content, unless that goes on already.
func (l *loop) startRecheck() error {
	switch {
	case l.t.spec.MetadataOnly:
		return nil
	case l.t.Info() == nil && l.t.spec.Torrent == nil:
		return ErrNoInfo
	}
	l.t.checks.open()
	switch {
	case l.store == nil:
		l.recheck.due = true
	case !l.recheck.running:
		l.runRecheck()
	}
	return nil
}

// recheckIfDue begins the Recheck that was asked for while the content was checked first.
func (l *loop) recheckIfDue() {
	if l.recheck.due {
		l.recheck.due = false
		l.runRecheck()
	}
}

// runRecheck hashes the content in a goroutine.
func (l *loop) runRecheck() {
	l.recheck.running = true
	l.content.forgive()
	l.t.handle.setChecked(0, 0)
	l.t.log.Info("checking all content again")
	l.wait.Go(func() {
		err := l.store.Recheck(l.t.ctx, l.t.setChecked, l.lookedAgain)
		l.t.ask(func(time.Time) { l.rechecked(err) })
	})
}

// rechecked ends a Recheck.
func (l *loop) rechecked(err error) {
	l.recheck.running = false
	switch {
	case err == nil:
		l.t.log.Info("all content was checked again", "missing", l.core.Totals().Missing)
	case errors.Is(err, context.Canceled), errors.Is(err, storage.ErrClosed):
	default:
		l.t.log.Warn("the content cannot be checked", "err", err)
	}
}

// missed goes back to fetching if content that was complete has lost a piece.
func (l *loop) missed(now time.Time) {
	if !l.t.spec.Complete && !l.t.spec.MetadataOnly && !l.hasWanted() && l.reopen(now) {
		l.t.log.Warn("some of the content is missing and is fetched again")
	}
}

// lookedAgain has the pieces verified that Recheck has found to be other than they were
// thought to be. It waits while many are being verified. The loop must not call it.
func (l *loop) lookedAgain(pieces *bits.Set) {
	for group := range slices.Chunk(slices.Collect(pieces.Members()), verifiesMax) {
		room := make(chan (<-chan struct{}), 1)
		if !l.t.ask(func(now time.Time) {
			for _, piece := range group {
				l.core.Step(now, core.Event{Kind: core.Doubted,
					Ref: block.Ref{Piece: uint32(piece)}})
			}
			l.act(now)
			room <- l.recheck.await()
		}) {
			return
		}
		if wait := <-room; wait != nil {
			l.awaitVerified(wait)
		}
	}
}

// awaitVerified waits until room is closed, and no longer than verifyWait.
func (l *loop) awaitVerified(room <-chan struct{}) {
	late := time.NewTimer(verifyWait)
	defer late.Stop()
	select {
	case <-room:
	case <-late.C:
	case <-l.t.ctx.Done():
	}
}
