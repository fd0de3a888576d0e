package swarm

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/statefile"
)

const (
	// totalsEvery is the least time between two records of the totals of a torrent. A crash
	// loses no more than what happened in that time.
	totalsEvery = time.Minute
	// totalsIdle is the time between two records of a torrent of which nothing changes but
	// how long it has been active. It keeps thousands of idle torrents from writing all the
	// time.
	totalsIdle = time.Hour

	// totalsSuffix ends the name of the file, after the info-hash.
	totalsSuffix = ".totals"
)

// recordSuffixes end the names of the files about a torrent in Config.StateDir that are not
// of its storage.
var recordSuffixes = []string{peerCacheSuffix, totalsSuffix}

// Totals are what a torrent has done since it was added, in all runs of the program. They
// are kept in Config.StateDir. Without such a folder they are those of this run.
type Totals struct {
	Down, Up int64 // payload bytes, waste included
	// Waste counts useless payload bytes that were received, by the name of the reason
	// (see core.Reason). It is nil without any. Nobody may change it.
	Waste map[string]int64
	// Active is how long the torrent ran without being paused. Seeding is the part of it
	// in which every wanted piece was there.
	Active, Seeding time.Duration
	// Added is when the torrent was added first, Completed when every wanted piece was there
	// for the first time, and LastActive when payload was last sent or received. Those that
	// have not happened are zero. All are exact to the second.
	Added, Completed, LastActive time.Time
}

// keptTotals are Totals in less memory. The times are in seconds since 1970; 0 is none.
type keptTotals struct {
	down, up                     int64
	waste                        map[string]int64
	active, seeding              time.Duration
	added, completed, lastActive int64
}

// kept returns the totals in less memory.
func (t *Totals) kept() keptTotals {
	return keptTotals{t.Down, t.Up, t.Waste, t.Active, t.Seeding, seconds(t.Added),
		seconds(t.Completed), seconds(t.LastActive)}
}

// given returns the totals that were kept.
func (k *keptTotals) given() Totals {
	return Totals{k.down, k.up, k.waste, k.active, k.seeding, moment(k.added),
		moment(k.completed), moment(k.lastActive)}
}

// moment returns the time that many seconds after the start of 1970, the zero time for 0.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// after returns the totals d later, when the state that had been before has become now.
// The clock shows at.
func (t Totals) after(before, now *State, d time.Duration, at time.Time) Totals {
	t.pass(before, d)
	down, up := now.Down-before.Down, now.Up-before.Up
	t.Down += down
	t.Up += up
	if down > 0 || up > 0 {
		t.LastActive = at.Truncate(time.Second)
	}
	if wasted := now.Wasted(); wasted != before.Wasted() {
		t.Waste = wasteAfter(t.Waste, before.Waste, now.Waste)
	}
	if now.Phase == Seeding && t.Completed.IsZero() {
		t.Completed = at.Truncate(time.Second)
	}
	return t
}

// sameCounts reports whether t and o count the same. How long the torrent was active may differ.
func (t *Totals) sameCounts(o *Totals) bool {
	return t.Down == o.Down && t.Up == o.Up && maps.Equal(t.Waste, o.Waste) &&
		t.Completed.Equal(o.Completed)
}

// pass counts d to the time in which the torrent was active and seeding, if it is.
func (t *Totals) pass(s *State, d time.Duration) {
	if s.Paused || s.Phase == Failed || s.Phase == Closed {
		return
	}
	t.Active += d
	if s.Phase == Seeding {
		t.Seeding += d
	}
}

// wasteAfter returns what was wasted in all, after the waste of this run has grown.
func wasteAfter(all map[string]int64, before, now map[core.Reason]int64) map[string]int64 {
	sum := maps.Clone(all)
	if sum == nil {
		sum = make(map[string]int64, len(now))
	}
	for reason, n := range now {
		if n != before[reason] {
			sum[reason.String()] += n - before[reason]
		}
	}
	return sum
}

// A totalsKeeper says when the totals of a torrent are saved, and saves them. All but the
// writing is for the loop.
type totalsKeeper struct {
	writes bool      // there is a file to write
	saveAt time.Time // zero if nothing has changed
	saved  time.Time // when the file was last written, or the torrent was started
	saving atomic.Bool
}

// start sets when the torrent was started, and returns the totals of earlier runs.
func (k *totalsKeeper) start(t *Torrent, now time.Time) (all Totals) {
	k.saved = now
	first := Totals{Added: now.Truncate(time.Second)}
	path := t.totalsPath()
	if path == "" {
		return first
	}
	k.writes = !t.engine.cfg.StateReadOnly
	doc, _, err := statefile.Read(path, totalsBytesMax)
	if err == nil {
		all, err = parseTotals(doc, t.hash)
	}
	switch {
	case err == nil:
		return all
	case !errors.Is(err, fs.ErrNotExist):
		t.log.Warn("the totals of earlier runs cannot be used", "err", err)
	}
	k.change(now) // so that the date is kept
	return first
}

// totalsPath returns the path of the file with the totals, or nothing if there is none.
func (t *Torrent) totalsPath() string {
	if t.engine.cfg.StateDir == "" || t.spec.MetadataOnly {
		return ""
	}
	return filepath.Join(t.engine.cfg.StateDir, t.hash.String()+totalsSuffix)
}

// change notes that something has changed.
func (k *totalsKeeper) change(now time.Time) {
	if k.writes && k.saveAt.IsZero() {
		k.saveAt = now.Add(totalsEvery)
	}
}

// next returns when the totals are due to be saved, zero if never.
func (k *totalsKeeper) next() time.Time {
	if k.writes && k.saveAt.IsZero() {
		return k.saved.Add(totalsIdle)
	}
	return k.saveAt
}

// due reports whether it is time to save the totals. Then the caller calls save, in a
// goroutine.
func (k *totalsKeeper) due(now time.Time) bool {
	if at := k.next(); at.IsZero() || now.Before(at) {
		return false
	}
	if !k.saving.CompareAndSwap(false, true) {
		k.saveAt = now.Add(totalsEvery) // the disk is slow
		return false
	}
	k.saveAt, k.saved = time.Time{}, now
	return true
}

// save replaces the file as a whole. The file is not synced: a power cut loses no more than
// what happened since the last one that the system wrote.
func (k *totalsKeeper) save(t *Torrent) {
	defer k.saving.Store(false)
	if !k.writes {
		return
	}
	all := t.State().Totals
	path := t.totalsPath()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = statefile.Replace(path, appendTotals(nil, t.hash, &all), false)
	}
	if err != nil {
		t.log.Warn("the totals cannot be saved", "err", err)
	}
}

// keepTotals saves the totals if it is time.
func (l *loop) keepTotals(now time.Time) {
	if l.totals.due(now) {
		l.wait.Go(func() { l.totals.save(l.t) })
	}
}
