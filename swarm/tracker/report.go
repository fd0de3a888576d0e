package tracker

import (
	"maps"
	"slices"
)

// A Report says how the trackers of an Announcer did when each was asked last.
// Those that were not asked yet, or need not be, are not in it.
type Report struct {
	Answered int
	Failed   int
	// Tracker is one of those that failed, and Err why it did.
	Tracker Tracker
	Err     error
}

// verdict is what came of the last announce to a tracker.
type verdict struct {
	tracker Tracker
	err     error // nil if it answered
}

// Report returns how the trackers are doing.
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

// judge notes what came of an announce. Of a hybrid, which is announced under two
// info-hashes, an answer to one is an answer.
func (a *Announcer) judge(t Tracker, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts[t.url.String()] = verdict{t, err}
}
