package tracker

import (
	"maps"
	"slices"
)

// A Report sums up the last announces to the trackers of an Announcer. Trackers that
// have not been asked do not count.
type Report struct {
	Answered int
	Failed   int
	// Tracker is one of the failed trackers, and Err the reason of its failure.
	Tracker Tracker
	Err     error
}

// A verdict is the outcome of the last announce to a tracker.
type verdict struct {
	tracker Tracker
	err     error // nil if it answered
}

// Report returns the state of the trackers.
func (a *Announcer) Report() (r Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, url := range slices.Sorted(maps.Keys(a.verdicts)) {
		v := a.verdicts[url]
		if v.err == nil {
			r.Answered++
			continue
		}
		if r.Failed == 0 {
			r.Tracker, r.Err = v.tracker, v.err
		}
		r.Failed++
	}
	return r
}

// judge records the outcome of an announce. A hybrid is announced under two
// info-hashes; the later outcome counts.
func (a *Announcer) judge(t Tracker, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts[t.url.String()] = verdict{t, err}
}
