package tracker

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// intervalDefault is the time between announces when a tracker does not say.
	intervalDefault = 30 * time.Minute
	// intervalMin and intervalMax bound what it says.
	intervalMin = 30 * time.Second
	intervalMax = 2 * time.Hour
	// minIntervalDefault is how soon we come back when peers are wanted and the
	// tracker does not say how soon it may be.
	minIntervalDefault = 2 * time.Minute

	// The wait after a failure doubles from the first to the last.
	backoffFirst = 10 * time.Second
	backoffLast  = 30 * time.Minute
	// jitterMax bounds what is added to a wait at random.
	jitterMax = 5 * time.Minute
)

// A schedule says when one ladder of trackers is to be asked again. It is owned
// by one goroutine, and is told the time.
type schedule struct {
	next     time.Time // the announce that is due
	earliest time.Time // not before, even if peers are wanted
	failures int
	never    bool // every tracker of the ladder told us not to come back
}

// answered plans the next announce after an answer.
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
	least = min(max(least, intervalMin), interval)
	s.failures = 0
	s.earliest = now.Add(least)
	s.next = now.Add(max(interval, least) + jitter(interval/20))
}

// failed plans the next attempt after all trackers of a ladder failed, with err
// from the last.
func (s *schedule) failed(now time.Time, err error) {
	wait := backoffLast
	if s.failures < 10 {
		wait = min(backoffLast, backoffFirst<<s.failures)
	}
	s.failures++
	var f *Failure
	if errors.As(err, &f) {
		wait = max(wait, f.Retry)
	}
	wait += jitter(min(wait/5, jitterMax))
	s.next = now.Add(wait)
	s.earliest = s.next
}

// wanted moves the next announce forward, as far as the tracker allows, because
// more peers are wanted.
func (s *schedule) wanted() {
	if s.earliest.Before(s.next) {
		s.next = s.earliest
	}
}

// jitter returns a random time up to most, so that those who started together
// do not come back together.
func jitter(most time.Duration) time.Duration {
	return rand.N(max(most, 1))
}
