package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// visitsFolder is the folder in the state folder where the content of temporary torrents lies,
	// each in a folder with its info-hash as the name.
	visitsFolder = "visits"
	// visitsMax is how many temporary torrents there are at most.
	visitsMax = 16
	// visitRest is how long a temporary torrent stays after its last use.
	visitRest = 15 * time.Minute
	// visitReserve is how much of the file system of the state folder has to be free for another
	// temporary torrent. Settings.MinFree counts if it is more.
	visitReserve = 64 << 20
	// visitTries bounds how often Add and Visit look again at a temporary torrent that is just
	// being removed.
	visitTries = 100
)

// ErrTooManyVisits says that all temporary torrents that there may be are in use.
var ErrTooManyVisits = fmt.Errorf("%d temporary torrents are in use, which is the most; add the "+
	"torrent, or try again later", visitsMax)

// A SpaceError says that a file system has too little room for a temporary torrent.
type SpaceError struct {
	Dir        string
	Free, Want int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("no room to read a torrent that is not added: %s has %d MiB free, and %d MiB "+
		"stay free", e.Dir, e.Free>>20, e.Want>>20)
}

// Visit returns the torrent of a magnet link so that it can be read: the one that is there, or a
// temporary one. Nothing of a temporary torrent is fetched but what a Reader reads. Its content
// lies in the state folder. It is removed with its content 15 minutes after its last use, and
// when the daemon ends. Add makes it stay. The error is one of Add, ErrTooManyVisits or a
// *SpaceError.
func (d *Daemon) Visit(ctx context.Context, m metainfo.Magnet) (*Torrent, error) {
	spec := AddSpec{Magnet: m, Source: "a visit", Options: Options{
		Dir: d.visitDir(m.Hash()), Forced: true,
		Ratio: Goal[float64]{Mode: GoalNone},
		Time:  Goal[time.Duration]{Mode: GoalNone}, Idle: Goal[time.Duration]{Mode: GoalNone},
	}}
	rec, _, err := d.recordOf(ctx, &spec)
	if err != nil {
		return nil, err
	}
	rec.Temporary = true
	for range visitTries {
		t, err := d.known(rec)
		if t == nil && err == nil {
			if err = d.admitVisit(ctx); err == nil {
				t, err = d.install(ctx, rec, nil, &spec)
			}
		}
		if there, ok := errors.AsType[*ExistsError](err); ok {
			t, err = there.Torrent, nil
		}
		if err != nil {
			return nil, err
		}
		if t.touch(rec.Trackers) {
			return t, nil
		}
		t.awaitLeave()
	}
	return nil, ErrRemoved
}

// visitDir returns the folder for the content of a temporary torrent.
func (d *Daemon) visitDir(hash metainfo.Hash) string {
	return filepath.Join(d.visitsDir(), hash.String())
}

// visitsDir returns the folder of all temporary content.
func (d *Daemon) visitsDir() string {
	state := d.records.state
	if abs, err := filepath.Abs(state); err == nil {
		state = abs
	}
	return filepath.Join(state, visitsFolder)
}

// touch records a use of the torrent, and gives a temporary one further trackers. It reports
// false if the torrent is being removed.
func (t *Torrent) touch(trackers [][]string) bool {
	t.mu.Lock()
	gone, temporary := t.drive.removed || t.drive.leaving, t.rec.Temporary
	t.drive.used = time.Now()
	t.mu.Unlock()
	if temporary && !gone {
		t.mergeTrackers(trackers)
	}
	return !gone
}

// awaitLeave waits while the torrent is being removed.
func (t *Torrent) awaitLeave() {
	t.life.Lock() // which is held while the engine removes the content
	//lint:ignore SA2001 the lock is only waited for
	t.life.Unlock()
}

// isTemporary reports whether the torrent is removed some time after its last use.
func (t *Torrent) isTemporary() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Temporary
}

// lastUse returns when a temporary torrent that nobody uses was used last.
func (t *Torrent) lastUse() (used time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &t.drive
	return d.used, t.rec.Temporary && !d.removed && !d.leaving && d.users == 0
}

// admitVisit makes room for another temporary torrent.
func (d *Daemon) admitVisit(ctx context.Context) error {
	set := d.Settings()
	want := max(set.MinFree, visitReserve)
	free, _, err := swarm.DiskSpace(d.records.state)
	if err == nil && free < want {
		return &SpaceError{Dir: d.records.state, Free: free, Want: want}
	}
	var count int
	var oldest *Torrent
	var since time.Time
	for _, t := range d.Torrents() {
		if !t.isTemporary() {
			continue
		}
		count++
		if used, ok := t.lastUse(); ok && (oldest == nil || used.Before(since)) {
			oldest, since = t, used
		}
	}
	switch {
	case count < visitsMax:
		return nil
	case oldest == nil || !oldest.endVisit(ctx, time.Now()):
		return ErrTooManyVisits
	}
	return nil
}

// endVisits removes the temporary torrents that nobody has used for a while.
func (d *Daemon) endVisits(ctx context.Context, now time.Time) {
	for _, t := range d.Torrents() {
		if used, ok := t.lastUse(); ok && now.Sub(used) >= visitRest {
			t.endVisit(ctx, now.Add(-visitRest))
		}
	}
}

// endVisit removes a temporary torrent with its content unless it was used after a moment, or is
// in use. It reports whether the torrent is gone.
func (t *Torrent) endVisit(ctx context.Context, before time.Time) bool {
	t.mu.Lock()
	d := &t.drive
	if !t.rec.Temporary || d.removed || d.leaving || d.users > 0 || d.used.After(before) {
		t.mu.Unlock()
		return false
	}
	d.leaving = true
	t.mu.Unlock()
	err := t.Remove(ctx, true)
	if err == nil || errors.Is(err, ErrRemoved) {
		return true
	}
	t.daemon.log.Warn("a temporary torrent cannot be removed", "torrent", t.hash.Short(), "err",
		err)
	t.mu.Lock()
	d.leaving = false
	t.mu.Unlock()
	return false
}

// removeVisit removes what is left of the folder of a temporary torrent.
func (d *Daemon) removeVisit(hash metainfo.Hash) {
	if err := os.RemoveAll(d.visitDir(hash)); err != nil {
		d.log.Warn("content of a temporary torrent is left", "torrent", hash.Short(), "err", err)
	}
}

// dropVisits removes the content of temporary torrents, which have ended. The next start removes
// the rest.
func (d *Daemon) dropVisits() {
	if d.records.writable() != nil {
		return
	}
	for _, t := range d.Torrents() {
		if t.isTemporary() {
			d.removeVisit(t.hash)
		}
	}
}

// clearVisits removes the temporary torrents of the last run, and content in their folder that no
// torrent has now.
func (d *Daemon) clearVisits() {
	temporary := d.temporary
	d.temporary = nil
	if d.records.readOnly != nil {
		return
	}
	for _, f := range temporary {
		d.removeVisit(f.hash)
		err := d.node.Forget(f.hash)
		if err == nil {
			err = d.records.keepLast(f.rec.ID, d.last)
		}
		if err == nil {
			err = d.records.remove(f.hash)
		}
		if err != nil {
			d.log.Warn("a temporary torrent of the last run is left", "torrent", f.hash.Short(),
				"err", err)
		}
	}
	entries, err := os.ReadDir(d.visitsDir())
	if err != nil {
		return // there is none, or the next torrent there says what is wrong
	}
	var used []string
	for _, t := range d.Torrents() {
		t.mu.Lock()
		used = append(used, t.rec.Place, t.rec.Options.Dir, t.rec.Moving)
		t.mu.Unlock()
	}
	for _, entry := range entries {
		path := filepath.Join(d.visitsDir(), entry.Name())
		if slices.Contains(used, path) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			d.log.Warn("temporary content is left", "path", path, "err", err)
		}
	}
}
