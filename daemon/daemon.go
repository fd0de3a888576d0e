package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"

	"swarmnode"
	"swarmnode/metainfo"
)

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
	log  *slog.Logger
	node *swarmnode.Node

	mu       sync.Mutex
	settings Settings
	torrents map[metainfo.Hash]*Torrent
	ids      map[ID]*Torrent
	last     ID // that was given away
}

// Start takes the lock of the state folder, starts the node, and lists the torrents of the
// last run. It does not wait for the network, nor until torrents are opened.
func Start(ctx context.Context, cfg Config) (*Daemon, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	node, err := swarmnode.Start(ctx, cfg.Node)
	if err != nil {
		return nil, err
	}
	return &Daemon{
		log: log, node: node, settings: cfg.Settings,
		torrents: make(map[metainfo.Hash]*Torrent), ids: make(map[ID]*Torrent),
	}, nil
}

// Node returns the node.
func (d *Daemon) Node() *swarmnode.Node { return d.node }

// Close stops all torrents, saves what the next run needs, and closes the node.
func (d *Daemon) Close() error { return d.node.Close() }

// Done returns a channel that is closed once the daemon has ended.
func (d *Daemon) Done() <-chan struct{} { return d.node.Done() }

// Torrents returns all torrents, by their IDs.
func (d *Daemon) Torrents() []*Torrent {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*Torrent, 0, len(d.ids))
	for _, t := range d.ids {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *Torrent) int { return cmp.Compare(a.id, b.id) })
	return list
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
	return d.ids[id]
}
