package dht

import "time"

const (
	// The short timeout frees the slot of a slow node in a lookup; the answer
	// still counts when it comes later.
	shortTimeoutMin     = 50 * time.Millisecond
	shortTimeoutMax     = 2 * time.Second
	shortTimeoutInitial = 400 * time.Millisecond

	// queryTimeout is when a query counts as lost. Answers hardly ever take
	// longer than a few seconds, even over mobile links.
	queryTimeout = 6 * time.Second
)

// rtt estimates the round trip to a node that was never asked before from the round
// trips to others: a smoothed mean and deviation as in RFC 6298, section 2.
type rtt struct {
	mean, deviation time.Duration
}

func (r *rtt) sample(d time.Duration) {
	if r.mean == 0 {
		r.mean, r.deviation = d, d/2
		return
	}
	r.deviation += (max(r.mean-d, d-r.mean) - r.deviation) / 4
	r.mean += (d - r.mean) / 8
}

// timeout returns the short timeout for a node whose last round trip is known, or
// zero. Half of the known value and 30 ms more allow for a queue on the way; two
// deviations above the mean cover most strangers. Longer timeouts slowed lookups
// among dead nodes, shorter ones made them miss live nodes.
func (r *rtt) timeout(known time.Duration) time.Duration {
	d := shortTimeoutInitial
	switch {
	case known > 0:
		d = known + known/2 + 30*time.Millisecond
	case r.mean > 0:
		d = r.mean + 2*r.deviation
	}
	return min(max(d, shortTimeoutMin), shortTimeoutMax)
}
