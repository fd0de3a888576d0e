package swarm

import (
	"context"

	"swarmnode/metainfo"
	"swarmnode/swarm/feed"
)

// A Kind is a set of things that changed about a torrent.
type Kind uint8

// The kinds of changes.
const (
	ChangedState    Kind = 1 << iota // what Torrent.State returns
	ChangedFiles                     // Torrent.Files
	ChangedTrackers                  // Torrent.Trackers and Torrent.WebSeeds
	ChangedPeers                     // which peers there are
	ChangedSettings                  // what the user set: limits, order, files, names, places
	Added                            // the torrent is new

	kindCount = iota
	allKinds  = 1<<kindCount - 1
)

// A Change says what changed about one torrent.
type Change struct {
	Torrent *Torrent
	Kinds   Kind
}

// Changes are the changes of an Engine since some moment. A torrent that changed several
// times is in it once: the values are read from its methods.
type Changes struct {
	// Seq is the moment after these changes, for Subscribe. It fits in 53 bits for many
	// years, so programs that keep numbers as floating point can hold it.
	Seq uint64
	// Reset says that the changes since then are not known, or that everything is new.
	// Torrents has all torrents, and others that the reader remembers are gone.
	Reset bool
	// Torrents are the torrents that changed or were added, the latest last. It is nil
	// without any.
	Torrents []Change
	// Removed are the info-hashes of torrents that are gone. They come before Torrents: a
	// torrent may have been removed and added again.
	Removed []metainfo.Hash
}

// A torrentFeed knows in which order the torrents of an Engine changed last.
type torrentFeed = feed.Feed[Torrent, metainfo.Hash]

// entryOf and hashOf are for the feed.
func entryOf(t *Torrent) *feed.Entry[Torrent] { return &t.fed }
func hashOf(t *Torrent) metainfo.Hash         { return t.hash }

// The feed knows each kind.
var _ = [1]struct{}{}[allKinds-feed.All]

// read returns the changes since the moment from; see feed.Feed.Read.
func read(f *torrentFeed, from uint64) (c Changes, wait <-chan struct{}, closed bool) {
	torrents, all, wait, closed := feed.ReadAs(f, from, func(t *Torrent, kinds uint8) Change {
		return Change{t, Kind(kinds)}
	})
	return Changes{all.Seq, all.Reset, torrents, all.Removed}, wait, closed
}

// A Subscription reads the changes of an Engine. It holds nobody up and needs no end: a
// reader that comes late finds all changes in one piece, each torrent once. One goroutine
// at a time may use it.
type Subscription struct {
	feed *torrentFeed
	seq  uint64
}

// Subscribe returns a reader of the changes since the moment from, the Seq of earlier
// Changes. If from is 0, of another run, or older than what the engine remembers, the
// first Changes has Reset set and all torrents.
func (e *Engine) Subscribe(from uint64) *Subscription { return &Subscription{&e.feed, from} }

// Next returns what changed since the last call, and waits until something has. The caller
// chooses how often it asks: changes in between become one. The error is that of ctx, or
// ErrClosed once the engine is closed.
func (s *Subscription) Next(ctx context.Context) (Changes, error) {
	for {
		changes, wait, closed := read(s.feed, s.seq)
		switch {
		case closed:
			return Changes{}, ErrClosed
		case wait == nil:
			s.seq = changes.Seq
			return changes, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Changes{}, ctx.Err()
		}
	}
}

// changed says that something changed about the torrent, after it did. Any goroutine may
// call it.
func (t *Torrent) changed(kinds Kind) { t.engine.feed.Change(t, uint8(kinds)) }
