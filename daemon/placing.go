package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

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
	due := t.drive.known && t.drive.done && t.rec.Shown.Wanted > 0 && !t.drive.removed
	t.mu.Unlock()
	if !due || place == "" {
		p.forget(t)
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
	if t.rec.Place == "" || dir == "" || dir != t.rec.Options.Dir || t.drive.moving {
		return false
	}
	t.rec.Place = ""
	t.edited(0)
	return true
}

// relocate records that the content lies in the folder dir, and has an open torrent opened
// there. It reports whether the metadata is known.
func (t *Torrent) relocate(dir string) (known bool) {
	if err := t.close(); err != nil {
		t.daemon.log.Warn("closing a torrent", "torrent", t.hash.Short(), "err", err)
	}
	t.mu.Lock()
	t.rec.Options.Dir, t.rec.Place = shared(dir), ""
	known = t.rec.Shown.HaveInfo
	t.edited(0)
	t.mu.Unlock()
	t.daemon.hands.push(t, inTurn)
	return known
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
