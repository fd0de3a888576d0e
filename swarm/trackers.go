package swarm

import (
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
	private := info != nil && info.Private()
	if l.spec.DHT != nil && !private {
		list = append(list, source{l.spec.DHT, core.SourceDHT})
	}
	if l.spec.LSD != nil && !private {
		list = append(list, source{l.spec.LSD, core.SourceLSD})
	}
	if tiers := l.trackers(); len(tiers) > 0 && !l.spec.NoTrackers {
		l.moved.left.Store(1) // so that we count as no seed before the size is known
		l.tracker = tracker.NewAnnouncer(tracker.Config{
			Client: l.engine.tracker, InfoHash: l.hash, PeerID: l.peerID, Tiers: tiers,
			Private: private, Stats: l.trackerStats, Logger: l.log,
		})
		list = append(list, source{l.tracker, core.SourceTracker})
	}
	return list
}

// trackers returns the usable trackers of the torrent, or of the magnet link,
// whose trackers are a tier each.
func (l *loop) trackers() [][]tracker.Tracker {
	var tiers [][]string
	if l.spec.Torrent != nil {
		tiers = l.spec.Torrent.Trackers
	} else {
		for _, url := range l.spec.Magnet.Trackers {
			tiers = append(tiers, []string{url})
		}
	}
	var list [][]tracker.Tracker
	for _, urls := range tiers {
		var tier []tracker.Tracker
		for _, url := range urls {
			t, err := tracker.ParseTracker(url, true)
			if err != nil {
				l.log.Info("a tracker is left out", "err", err)
				continue
			}
			tier = append(tier, t)
		}
		if len(tier) > 0 {
			list = append(list, tier)
		}
	}
	return list
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
