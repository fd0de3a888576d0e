package tracker

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// intervalDefault is the time between announces if a tracker gives none.
	intervalDefault = 30 * time.Minute
	// intervalMin and intervalMax bound the intervals that trackers give.
	intervalMin = 30 * time.Second
	intervalMax = 2 * time.Hour
	// minIntervalDefault is the least time between announces when peers are wanted
	// and the tracker gives none.
	minIntervalDefault = 2 * time.Minute

	// The wait after a failure doubles from the first to the last.
	backoffFirst = 10 * time.Second
	backoffLast  = 30 * time.Minute
	// demandedAfter is the least time from a failure to an announce that the user
	// demands.
	demandedAfter = 10 * time.Second
	// jitterMax bounds the random time that is added to a wait.
	jitterMax = 5 * time.Minute
)

// A schedule decides when the trackers of one group are asked again. It is owned by
// one goroutine and takes the time as an argument.
type schedule struct {
	next     time.Time // the next announce
	earliest time.Time // bounds next from below when peers are wanted
	soonest  time.Time // the same when the user demands an announce
	failures int       // in a row
	never    bool      // every tracker of the group has refused us for good
}

// answered schedules the next announce after an answer.
func (s *schedule) answered(now time.Time, r *Response) {
	interval := r.Interval
	if interval == 0 {
		interval = intervalDefault
	}
	interval = min(max(interval, intervalMin), intervalMax)
	least := r.MinInterval
	if least == 0 {
		least = minIntervalDefault
	}
	s.soonest = now.Add(min(max(r.MinInterval, intervalMin), interval))
	least = min(max(least, intervalMin), interval)
	s.failures = 0
	s.earliest = now.Add(least)
	s.next = now.Add(max(interval, least) + jitter(interval/20))
}

// failed schedules the next attempt after all trackers of a group failed, the last
// one with err.
func (s *schedule) failed(now time.Time, err error) {
	wait := backoffLast
	if s.failures < 10 {
		wait = min(backoffLast, backoffFirst<<s.failures)
	}
	s.failures++
	s.soonest = now.Add(demandedAfter)
	var f *Failure
	if errors.As(err, &f) {
		wait = max(wait, f.Retry)
		s.soonest = now.Add(max(demandedAfter, f.Retry))
	}
	wait += jitter(min(wait/5, jitterMax))
	s.next = now.Add(wait)
	s.earliest = s.next
}

// wanted moves the next announce forward as far as the tracker allows, because more
// peers are wanted.
func (s *schedule) wanted() {
	if s.earliest.Before(s.next) {
		s.next = s.earliest
	}
}

// demanded moves the next announce forward as far as the tracker allows, because the user
// demands it.
func (s *schedule) demanded() {
	if s.soonest.Before(s.next) {
		s.next = s.soonest
	}
}

// jitter returns a random time up to most, so that clients that started together do
// not all announce together.
func jitter(most time.Duration) time.Duration {
	return rand.N(max(most, 1))
}
