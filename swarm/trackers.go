package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// trackers announces a torrent to its trackers, with the numbers of the moment. It is
// safe for concurrent use; the zero value has no trackers.
type trackers struct {
	mu        sync.Mutex
	announcer *tracker.Announcer // nil without trackers
	numbers   tracker.Stats      // what the next announcement says
}

// start announces to the trackers of cfg from the first search on.
func (t *trackers) start(cfg tracker.Config) *tracker.Announcer {
	cfg.Stats = t.stats
	t.mu.Lock()
	defer t.mu.Unlock()
	t.announcer = tracker.NewAnnouncer(cfg)
	return t.announcer
}

// get returns the Announcer, or nil without trackers.
func (t *trackers) get() *tracker.Announcer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.announcer
}

// stats returns the numbers for an announcement.
func (t *trackers) stats() tracker.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.numbers
}

// update sets the numbers for the next announcement. Without trackers it does nothing.
func (t *trackers) update(now func() core.Totals) {
	if t.get() != nil {
		t.set(now())
	}
}

// set sets the numbers for the next announcement.
func (t *trackers) set(now core.Totals) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers = tracker.Stats{Uploaded: now.Up, Downloaded: now.Down, Left: now.Missing,
		Idle: now.Done}
}

// addReceived adds bytes of blocks to the numbers which came after the last update.
func (t *trackers) addReceived(bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers.Downloaded += bytes
}

// ownAddressChanged announces again, since peers find us at another address now.
func (t *trackers) ownAddressChanged() {
	if a := t.get(); a != nil {
		a.Moved()
	}
}

// setPort announces that we listen at another port.
func (t *trackers) setPort(port uint16) {
	if a := t.get(); a != nil {
		a.SetPort(port)
	}
}

// report returns what came of the announcements.
func (t *trackers) report() tracker.Report {
	if a := t.get(); a != nil {
		return a.Report()
	}
	return tracker.Report{}
}

// pause tells the trackers that we have stopped, and announces nothing until resume. It
// does not wait.
func (t *trackers) pause() {
	if a := t.get(); a != nil {
		a.Pause()
	}
}

// resume announces again after pause.
func (t *trackers) resume() {
	if a := t.get(); a != nil {
		a.Resume()
	}
}

// leave tells the trackers that we have stopped, and waits until they know.
func (t *trackers) leave() {
	if a := t.get(); a != nil {
		a.Close()
	}
}

// findSources returns the sources of peers that the torrent has. info is nil for a magnet
// link whose metadata is not known.
func (l *loop) findSources(info *metainfo.Info) []source {
	spec := &l.t.spec
	if spec.PeersOnly {
		return nil
	}
	var list []source
	private := info != nil && info.Private()
	if spec.DHT != nil && !private {
		list = append(list, source{spec.DHT, book.SourceDHT})
	}
	if spec.LSD != nil && !private {
		list = append(list, source{spec.LSD, book.SourceLSD})
	}
	if tiers := l.t.trackerTiers(); len(tiers) > 0 {
		list = append(list, l.startTrackers(tiers, private))
	}
	return list
}

// startTrackers makes the trackers a source of peers.
func (l *loop) startTrackers(tiers [][]tracker.Tracker, private bool) source {
	l.trackers.set(l.core.Totals())
	return source{l.trackers.start(tracker.Config{
		Client: l.t.engine.tracker, PeerID: l.t.peerID, Tiers: tiers, Private: private,
		Logger: l.t.log, External: l.t.engine.SetExternal, Port: l.t.engine.publicPort,
		Changed: func() { l.t.changed(ChangedTrackers) },
	}), book.SourceTracker}
}

// updateTrackers brings the numbers for trackers up to date. A torrent without trackers
// saves itself the counting.
func (l *loop) updateTrackers() { l.trackers.update(l.core.Totals) }

// trackerTiers returns the usable trackers of the torrent. Those of the user come first,
// so that a tracker which a stranger names as well counts as the user's. Each tracker of
// a magnet link is a tier by itself. One line of the log names the unusable ones.
func (t *Torrent) trackerTiers() [][]tracker.Tracker {
	list, bad := usableTiers(nil, t.spec.Trackers, false)
	if len(bad) > 0 {
		t.log.Warn("some trackers cannot be used", "err", errors.Join(bad...))
	}
	if t.spec.NoTrackers {
		return list
	}
	unusable := t.spec.Magnet.Unusable
	tiers := make([][]string, len(t.spec.Magnet.Trackers))
	for i, url := range t.spec.Magnet.Trackers {
		tiers[i] = []string{url}
	}
	if t.spec.Torrent != nil {
		unusable, tiers = t.spec.Torrent.Unusable, slices.Clone(t.spec.Torrent.Trackers)
	}
	users := slices.Concat(t.spec.Trackers...) // the log has named the unusable ones
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
		t.log.Warn("some URLs of the torrent or link cannot be used", "err", errors.Join(bad...))
	}
	return list
}

// usableTiers appends to list the usable trackers of tiers, without empty tiers. The
// errors say why the others cannot be used.
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

// leftOutBytes bounds how much of an unusable URL is shown, since paths can hold keys.
const leftOutBytes = 60

// leftOut returns an error that says why a URL cannot be used.
func leftOut(url string, why error) error {
	if len(url) > leftOutBytes {
		url = strings.ToValidUTF8(url[:leftOutBytes], "") + "…"
	}
	return fmt.Errorf("%q: %w", url, why)
}
