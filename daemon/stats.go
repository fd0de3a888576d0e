package daemon

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	// statsFile is the file of the stats in the state folder, statsVersion its version, and
	// statsBytesMax bounds it.
	statsFile     = "stats.json"
	statsVersion  = 1
	statsBytesMax = 4096
	// tallyTicks is how many rounds of tidy there are between two writes of the file.
	tallyTicks = 6
)

// Stats are what all torrents have done together, those that were removed included.
type Stats struct {
	Down, Up int64         // payload bytes, waste included
	Added    int64         // torrents that were added
	Active   time.Duration // of the daemon
	Sessions int64         // starts of the daemon
}

// plus returns the sum of two Stats.
func (s Stats) plus(o Stats) Stats {
	return Stats{s.Down + o.Down, s.Up + o.Up, s.Added + o.Added, s.Active + o.Active,
		s.Sessions + o.Sessions}
}

// A keptStats is the file of the stats.
type keptStats struct {
	Version  int   `json:"version"`
	Down     int64 `json:"down"`
	Up       int64 `json:"up"`
	Added    int64 `json:"added"`
	Seconds  int64 `json:"seconds"`
	Sessions int64 `json:"sessions"`
}

// A tally counts what the daemon does. It is safe for concurrent use.
type tally struct {
	path  string
	log   *slog.Logger
	began time.Time

	mu     sync.Mutex
	before Stats // of earlier runs
	added  int64
	saved  Stats // in the file
	failed bool  // the file could not be written the last time
}

// newTally reads what earlier runs have done. A file that makes no sense counts as none.
func newTally(log *slog.Logger, r *records, now time.Time) *tally {
	t := &tally{path: filepath.Join(r.state, statsFile), log: log, began: now}
	doc, _, err := statefile.Read(t.path, statsBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	var kept keptStats
	if err == nil {
		doc, err = unseal(doc, statsVersion)
	}
	if err == nil {
		err = json.Unmarshal(doc, &kept)
	}
	if err != nil {
		log.Warn("what earlier runs have moved is not known", "file", statsFile, "err", err)
		return t
	}
	t.before = Stats{max(0, kept.Down), max(0, kept.Up), max(0, kept.Added),
		time.Duration(max(0, kept.Seconds)) * time.Second, max(0, kept.Sessions)}
	return t
}

// add counts a torrent that was added.
func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.added++
}

// get returns the stats of this run and of all, when so many bytes were moved in this one.
func (t *tally) get(now time.Time, down, up int64) (run, all Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	run = Stats{down, up, t.added, now.Sub(t.began), 1}
	return run, t.before.plus(run)
}

// save writes the stats of all runs. If that fails, it is tried again the next time.
func (t *tally) save(now time.Time, down, up int64) error {
	_, all := t.get(now, down, up)
	t.mu.Lock()
	defer t.mu.Unlock()
	if all == t.saved {
		return nil
	}
	doc, err := json.Marshal(keptStats{statsVersion, all.Down, all.Up, all.Added,
		int64(all.Active / time.Second), all.Sessions})
	if err == nil {
		err = statefile.Replace(t.path, seal(doc), true)
	}
	if err != nil && !t.failed {
		t.log.Warn("what was moved cannot be kept", "file", statsFile, "err", err)
	}
	if t.failed = err != nil; !t.failed {
		t.saved = all
	}
	return err
}

// keepTally writes the stats, unless the state folder is not ours to write to.
func (d *Daemon) keepTally(now time.Time) {
	r := d.records
	if r.readOnly != nil || !r.lock.Holds(filepath.Join(r.state, lockFile)) {
		return
	}
	down, up := d.node.Traffic()
	_ = d.tally.save(now, down, up) // which says so, and is called again
}

// Stats returns what all torrents together have done in this run of the daemon, and in all
// runs. A crash loses a minute of them.
func (d *Daemon) Stats() (run, all Stats) {
	down, up := d.node.Traffic()
	return d.tally.get(time.Now(), down, up)
}
