package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm/feed"
)

// contentFolder is the folder of content in the state folder, unless Settings name another one.
const contentFolder = "downloads"

// A Config describes a Daemon.
type Config struct {
	// Node describes the node. Its StateDir is the folder of the daemon as well, and must be
	// set. Its limits, and its switches of discovery, are those of Settings.
	Node swarmnode.Config
	// Settings are those that files, flags and the environment give.
	Settings Settings
	// Pinned names the settings that Settings has from flags or the environment: a change by
	// Change does not outlive the process.
	Pinned []string
	// Logger takes a line per change of state. Nothing is logged if it is nil.
	Logger *slog.Logger
}

// A Daemon is a running node with its torrents. Its methods are safe for concurrent use.
type Daemon struct {
	log       *slog.Logger
	node      *swarmnode.Node
	records   *records
	saver     *saver
	hands     *hands
	checks    *checks
	order     order
	steward   *steward
	ledger    *ledger
	keeper    *keeper
	folders   *folders
	outlook   outlook
	creations creations
	browsing  atomic.Int32 // folders that are being read
	feed      feed.Feed[Torrent, ID]
	single    *single // nil unless it serves a single run; see Attach
	listeners []func(*Torrent, Event)
	temporary []found // of the last run, until clearVisits
	// left are the torrents whose files are left alone; see loaded.left. Nobody changes it.
	left map[metainfo.Hash]error

	ctx    context.Context // done once the daemon is to end
	cancel context.CancelFunc
	unbind func() bool    // makes the end of the context of Start close the daemon no more
	wait   sync.WaitGroup // all goroutines
	once   sync.Once      // the first Close
	done   chan struct{}  // closed when everything has ended
	err    error          // of the first Close

	mu       sync.Mutex
	closed   bool
	settings Settings
	torrents map[metainfo.Hash]*Torrent
	listed   listing                    // all torrents
	held     map[metainfo.Hash]*holding // torrents that are being added or removed
	last     ID                         // that was given away
}

// Start takes the lock of the state folder, starts the node, and lists the torrents of the
// last run. It does not wait for the network, nor until torrents are opened. When ctx ends,
// the daemon closes as by Close. The error is a *LockError, a *SettingError, one of
// swarmnode.Start, or says why the state folder cannot be used.
func Start(ctx context.Context, cfg Config) (*Daemon, error) {
	if cfg.Node.StateDir == "" {
		return nil, errors.New("a daemon needs a state folder")
	}
	d, err := newDaemon(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	node := nodeConfig(&cfg, &d.settings)
	if d.node, err = swarmnode.Start(context.WithoutCancel(ctx), node); err != nil {
		d.records.close()
		return nil, err
	}
	d.begin(ctx)
	return d, nil
}

// newDaemon takes the lock of the state folder and lists the torrents of the last run. The daemon
// needs a node before begin.
func newDaemon(ctx context.Context, cfg *Config) (*Daemon, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	records, err := openRecords(log, cfg.Node.StateDir)
	if err != nil {
		return nil, stateError(cfg.Node.StateDir, err)
	}
	d := &Daemon{log: log, records: records, saver: newSaver(log, records), hands: newHands(),
		done:     make(chan struct{}),
		torrents: make(map[metainfo.Hash]*Torrent),
		held:     make(map[metainfo.Hash]*holding)}
	d.checks, d.steward = &checks{d: d}, newSteward(keeping{d})
	d.ledger = newLedger(log, records, time.Now())
	d.folders = newFolders(d)
	d.feed.Init(time.Now(), entryOf, idOf)
	d.keeper = openKeeper(log, cfg.Node.StateDir, records.writable)
	if d.settings, err = d.keeper.rebase(withDir(*cfg), cfg.Pinned); err != nil {
		records.close()
		return nil, err
	}
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.list(); err != nil {
		records.close()
		return nil, stateError(cfg.Node.StateDir, err)
	}
	return d, nil
}

// begin starts the goroutines, and makes the end of ctx close the daemon.
func (d *Daemon) begin(ctx context.Context) {
	d.clearVisits()
	d.run()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unbind = context.AfterFunc(ctx, func() { d.Close() })
}

// withDir returns the settings of cfg with a folder for content.
func withDir(cfg Config) Settings {
	if state, err := filepath.Abs(cfg.Node.StateDir); cfg.Settings.Dir == "" && err == nil {
		cfg.Settings.Dir = filepath.Join(state, contentFolder)
	}
	return cfg.Settings
}

// stateError says which folder an error is about.
func stateError(dir string, err error) error {
	if _, ok := errors.AsType[*LockError](err); ok {
		return err
	}
	return &swarmnode.StateError{Dir: dir, Err: err}
}

// nodeConfig returns the Config of the node, with the limits and switches of Settings.
func nodeConfig(cfg *Config, s *Settings) swarmnode.Config {
	node := cfg.Node
	node.Down, node.Up, node.Peers, node.TorrentPeers = s.Down, s.Up, s.Peers, s.TorrentPeers
	node.NoDHT, node.NoPEX, node.NoLSD = !s.DHT, !s.PEX, !s.LSD
	node.Port, node.Blocklists = uint16(s.Port), s.Blocklists
	if node.Logger == nil {
		node.Logger = cfg.Logger
	}
	return node
}

// list makes the torrents of the last run known. Those that were
// temporary are not.
func (d *Daemon) list() error {
	all, err := d.records.load(d.settings.Dir)
	if err != nil {
		return err
	}
	d.left, d.last = all.left, all.last
	list := make([]*Torrent, 0, len(all.torrents))
	for i := range all.torrents {
		found := &all.torrents[i]
		if found.rec.Temporary {
			d.temporary = append(d.temporary, *found)
			continue
		}
		t := newTorrent(d, found.hash, found.rec)
		t.saved.durable = !found.fresh
		if found.fresh {
			t.saved.version++
			d.saver.schedule(t, time.Now())
		}
		d.listed.put(t)
		d.alias(t)
		d.feed.Add(t)
		list = append(list, t)
	}
	d.order.start(list)
	return nil
}

// run starts the goroutines.
func (d *Daemon) run() {
	d.wait.Go(func() { d.saver.run(d.ctx) })
	d.wait.Go(func() { d.follow(d.ctx) })
	d.wait.Go(func() { d.tidy(d.ctx) })
	for range handsCount {
		d.wait.Go(func() { d.hands.run(d.ctx) })
	}
	d.folders.run(d.ctx)
	d.node.SetMinFree(d.settings.MinFree)
	d.node.SetGroups(groupsInNode(d.settings.Groups))
	d.wait.Go(func() { d.steward.run(d.ctx, d.Subscribe(0)) })
}

// Node returns the node.
func (d *Daemon) Node() *swarmnode.Node { return d.node }

// Close stops all torrents, saves what the next run needs, closes the node, and waits for all
// of that. Each call returns the same error, that of what could not be saved.
func (d *Daemon) Close() error {
	d.once.Do(func() {
		d.mu.Lock()
		d.closed = true
		unbind := d.unbind
		d.mu.Unlock()
		if unbind != nil {
			unbind()
		}
		d.cancel()
		d.wait.Wait()
		d.folders.close()
		err := d.closeNode()
		for _, t := range d.Torrents() {
			t.ended()
		}
		d.dropVisits()
		d.err = errors.Join(err, d.saver.flush(), d.keeper.close())
		d.keepLedger(time.Now())
		d.records.close()
		d.single.remove(d.log)
		d.feed.Close()
		close(d.done)
	})
	<-d.done
	return d.err
}

// closeNode ends the torrents in the engine: with the node, unless that is somebody else's.
func (d *Daemon) closeNode() error {
	if d.single == nil {
		return d.node.Close()
	}
	var errs []error
	for _, t := range d.Torrents() {
		if t.adopted == nil {
			errs = append(errs, t.close())
		}
	}
	return errors.Join(errs...)
}

// ended keeps what a list shows of a torrent whose engine has closed.
func (t *Torrent) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.run == nil {
		return
	}
	last := t.run.State()
	t.show(&last)
	t.run, t.drive.running = nil, false
}

// Done returns a channel that is closed once the daemon has ended.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Torrents returns all torrents, by their IDs.
func (d *Daemon) Torrents() []*Torrent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.listed)
}

// Torrent returns the torrent with that info-hash, which may be either one of a hybrid, or
// nil.
func (d *Daemon) Torrent(hash metainfo.Hash) *Torrent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.torrents[hash]
}

// ByID returns the torrent with that ID, or nil.
func (d *Daemon) ByID(id ID) *Torrent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.listed.get(id)
}
