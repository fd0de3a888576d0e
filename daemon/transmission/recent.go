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
// has changed since the look before counts as having changed now, so that a client may be told
// of a torrent once too often and never once too seldom. It is safe for concurrent use.
type recent struct {
	feed *daemon.Subscription

	mu      sync.Mutex
	changed map[daemon.ID]change
	removed []removal // the latest last
}

type change struct {
	torrent *daemon.Torrent
	at      time.Time
}

type removal struct {
	id daemon.ID
	at time.Time
}

// newRecent returns a recent for which nothing has changed yet.
func newRecent(d *daemon.Daemon) *recent {
	r := &recent{feed: d.Subscribe(0), changed: make(map[daemon.ID]change)}
	r.poll()
	return r
}

// poll returns the changes since the last call; none without any.
func (r *recent) poll() daemon.Changes {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	changes, err := r.feed.Next(ctx) // the error is that of ctx without changes
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
	changes := r.poll()
	for _, id := range changes.Removed {
		delete(r.changed, id)
		r.removed = append(r.removed, removal{id, now})
	}
	for _, c := range changes.Torrents {
		r.changed[c.Torrent.ID()] = change{c.Torrent, now}
	}
	for id, c := range r.changed {
		if now.Sub(c.at) >= recentFor {
			delete(r.changed, id)
			continue
		}
		list = append(list, c.torrent)
	}
	old, _ := slices.BinarySearchFunc(r.removed, now.Add(-recentFor),
		func(x removal, t time.Time) int { return x.at.Compare(t) })
	old = max(old, len(r.removed)-removedMax)
	r.removed = slices.Delete(r.removed, 0, old)
	for _, x := range r.removed {
		removed = append(removed, x.id)
	}
	slices.SortFunc(list, func(a, b *daemon.Torrent) int { return cmp.Compare(a.ID(), b.ID()) })
	return list, removed, changes.Removed
}
