package transmission

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"swarmnode/daemon"
)

const (
	// recentFor is how long a torrent counts as recently active after a change.
	recentFor = time.Minute
	// removedMax bounds the removed torrents that are remembered for recentFor.
	removedMax = 100_000
)

// A recent knows which torrents have changed of late. It looks only when a client asks: what
// was removed since the look before counts as removed now, so that a client may be told of a
// torrent once too often and never once too seldom. It is safe for concurrent use.
type recent struct {
	daemon *daemon.Daemon
	feed   *daemon.Subscription // of what was removed

	mu      sync.Mutex
	removed []removal // the latest last
}

type removal struct {
	id daemon.ID
	at time.Time
}

// newRecent returns a recent for which nothing was removed yet.
func newRecent(d *daemon.Daemon) *recent {
	r := &recent{daemon: d, feed: d.Subscribe(0)}
	poll(r.feed)
	return r
}

// poll returns the changes since the last call; none without any.
func poll(feed *daemon.Subscription) daemon.Changes {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	changes, err := feed.Next(ctx) // the error is that of ctx without changes
	if err != nil {
		return daemon.Changes{}
	}
	return changes
}

// look returns the torrents that have changed within the last minute, by their ids, and the
// ids of those that were removed. gone are the ones that were removed since the last look.
func (r *recent) look(now time.Time) (list []*daemon.Torrent, removed, gone []daemon.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone = poll(r.feed).Removed
	for _, id := range gone {
		r.removed = append(r.removed, removal{id, now})
	}
	for _, c := range poll(r.daemon.SubscribeSince(now.Add(-recentFor))).Torrents {
		list = append(list, c.Torrent)
	}
	old, _ := slices.BinarySearchFunc(r.removed, now.Add(-recentFor),
		func(x removal, t time.Time) int { return x.at.Compare(t) })
	old = max(old, len(r.removed)-removedMax)
	r.removed = slices.Delete(r.removed, 0, old)
	for _, x := range r.removed {
		removed = append(removed, x.id)
	}
	slices.SortFunc(list, func(a, b *daemon.Torrent) int { return cmp.Compare(a.ID(), b.ID()) })
	return list, removed, gone
}
