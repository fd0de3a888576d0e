package daemon

import (
	"context"
	"slices"
	"time"

	"swarmnode/swarm"
)

const (
	// tidyEvery is how often torrents are looked for that are open and need not be.
	tidyEvery = 10 * time.Second
	// openIdle is how long a torrent that rests stays open after somebody needed it.
	openIdle = time.Minute
	// openIdleMax is how many torrents that rest stay open for that reason.
	openIdleMax = 64
)

// tidy closes torrents that rest and that nobody needs to be open, tries those again that the
// memory limit refused, removes temporary ones, and looks for those that are stuck by now, until
// ctx ends.
func (d *Daemon) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	watched := make(gaze)
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, t := range d.idle(time.Now()) {
			if ctx.Err() != nil {
				return
			}
			if err := t.closeIdle(); err != nil {
				d.log.Warn("closing a torrent", "torrent", t.hash.Short(), "err", err)
			}
		}
		d.hands.retry()
		watched.look(d.Torrents())
		d.endVisits(ctx, time.Now())
		if n%ledgerTicks == ledgerTicks-1 {
			d.keepLedger(time.Now())
		}
	}
}

// idle returns the torrents to be closed.
func (d *Daemon) idle(now time.Time) []*Torrent {
	type candidate struct {
		t    *Torrent
		used time.Time
	}
	var all []candidate
	for _, t := range d.Torrents() {
		if used, ok := t.isIdle(); ok {
			all = append(all, candidate{t, used})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return b.used.Compare(a.used) })
	var list []*Torrent
	for i, c := range all {
		if i >= openIdleMax || now.Sub(c.used) >= openIdle {
			list = append(list, c.t)
		}
	}
	return list
}

// isIdle reports whether the torrent is open and rests, and when somebody last needed it.
func (t *Torrent) isIdle() (used time.Time, ok bool) {
	t.mu.Lock()
	run, d := t.run, &t.drive
	used = d.touched
	ok = run != nil && t.adopted == nil && !d.running && d.aim == aimRest && d.check == checkNone &&
		!d.verify && !d.moving && d.users == 0 && d.needs == 0
	t.mu.Unlock()
	return used, ok && run.State().Phase != swarm.Checking
}

// closeIdle closes the torrent if it still rests.
func (t *Torrent) closeIdle() error {
	t.life.Lock()
	defer t.life.Unlock()
	if _, ok := t.isIdle(); !ok {
		return nil
	}
	return t.closeHeld()
}
