package daemon

import (
	"context"
	"errors"
	"os"
	"time"

	"swarmnode/swarm"
)

// Move puts the content into another folder, which becomes Options.Dir. It returns at once;
// State shows the progress, and Error what went wrong. Content in Settings.IncompleteDir stays
// there until it is complete. The error is an *OptionError, a *PathError, ErrMoving, ErrRemoved
// or ErrClosed.
func (t *Torrent) Move(ctx context.Context, dir string) error {
	if err := checkDir(dir); err != nil {
		return &OptionError{"dir", err}
	}
	if err := t.daemon.admit(ctx, dir); err != nil {
		return err
	}
	if err := t.beginMove(); err != nil {
		return err
	}
	if t.retarget(dir) {
		t.endMove()
		return nil
	}
	if !t.daemon.start(func() { _ = t.move(t.daemon.ctx, dir) }) {
		t.endMove()
		return ErrClosed
	}
	return nil
}

// ErrMoving says that the content is being moved already.
var ErrMoving = errors.New("the content is being moved already")

// beginMove keeps others from moving the content until endMove.
func (t *Torrent) beginMove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.drive.removed:
		return ErrRemoved
	case t.drive.moving:
		return ErrMoving
	}
	t.drive.moving = true
	return nil
}

// endMove ends beginMove.
func (t *Torrent) endMove() {
	t.mu.Lock()
	t.drive.moving = false
	t.drive.touched = time.Now()
	t.mu.Unlock()
	os.Remove(t.daemon.visitDir(t.hash)) // which is empty if the content lay there
	t.changed(swarm.ChangedState | swarm.ChangedSettings)
	t.daemon.folders.moved(t)
}

// move moves the content, and records where it lies. The error is that of
// swarm.Torrent.Move, which State shows.
func (t *Torrent) move(ctx context.Context, dir string) error {
	defer t.endMove()
	t.mu.Lock()
	known := t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if known {
		defer t.need()()
		run, err := t.openRecorded(ctx)
		if err == nil {
			t.daemon.hands.push(t, atOnce)
			before := t.intend(dir)
			if err = run.Move(ctx, dir); err != nil {
				t.stayed(before, run.State().Dir)
			}
		}
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrRemoved) {
				t.warn("the content cannot be moved to "+dir, err)
			}
			return err
		}
	}
	t.mu.Lock()
	t.rec.Options.Dir, t.rec.Place, t.rec.Moving = shared(dir), "", ""
	t.edited(0)
	t.mu.Unlock()
	t.forgive()
	return nil
}

// start runs f in a goroutine that Close waits for. It reports false if the daemon is closed.
func (d *Daemon) start(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.wait.Go(f)
	return true
}

// Locate says that the content lies in another folder now. It is checked there. The error is one
// of Move, or ErrAdopted.
func (t *Torrent) Locate(ctx context.Context, dir string) error {
	if err := checkDir(dir); err != nil {
		return &OptionError{"dir", err}
	}
	if err := t.daemon.admit(ctx, dir); err != nil {
		return err
	}
	if t.adopted != nil {
		return ErrAdopted
	}
	if err := t.beginMove(); err != nil {
		return err
	}
	defer t.endMove()
	known := t.relocate(dir)
	t.forgive()
	if known {
		return t.Verify(ctx)
	}
	return nil
}

// need keeps the torrent open until the function that it returns is called. Until then its content
// is hashed even while it rests, if its files cannot be opened before that. A caller that has
// opened it pushes it to the hands.
func (t *Torrent) need() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drive.needs++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drive.needs--
		t.drive.touched = time.Now()
	}
}

// openRecorded is openKnown for a call that changes where the content or a file lies. While
// content that was added as whole is open for the first time, the engine would not record that,
// so it is opened again.
func (t *Torrent) openRecorded(ctx context.Context) (*swarm.Torrent, error) {
	run, err := t.openKnown(ctx)
	t.mu.Lock()
	again := err == nil && t.drive.trusted && !t.rec.Whole && t.run == run
	t.mu.Unlock()
	if !again {
		return run, err
	}
	if err := t.close(); err != nil {
		return nil, err
	}
	return t.openKnown(ctx)
}

// openKnown opens the torrent and waits until its files are known. The error is ErrNoInfo before
// the metadata is known, or that of open or ctx.
func (t *Torrent) openKnown(ctx context.Context) (*swarm.Torrent, error) {
	t.mu.Lock()
	known := t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if !known {
		return nil, ErrNoInfo
	}
	run, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	t.awaitFiles(ctx, run, openPatience)
	return run, nil
}
