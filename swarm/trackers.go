package swarm

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// movedEvery is how often the numbers for trackers are brought up to date.
const movedEvery = time.Second

// moved is what trackers are told of a torrent, in bytes. The loop writes it,
// any goroutine reads it.
type moved struct {
	up, down, left atomic.Int64
	at             time.Time // of the last change; for the loop alone
}

// findSources returns who looks for peers, as far as it is known: info is nil
// for a magnet link.
func (l *loop) findSources(info *metainfo.Info) []source {
	var list []source
	if l.spec.PeersOnly {
		return nil
	}
	private := info != nil && info.Private()
	if l.spec.DHT != nil && !private {
		list = append(list, source{l.spec.DHT, core.SourceDHT})
	}
	if l.spec.LSD != nil && !private {
		list = append(list, source{l.spec.LSD, core.SourceLSD})
	}
	if tiers := l.trackers(); len(tiers) > 0 {
		l.moved.left.Store(1) // so that we count as no seed before the size is known
		l.tracker = tracker.NewAnnouncer(tracker.Config{
			Client: l.engine.tracker, PeerID: l.peerID, Tiers: tiers,
			Private: private, Stats: l.trackerStats, Logger: l.log, External: l.engine.SetExternal,
		})
		list = append(list, source{l.tracker, core.SourceTracker})
	}
	return list
}

// trackers returns the usable trackers that are to be asked: first those of the
// user, so that one which a stranger names as well is the user's. Those of a
// magnet link are a tier each. What cannot be used is told in one line.
func (l *loop) trackers() [][]tracker.Tracker {
	list, bad := usableTiers(nil, l.spec.Trackers, false)
	if len(bad) > 0 {
		l.log.Warn("trackers are left out", "err", errors.Join(bad...))
	}
	if l.spec.NoTrackers {
		return list
	}
	unusable := l.spec.Magnet.Unusable
	tiers := make([][]string, len(l.spec.Magnet.Trackers))
	for i, url := range l.spec.Magnet.Trackers {
		tiers[i] = []string{url}
	}
	if l.spec.Torrent != nil {
		unusable, tiers = l.spec.Torrent.Unusable, l.spec.Torrent.Trackers
	}
	list, bad = usableTiers(list, tiers, true)
	for _, u := range unusable {
		bad = append(bad, leftOut(u.URL, u.Err))
	}
	if len(bad) > 0 {
		l.log.Warn("URLs of the torrent or link are left out", "err", errors.Join(bad...))
	}
	return list
}

// usableTiers appends those of tiers that have a usable tracker, and says why others
// cannot be used.
func usableTiers(list [][]tracker.Tracker, tiers [][]string, stranger bool) ([][]tracker.Tracker, []error) {
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
	m := &l.moved
	return tracker.Stats{Uploaded: m.up.Load(), Downloaded: m.down.Load(), Left: m.left.Load()}
}

// tellMoved brings the numbers for trackers up to date, if it is time.
func (l *loop) tellMoved(now time.Time) {
	m := &l.moved
	if l.tracker == nil || now.Sub(m.at) < movedEvery {
		return
	}
	m.at = now
	s := l.core.Snapshot()
	m.up.Store(s.Up)
	m.down.Store(s.Down)
	if s.Pieces > 0 {
		m.left.Store(s.Left)
	}
}

// leaveTrackers tells trackers that we have stopped.
func (l *loop) leaveTrackers() {
	if l.tracker != nil {
		l.tracker.Close()
	}
}
