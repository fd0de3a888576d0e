package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"swarmnode"
	"swarmnode/swarm"
	"swarmnode/swarm/statefile"
)

const (
	// runsFolder holds the state folders of single runs, and runPrefix begins their names.
	runsFolder = "runs"
	runPrefix  = "run-"
	// staleAge is how old the folder of a run is at least that is taken for one that a dead
	// process has left, and staleMax how many of them are removed at one time.
	staleAge = time.Minute
	staleMax = 100
)

// An Attachment describes a Daemon that serves a single run.
type Attachment struct {
	// Parent is a folder for what the daemon writes while it runs: records, and content that is
	// only watched. If it is empty, that of the system for temporary files is.
	Parent string
	// Settings are those of the node and of torrents that are added by controls.
	Settings Settings
	// Logger takes a line per change of state. Nothing is logged if it is nil.
	Logger *slog.Logger
}

// A single is what a Daemon of a single run has besides.
type single struct{ dir string }

// Attach returns a Daemon over a node that somebody else runs, such as a command that fetches a
// few torrents and ends: so controls can show and steer those torrents. It knows the torrents that
// Adopt gives it, and those that are added to it. Nothing of it outlasts Close, which leaves the
// node and the adopted torrents as they are; it has to come before the Close of the node. There is
// no queue, no goal for all torrents, no folder for incomplete content, no watched folder and no
// command: a change of these settings is a *SettingError that wraps ErrSingle. When ctx ends, the
// daemon closes as by Close. The error is a *SettingError or a *swarmnode.StateError.
func Attach(ctx context.Context, node *swarmnode.Node, a Attachment) (*Daemon, error) {
	if err := a.Settings.check(); err != nil {
		return nil, err
	}
	dir, err := runFolder(a.Parent)
	if err != nil {
		return nil, &swarmnode.StateError{Dir: a.Parent, Err: err}
	}
	own := &single{dir}
	cfg := Config{Settings: a.Settings, Logger: a.Logger}
	cfg.Node.StateDir = dir
	d, err := newDaemon(ctx, &cfg)
	if err != nil {
		own.remove(slog.New(slog.DiscardHandler))
		return nil, err
	}
	d.single, d.node = own, node
	d.begin(ctx)
	return d, nil
}

// Single reports whether the daemon serves a single run, see Attach.
func (d *Daemon) Single() bool { return d.single != nil }

// runFolder makes the state folder of a run, and removes those of runs that were killed.
func runFolder(parent string) (string, error) {
	if parent == "" {
		return os.MkdirTemp("", "swarmnode-"+runPrefix)
	}
	all := filepath.Join(parent, runsFolder)
	if err := os.MkdirAll(all, 0o700); err != nil {
		return "", err
	}
	removeStale(all, time.Now())
	return os.MkdirTemp(all, runPrefix)
}

// removeStale removes what killed processes have left: old folders whose lock nobody has.
func removeStale(all string, now time.Time) {
	folder, err := os.Open(all)
	if err != nil {
		return
	}
	defer folder.Close()
	entries, _ := folder.ReadDir(staleMax)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < staleAge {
			continue
		}
		dir := filepath.Join(all, entry.Name())
		lock, err := statefile.Take(filepath.Join(dir, lockFile))
		if err != nil {
			continue // it runs
		}
		lock.Release()
		_ = os.RemoveAll(dir) // or the next run does
	}
}

// remove removes the folder of the run. The daemon has released its lock.
func (s *single) remove(log *slog.Logger) {
	if s == nil {
		return
	}
	if err := os.RemoveAll(s.dir); err != nil {
		log.Warn("the folder of the run cannot be removed", "dir", s.dir, "err", err)
	}
}

// ErrSingle says that something makes no sense in a single run; see Attach.
var ErrSingle = errors.New("not in a single run: node daemon has it")

// lasting are the settings of daemons that run for months.
var lasting = []string{"incomplete-dir", "watch", "queue-downloads", "queue-seeds",
	"queue-stalled", "seed-ratio", "seed-time", "seed-idle", "on-added", "on-complete",
	"on-error"}

// admitSingle returns a *SettingError if a change makes no sense in a single run.
func (d *Daemon) admitSingle(old, next *Settings) error {
	if d.single == nil {
		return nil
	}
	for _, name := range next.differing(old) {
		if slices.Contains(lasting, name) {
			return &SettingError{name, ErrSingle}
		}
	}
	return nil
}

// An adoption is what is known of an adopted torrent besides.
type adoption struct {
	name string // of the content on disk; empty if the torrent says it
}

// nameOr returns the name of the content, which is usual unless its owner has given another one.
func (a *adoption) nameOr(usual string) string {
	if a == nil || a.name == "" {
		return usual
	}
	return a.name
}

// Adopt makes the daemon know a torrent that the run owns, and which open adds to the node. spec
// says what it is, as for Add; only its Options are not applied, since open has done so. name is
// that of the content on disk, or empty if it has the name that the torrent gives it. From then
// on controls can do with it what they can with any torrent: stop, start, move, change and remove
// it. By itself the daemon never closes it, nor makes it rest. An adopted torrent that has failed
// stays so. The error is an *ExistsError, ErrTooMany or ErrClosed, that of open, or says what is
// wrong with spec.
func (d *Daemon) Adopt(ctx context.Context, spec AddSpec, name string,
	open func() (*swarm.Torrent, error)) (*Torrent, error) {
	if d.single == nil {
		return nil, errors.New("only the daemon of a single run adopts torrents")
	}
	spec.Complete = false
	rec, doc, err := d.recordOf(ctx, &spec)
	if err != nil {
		return nil, err
	}
	if there, err := d.reserve(ctx, rec); err != nil || there != nil {
		if there != nil {
			err = &ExistsError{there}
		}
		return nil, err
	}
	t := newTorrent(d, spec.hash(), rec)
	t.adopted = &adoption{name}
	t.rec.Shown.Name = t.adopted.nameOr(t.rec.Shown.Name)
	held := t.names.short()
	run, err := open()
	if err == nil && run.Hash() != t.hash {
		err = fmt.Errorf("torrent %s is not %s", run.Hash().Short(), t.hash.Short())
	}
	if err != nil {
		d.enter(t, held, false)
		return nil, err
	}
	if err := d.keepNew(t, doc); err != nil {
		d.log.Warn("a torrent is not recorded, so its .torrent file cannot be had from here",
			"torrent", t.hash.Short(), "err", err)
	}
	t.drive.aim, t.drive.running, t.drive.started = aimRun, true, time.Now()
	t.run, t.drive.files = run, make(chan struct{})
	d.enter(t, held, true)
	d.ledger.add()
	d.happened(t, EventAdded)
	d.steward.look(t)
	t.observe(run, swarm.ChangedState)
	return t, nil
}

// ErrAdopted says that something cannot be done with a torrent that a command owns, because it
// would have to be closed for that.
var ErrAdopted = errors.New("not possible while a command runs the torrent")

// ErrEnded says that an adopted torrent has failed, and that its command does not try it again.
var ErrEnded = errors.New("the torrent has failed: run the command again")

// Dropped reports whether a control has removed the torrent, which has ended in the engine then,
// even if its files could not be removed.
func (t *Torrent) Dropped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drive.dropped
}

// endedFor returns ErrEnded if an adopted torrent has failed.
func (t *Torrent) endedFor() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.adopted != nil && t.drive.ending {
		return ErrEnded
	}
	return nil
}
