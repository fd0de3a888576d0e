package daemon

import (
	"context"

	"swarmnode/swarm"
)

// Changes are what changed since some moment, as swarm.Changes are; torrents that rest are
// among them.
type Changes struct {
	Seq      uint64
	Reset    bool
	Removed  []ID
	Torrents []Change
	Settings bool // Daemon.Settings
}

// A Change says what changed about a torrent: the kinds of package swarm.
// swarm.ChangedState stands for all of State, swarm.ChangedSettings for Options.
type Change struct {
	Torrent *Torrent
	Kinds   swarm.Kind
}

// A Subscription reads the changes of a Daemon.
type Subscription struct{}

// Subscribe returns a reader of the changes since the moment from; 0 is none, so that the first
// Changes have all torrents.
func (d *Daemon) Subscribe(from uint64) *Subscription { return &Subscription{} }

// Next waits for changes. The error is that of ctx, or ErrClosed.
func (s *Subscription) Next(ctx context.Context) (Changes, error) {
	return Changes{}, ErrClosed
}
