package daemon

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

const (
	// placersCount is how many torrents are moved to their final folder at one time. Copies from
	// disk to disk are slower side by side.
	placersCount = 2
	// The pauses after content could not be moved grow from the first of these to the second.
	placeRetry, placeRetryMax = time.Minute, time.Hour
)

// placeNew chooses where the content of a new torrent lies: in Settings.IncompleteDir, unless
// it is complete, or something of it is in its final folder already.
func (d *Daemon) placeNew(rec *record) {
	incomplete := d.Settings().IncompleteDir
	if incomplete == "" || rec.Whole || incomplete == rec.Options.Dir {
		return
	}
	if !rec.Shown.HaveInfo ||
		placeFor(incomplete, rec.Options.Dir, rec.Shown.Name) == incomplete {
		rec.Place = shared(incomplete)
	}
}

// contentIn reports whether a folder has something with the name of the content, finished or
// not.
func contentIn(dir, name string) bool {
	for _, suffix := range []string{"", storage.PartSuffix} {
		if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
			return true
		}
	}
	return false
}

// A placer moves complete content from Settings.IncompleteDir to the folder for it. It is safe
// for concurrent use.
type placer struct {
	d *Daemon

	mu    sync.Mutex
	queue []*Torrent
	there map[*Torrent]bool // in queue
	later map[*Torrent]wait // could not be moved
	wake  chan struct{}
}

// A wait is the pause before content is moved again.
type wait struct {
	at    time.Time
	pause time.Duration
}

func newPlacer(d *Daemon) *placer {
	return &placer{d: d, there: make(map[*Torrent]bool), later: make(map[*Torrent]wait),
		wake: make(chan struct{}, placersCount)}
}

// push has a look taken at a torrent that is complete.
func (p *placer) push(t *Torrent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.there[t] {
		return
	}
	p.there[t] = true
	p.queue = append(p.queue, t)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// pop returns the next torrent, or nil.
func (p *placer) pop() *Torrent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	t := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	delete(p.there, t)
	return t
}

// forget is told that a torrent was removed.
func (p *placer) forget(t *Torrent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.later, t)
}

// run is one of the goroutines that move, until ctx ends.
func (p *placer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if t := p.pop(); t != nil {
			p.place(ctx, t)
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
}

// endCut has the engine end a move or a renaming of the content that the last process has left
// unfinished.
func (t *Torrent) endCut(ctx context.Context) {
	if _, err := t.openKnown(ctx); err != nil && ctx.Err() == nil {
		t.daemon.log.Warn("a move or renaming that was cut short is ended once the torrent can be "+
			"opened", "torrent", t.hash.Short(), "err", err)
	}
}

// retry puts those into the queue whose pause is over.
func (p *placer) retry(now time.Time) {
	p.mu.Lock()
	var due []*Torrent
	for t, w := range p.later {
		if !now.Before(w.at) && !p.there[t] {
			due = append(due, t)
		}
	}
	p.mu.Unlock()
	for _, t := range due {
		p.push(t)
	}
}

// place moves the content of a torrent to the folder for it, if it is complete and not there.
func (p *placer) place(ctx context.Context, t *Torrent) {
	t.mu.Lock()
	place, dir := t.rec.Place, t.rec.Options.Dir
	cut := t.rec.Moving != "" && !t.drive.moving || t.rec.Naming != "" && t.drive.renames == 0
	due := t.drive.known && t.drive.done && t.rec.Shown.Wanted > 0 && !t.drive.removed
	t.mu.Unlock()
	if !due || place == "" {
		p.forget(t)
		if cut {
			t.endCut(ctx)
		}
		return
	}
	err := t.beginMove() // it may be moved by its user
	if err == nil {
		err = t.move(ctx, dir)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil || errors.Is(err, ErrRemoved) || ctx.Err() != nil {
		delete(p.later, t)
	} else {
		w := p.later[t]
		w.pause = min(max(2*w.pause, placeRetry), placeRetryMax)
		w.at = time.Now().Add(w.pause)
		p.later[t] = w
	}
}

// placeFor returns where the content of a link lies, once its name is known: in the folder
// place for unfinished content, unless something of it is in dir already.
func placeFor(place, dir, name string) string {
	if !contentIn(place, name) && contentIn(dir, name) {
		return dir
	}
	return place
}

// arrive records that the content was found in its final folder, because it was there when the
// metadata of a link came, or because the last process was killed after a move. It reports
// whether that is so. t.mu is held.
func (t *Torrent) arrive(dir string) bool {
	if dir == "" || t.drive.moving {
		return false
	}
	return t.settle(dir)
}

// settle is arrive, also while the content is being moved.
func (t *Torrent) settle(dir string) (arrived bool) {
	r := &t.rec
	moved := r.Moving != "" && filepath.Clean(r.Moving) == dir
	arrived = moved || r.Place != "" && filepath.Clean(r.Options.Dir) == dir
	switch {
	case moved:
		r.Options.Dir = shared(r.Moving)
		fallthrough
	case arrived:
		r.Place = ""
	case r.Moving == "":
		return false
	}
	r.Moving = "" // the move has ended, or was undone
	t.edited(0)
	return arrived
}

// intend records that the content is about to be moved to a folder, in case the process dies on
// the way. It returns the folder of an earlier move that is still recorded, or "".
func (t *Torrent) intend(dir string) (before string) {
	t.mu.Lock()
	before, t.rec.Moving = t.rec.Moving, dir
	t.edited(0)
	t.mu.Unlock()
	_ = t.daemon.saver.saveNow(t) // the user was told, and the note of the engine leads there
	return before
}

// stayed records that a move has failed: the content lies in the folder dir.
func (t *Torrent) stayed(before, dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.Moving = before
	if dir != "" {
		t.settle(dir)
	}
	t.edited(settingsLate)
}

// seek makes spec.Dir the folder where the content lies: the last process may have been killed
// after a move, before it recorded that. must says that there is content. The error is a
// *GoneError if nothing is left of it.
func (t *Torrent) seek(spec *swarm.Spec, must bool) error {
	t.mu.Lock()
	moving := t.rec.Moving
	t.mu.Unlock()
	bare := must && isBare(spec.Dir)
	if moving == "" && !bare {
		return nil
	}
	dir, there := t.daemon.node.Find(*spec)
	if !there && moving != "" { // of content behind a link, there is no note
		other := *spec
		other.Dir = moving
		if dir, there = t.daemon.node.Find(other); !there {
			dir = spec.Dir
		}
	}
	if bare && !there {
		return &GoneError{spec.Dir}
	}
	if there {
		spec.Dir = dir
		t.mu.Lock()
		defer t.mu.Unlock()
		if dir == filepath.Clean(t.rec.Moving) {
			t.settle(dir)
		}
	}
	return nil
}

// relocate records that the content lies in the folder dir, and has an open torrent opened
// there. It reports whether the metadata is known.
func (t *Torrent) relocate(dir string) (known bool) {
	if err := t.close(); err != nil {
		t.daemon.log.Warn("closing a torrent", "torrent", t.hash.Short(), "err", err)
	}
	t.takeNames(dir)
	t.mu.Lock()
	t.rec.Options.Dir, t.rec.Place, t.rec.Moving = shared(dir), "", ""
	known = t.rec.Shown.HaveInfo
	t.edited(0)
	t.mu.Unlock()
	t.daemon.hands.push(t, inTurn)
	return known
}

// takeNames makes the names that the user gave to the content count in the folder dir, if the
// content has them there.
func (t *Torrent) takeNames(dir string) {
	t.mu.Lock()
	spec := swarm.Spec{Hash: t.hash, Dir: cmp.Or(t.rec.Place, t.rec.Options.Dir)}
	known := t.rec.Shown.HaveInfo
	t.mu.Unlock()
	if !known {
		return
	}
	var err error
	if spec.Torrent, err = t.daemon.records.readTorrent(t.hash); err == nil {
		err = t.daemon.node.Locate(spec, dir)
	}
	if err != nil {
		t.daemon.log.Warn("the names that the content was given are not looked for", "torrent",
			t.hash.Short(), "dir", dir, "err", err)
		return
	}
	own := spec.Torrent.Info().Name()
	if name := t.name(); name != own && !contentIn(dir, name) && contentIn(dir, own) {
		t.mu.Lock()
		t.rec.Shown.Name = own
		t.mu.Unlock()
	}
}

// retarget makes dir the folder for the finished content, if the content lies elsewhere until
// it is complete. It reports false if it has to be moved.
func (t *Torrent) retarget(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Place == "" || t.rec.Place == dir || t.drive.known && t.drive.done {
		return false
	}
	t.rec.Options.Dir = shared(dir)
	t.edited(0)
	return true
}
