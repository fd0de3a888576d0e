package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// moved is what trackers are told of a torrent. The loop writes it, any goroutine
// reads it.
type moved struct {
	mu    sync.Mutex
	stats tracker.Stats
}

// findSources returns who looks for peers, as far as it is known: info is nil
// for a magnet link.
func (l *loop) findSources(info *metainfo.Info) []source {
	var list []source
	if l.t.spec.PeersOnly {
		return nil
	}
	private := info != nil && info.Private()
	if l.t.spec.DHT != nil && !private {
		list = append(list, source{l.t.spec.DHT, core.SourceDHT})
	}
	if l.t.spec.LSD != nil && !private {
		list = append(list, source{l.t.spec.LSD, core.SourceLSD})
	}
	if tiers := l.trackers(); len(tiers) > 0 {
		l.tracker = tracker.NewAnnouncer(tracker.Config{
			Client: l.t.engine.tracker, PeerID: l.t.peerID, Tiers: tiers,
			Private: private, Stats: l.trackerStats, Logger: l.t.log,
			External: l.t.engine.SetExternal,
		})
		l.tellMoved()
		list = append(list, source{l.tracker, core.SourceTracker})
	}
	return list
}

// trackers returns the usable trackers that are to be asked: first those of the
// user, so that one which a stranger names as well is the user's. Those of a
// magnet link are a tier each. What cannot be used is told in one line.
func (l *loop) trackers() [][]tracker.Tracker {
	list, bad := usableTiers(nil, l.t.spec.Trackers, false)
	if len(bad) > 0 {
		l.t.log.Warn("trackers are left out", "err", errors.Join(bad...))
	}
	if l.t.spec.NoTrackers {
		return list
	}
	unusable := l.t.spec.Magnet.Unusable
	tiers := make([][]string, len(l.t.spec.Magnet.Trackers))
	for i, url := range l.t.spec.Magnet.Trackers {
		tiers[i] = []string{url}
	}
	if l.t.spec.Torrent != nil {
		unusable, tiers = l.t.spec.Torrent.Unusable, slices.Clone(l.t.spec.Torrent.Trackers)
	}
	users := slices.Concat(l.t.spec.Trackers...) // told of above
	for i, tier := range tiers {
		tiers[i] = slices.DeleteFunc(slices.Clone(tier), func(url string) bool {
			return slices.Contains(users, url)
		})
	}
	list, bad = usableTiers(list, tiers, true)
	for _, u := range unusable {
		bad = append(bad, leftOut(u.URL, u.Err))
	}
	if len(bad) > 0 {
		l.t.log.Warn("URLs of the torrent or link are left out", "err", errors.Join(bad...))
	}
	return list
}

// usableTiers appends those of tiers that have a usable tracker, and says why others
// cannot be used.
func usableTiers(list [][]tracker.Tracker, tiers [][]string,
	stranger bool) ([][]tracker.Tracker, []error) {
	var bad []error
	for _, urls := range tiers {
		var tier []tracker.Tracker
		for _, url := range urls {
			t, err := tracker.ParseTracker(url, stranger)
			if err != nil {
				bad = append(bad, leftOut(url, err))
				continue
			}
			tier = append(tier, t)
		}
		if len(tier) > 0 {
			list = append(list, tier)
		}
	}
	return list, bad
}

// leftOutBytes is how much of a URL that is left out is shown: paths hold keys.
const leftOutBytes = 60

// leftOut says that a URL cannot be used, and why.
func leftOut(url string, why error) error {
	if len(url) > leftOutBytes {
		url = strings.ToValidUTF8(url[:leftOutBytes], "") + "…"
	}
	return fmt.Errorf("%q: %w", url, why)
}

func (l *loop) trackerStats() tracker.Stats {
	m := &l.t.moved
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// tellMoved brings the numbers for trackers up to date: whatever is announced next
// has those of this moment.
func (l *loop) tellMoved() {
	if l.tracker == nil {
		return
	}
	s := l.core.Totals()
	m := &l.t.moved
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats = tracker.Stats{Uploaded: s.Up, Downloaded: s.Down, Left: s.Missing, Idle: s.Done}
}

// leaveTrackers tells trackers that we have stopped.
func (l *loop) leaveTrackers() {
	if l.tracker != nil {
		l.tracker.Close()
	}
}
