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
	// ledgerTicks is how many rounds of tidy there are between two writes of the file.
	ledgerTicks = 6
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

// A ledger counts what the daemon does. It is safe for concurrent use.
type ledger struct {
	path  string
	log   *slog.Logger
	began time.Time

	mu     sync.Mutex
	before Stats // of earlier runs
	added  int64
	saved  Stats // in the file
	failed bool  // the file could not be written the last time
}

// newLedger reads what earlier runs have done. A file that makes no sense counts as none.
func newLedger(log *slog.Logger, r *records, now time.Time) *ledger {
	l := &ledger{path: filepath.Join(r.state, statsFile), log: log, began: now}
	doc, _, err := statefile.Read(l.path, statsBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return l
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
		return l
	}
	l.before = Stats{max(0, kept.Down), max(0, kept.Up), max(0, kept.Added),
		time.Duration(max(0, kept.Seconds)) * time.Second, max(0, kept.Sessions)}
	return l
}

// add counts a torrent that was added.
func (l *ledger) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.added++
}

// get returns the stats of this run and of all, when so many bytes were moved in this one.
func (l *ledger) get(now time.Time, down, up int64) (run, all Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run = Stats{down, up, l.added, now.Sub(l.began), 1}
	return run, l.before.plus(run)
}

// save writes the stats of all runs. If that fails, it is tried again the next time.
func (l *ledger) save(now time.Time, down, up int64) error {
	_, all := l.get(now, down, up)
	l.mu.Lock()
	defer l.mu.Unlock()
	if all == l.saved {
		return nil
	}
	doc, err := json.Marshal(keptStats{statsVersion, all.Down, all.Up, all.Added,
		int64(all.Active / time.Second), all.Sessions})
	if err == nil {
		err = statefile.Replace(l.path, seal(doc), true)
	}
	if err != nil && !l.failed {
		l.log.Warn("what was moved cannot be kept", "file", statsFile, "err", err)
	}
	if l.failed = err != nil; !l.failed {
		l.saved = all
	}
	return err
}

// keepLedger writes the stats, unless the state folder is not ours to write to.
func (d *Daemon) keepLedger(now time.Time) {
	r := d.records
	if r.readOnly != nil || !r.lock.Holds(filepath.Join(r.state, lockFile)) {
		return
	}
	down, up := d.node.Traffic()
	_ = d.ledger.save(now, down, up) // which says so, and is called again
}

// Stats returns what all torrents together have done in this run of the daemon, and in all
// runs. A crash loses a minute of them.
func (d *Daemon) Stats() (run, all Stats) {
	down, up := d.node.Traffic()
	return d.ledger.get(time.Now(), down, up)
}
