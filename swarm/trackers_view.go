package swarm

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"swarmnode/swarm/tracker"
)

// A TrackerState describes one tracker of a torrent at one moment.
type TrackerState = tracker.State

// A TrackerStatus says how the announces to a tracker go.
type TrackerStatus = tracker.Status

// The statuses of trackers.
const (
	TrackerNotAsked   = tracker.NotAsked   // not announced to yet, or not since a pause
	TrackerAnnouncing = tracker.Announcing // an announce is under way
	TrackerWorking    = tracker.Working    // the last announce was answered
	TrackerFailing    = tracker.Failing    // the last announce failed, and is tried again
	TrackerRefused    = tracker.Refused    // not asked by our rules, or at its own wish
)

// TrackersMax bounds the trackers that SetTrackers takes. No list of public trackers is
// that long, and of more than tracker.GroupsMax tiers the rest is not asked.
const TrackersMax = 1000

// ErrTooManyTrackers says that SetTrackers was given more than 1,000 URLs.
var ErrTooManyTrackers = errors.New("too many trackers, want at most 1,000")

// ErrPeersOnly says that a torrent is not announced to trackers because of Spec.PeersOnly.
var ErrPeersOnly = errors.New("the torrent looks only for the peers that it was told")

// A TrackerError says which URL cannot be that of a tracker, and why.
type TrackerError struct {
	URL string // as it was given; it may hold a key of the user
	Err error  // wraps tracker.ErrURL
}

// Error shows the scheme and the host of the URL only, as paths can hold keys.
func (e *TrackerError) Error() string {
	return fmt.Sprintf("%q cannot be the URL of a tracker: %v", withoutPath(e.URL), e.Err)
}

// Unwrap returns Err.
func (e *TrackerError) Unwrap() error { return e.Err }

// withoutPath returns the scheme and the host of a URL that may not be one.
func withoutPath(url string) string {
	rest := url
	scheme, host, ok := strings.Cut(url, "://")
	if ok {
		rest = host
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if end > leftOutBytes {
		for end = leftOutBytes; !utf8.RuneStart(rest[end]); {
			end--
		}
	}
	short := rest[:end]
	if _, host, found := strings.Cut(short, "@"); found {
		short = host
	}
	if ok {
		short = scheme[:min(len(scheme), leftOutBytes)] + "://" + short
	}
	if end < len(rest) {
		short += "…"
	}
	return strings.ToValidUTF8(short, "")
}

// Trackers describes the trackers of the torrent, in the order of their tiers. It asks
// nobody and never waits. Counts that a tracker leaves out of its answers are asked for by
// a scrape while somebody calls Trackers; ChangedTrackers says that they have come.
func (t *Torrent) Trackers() []TrackerState {
	if a := t.trackers.get(); a != nil {
		return a.Trackers()
	}
	return nil
}

// SetTrackers replaces the trackers of the torrent, including those that the torrent or
// link names. tiers are as in BEP 12: the trackers of one tier are alternatives, and all
// tiers are used; a private torrent uses one tracker at a time. Trackers that stay keep
// their state, those that go hear that we have stopped, new ones are announced to at once.
// A new URL counts as the user's and may lead anywhere. One that the torrent or link named
// and that stays in the list remains a stranger's, so that a list may be given back with
// additions; to vouch for such a URL, remove it and add it again.
//
// If a URL cannot be used, nothing changes and the error is a *TrackerError. Other errors
// are ErrTooManyTrackers, ErrPeersOnly, and ErrStopped after the end of the torrent.
// SetTrackers does not wait for the trackers.
func (t *Torrent) SetTrackers(tiers [][]string) error {
	list, err := parseTiers(tiers)
	switch {
	case err != nil:
		return err
	case t.spec.PeersOnly:
		return ErrPeersOnly
	}
	return t.command(func(now time.Time) error {
		t.loop.setTrackers(list)
		return nil
	})
}

// CheckTrackers returns the error with which SetTrackers refuses tiers, whatever the torrent,
// or nil.
func CheckTrackers(tiers [][]string) error {
	_, err := parseTiers(tiers)
	return err
}

// parseTiers parses the URLs of the user.
func parseTiers(tiers [][]string) (list [][]tracker.Tracker, err error) {
	count := 0
	for _, urls := range tiers {
		var tier []tracker.Tracker
		if count += len(urls); count > TrackersMax {
			return nil, ErrTooManyTrackers
		}
		for _, url := range urls {
			parsed, err := tracker.ParseTracker(url, false)
			if err != nil {
				return nil, &TrackerError{URL: url, Err: err}
			}
			tier = append(tier, parsed)
		}
		list = append(list, tier)
	}
	return list, nil
}

// setTrackers replaces the trackers.
func (l *loop) setTrackers(tiers [][]tracker.Tracker) {
	if a := l.trackers.get(); a != nil {
		a.SetTiers(tiers)
		return
	}
	if len(tiers) > 0 {
		l.search.add(l.startTrackers(tiers, l.t.private()))
	}
}

// Reannounce announces to all trackers as soon as they allow it: at once, or after the
// least interval that a tracker gave with its last answer (30 s if it gave none). The
// regular interval does not count, nor the pause after a failure, unless the tracker said
// when to ask again. A paused torrent announces nothing. The error is ErrStopped after the
// end of the torrent.
func (t *Torrent) Reannounce() error {
	return t.command(func(time.Time) error {
		if a := t.trackers.get(); a != nil {
			a.Reannounce()
		}
		return nil
	})
}
