package daemon

import (
	"context"
	"time"

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

// A Subscription reads the changes of a Daemon. It holds nobody up and needs no end. One
// goroutine at a time may use it.
type Subscription struct {
	daemon *Daemon
	seq    uint64
}

// Subscribe returns a reader of the changes since the moment from; 0 is none, so that the first
// Changes have all torrents.
func (d *Daemon) Subscribe(from uint64) *Subscription { return &Subscription{d, from} }

// SubscribeSince returns a reader of the changes since a time, and perhaps of some from up to
// feed.StrikeEvery before. If that is too long ago, the first Changes have all torrents.
func (d *Daemon) SubscribeSince(t time.Time) *Subscription {
	return d.Subscribe(d.feed.Moment(t))
}

// Seq returns the moment of the last change.
func (d *Daemon) Seq() uint64 { return d.feed.Seq() }

// poll returns what changed since the last call. If nothing has, it returns a channel that is
// closed at the next change instead. The error is ErrClosed.
func (s *Subscription) poll() (Changes, <-chan struct{}, error) {
	c, wait, closed := s.daemon.feed.Read(s.seq)
	switch {
	case closed:
		return Changes{}, nil, ErrClosed
	case wait != nil:
		return Changes{}, wait, nil
	}
	s.seq = c.Seq
	all := Changes{Seq: c.Seq, Reset: c.Reset, Removed: c.Removed, Settings: c.Marked}
	if len(c.Items) > 0 {
		all.Torrents = make([]Change, len(c.Items))
	}
	for i, item := range c.Items {
		all.Torrents[i] = Change{item.Item, swarm.Kind(item.Kinds)}
	}
	return all, nil, nil
}

// Next waits for changes. The error is that of ctx, or ErrClosed.
func (s *Subscription) Next(ctx context.Context) (Changes, error) {
	for {
		c, wait, err := s.poll()
		if err != nil || wait == nil {
			return c, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Changes{}, ctx.Err()
		}
	}
}
