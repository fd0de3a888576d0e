package daemon

import (
	"context"
	"errors"
	"fmt"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// Remove ends the torrent and forgets it; with data, its files are removed, too, see
// swarm.Torrent.Remove. If they cannot be, the torrent stays, stopped. The error is ErrRemoved,
// that of ctx, a *KeepError if the state folder still has the torrent, or says why the files
// cannot be removed. A removal that has begun goes on when ctx ends.
func (t *Torrent) Remove(ctx context.Context, data bool) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	temporary := t.isTemporary()
	data = data || temporary
	ctx = t.daemon.ctx // a removal that has begun is finished, whether the caller waits or not
	if err := t.beginRemoval(data); err != nil {
		return err
	}
	err := t.removeContent(ctx, data)
	if errors.Is(err, ErrRemoved) { // by somebody else, meanwhile
		return err
	}
	if err != nil {
		t.mu.Lock()
		t.drive.removed = false
		t.mu.Unlock()
		t.changed(swarm.ChangedState)
		return err
	}
	d := t.daemon
	if temporary {
		d.removeVisit(t.hash)
	}
	held, last := d.leave(t)
	if last > 0 {
		err = d.records.keepLast(t.id, last)
	}
	if err == nil {
		err = d.records.remove(t.hash)
	}
	d.mu.Lock()
	d.release(held)
	d.mu.Unlock()
	d.log.Info("removed", "torrent", t.hash.Short(), "id", t.id, "data", data)
	d.happened(t, EventRemoved)
	if err != nil {
		return &KeepError{fmt.Errorf("removing it: %w", err)}
	}
	return nil
}

// leave takes the torrent out of all lists, and keeps others from adding it until its files are
// removed. It returns the info-hashes to release, and the last ID that was given away, or 0 if the
// record of another torrent has a larger ID than t.
func (d *Daemon) leave(t *Torrent) (held []metainfo.Hash, last ID) {
	hashes := t.hashes()
	d.mu.Lock()
	d.listed.drop(t.id)
	if n := len(d.listed); n == 0 || d.listed[n-1].id < t.id {
		last = d.last
	}
	for _, hash := range hashes {
		if d.torrents[hash] == t {
			delete(d.torrents, hash)
			held = append(held, hash)
		}
	}
	d.hold(held)
	d.mu.Unlock()
	d.order.remove(t)
	d.feed.Remove(t)
	return held, last
}

// beginRemoval makes the torrent stop, and keeps everybody else from doing something with it.
func (t *Torrent) beginRemoval(data bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.drive.removed {
		return ErrRemoved
	}
	if data && !t.rec.Options.Stopped {
		// If the process dies on the way, the next one must not fetch the files again.
		t.rec.Options.Stopped = true
		t.edited(0)
	}
	return nil
}

// removeContent ends the torrent in the engine, and removes what is recorded of it there.
func (t *Torrent) removeContent(ctx context.Context, data bool) error {
	t.mu.Lock()
	known := t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if data {
		if err := t.daemon.saver.saveNow(t); err != nil {
			t.daemon.log.Warn("a torrent whose files are removed cannot be kept as stopped", "torrent",
				t.hash.Short(), "err", err)
		}
		if known && t.opened() == nil {
			_, err := t.open(ctx)
			if _, gone := errors.AsType[*GoneError](err); err != nil && !gone {
				return err
			}
		}
	}
	t.life.Lock()
	defer t.life.Unlock()
	t.mu.Lock()
	run := t.run
	if t.drive.removed {
		t.mu.Unlock()
		return ErrRemoved
	}
	t.drive.removed, t.drive.dropped = true, true
	t.mu.Unlock()
	t.daemon.checks.release(t)
	if run == nil {
		if err := t.daemon.node.Forget(t.hash); err != nil {
			t.daemon.log.Warn("records of a torrent cannot be removed", "torrent", t.hash.Short(),
				"err", err)
		}
		return nil
	}
	err := run.Remove(ctx, data)
	if err != nil && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	t.mu.Lock()
	t.knowFiles()
	t.run, t.drive.running = nil, false
	t.mu.Unlock()
	return err
}
