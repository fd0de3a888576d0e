package tracker

import "slices"

// A Report sums up the last announces to the trackers of an Announcer. Trackers that
// have not been asked do not count.
type Report struct {
	Answered int
	Failed   int
	// Tracker is one of the failed trackers, and Err the reason of its failure.
	Tracker Tracker
	Err     error
}

// Report returns the state of the trackers in short. It is cheap.
func (a *Announcer) Report() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.report
}

// summarize brings the Report up to date. a.mu is held. A hybrid is announced under two
// info-hashes; the later outcome counts.
func (a *Announcer) summarize() {
	a.report = Report{}
	for _, l := range a.listing() {
		last := slices.MaxFunc(append(l.views, new(view)), func(v, w *view) int {
			return v.judged.Compare(w.judged)
		})
		switch {
		case last.judged.IsZero():
		case last.err == nil:
			a.report.Answered++
		default:
			if a.report.Failed == 0 {
				a.report.Tracker, a.report.Err = l.tracker, last.err
			}
			a.report.Failed++
		}
	}
}
