package utp

import "time"

const (
	// rtoFirst is the timeout before the first measurement (RFC 6298, 2.1).
	rtoFirst = time.Second
	// rtoMin is the least timeout (BEP 29, "timeouts").
	rtoMin = 500 * time.Millisecond
	// rtoMax bounds the timeout, doublings included, unless the round-trip time itself
	// asks for more. RFC 6298 suggests a minute. A path that was silent for a while is
	// found again within this time, for the price of one small packet.
	rtoMax = 2 * time.Second
	// rttWindow is how long a lowest round-trip time counts. It is two buckets of half
	// that length.
	rttWindow = 60 * time.Second
)

// rtt measures the round-trip time of a connection (RFC 6298). A sample is of a packet that
// was sent once (Karn's algorithm).
type rtt struct {
	smoothed  time.Duration // 0 before the first sample
	variation time.Duration
	latest    time.Duration
	backoff   int // doublings of the timeout

	lowest   [2]time.Duration // of the current and the previous bucket, 0 for none
	bucketAt time.Duration    // when the current bucket began
}

// sample takes a measurement.
func (r *rtt) sample(now, d time.Duration) {
	d = max(d, time.Microsecond)
	r.latest = d
	r.backoff = 0
	if now-r.bucketAt >= rttWindow/2 {
		r.lowest[0], r.lowest[1], r.bucketAt = 0, r.lowest[0], now
	}
	if r.lowest[0] == 0 || d < r.lowest[0] {
		r.lowest[0] = d
	}
	if r.smoothed == 0 {
		r.smoothed, r.variation = d, d/2
		return
	}
	r.variation += (max(r.smoothed-d, d-r.smoothed) - r.variation) / 4
	r.smoothed += (d - r.smoothed) / 8
}

// min returns the lowest round-trip time of the last half or whole rttWindow, 0 before the
// first sample.
func (r *rtt) min() time.Duration {
	switch {
	case r.lowest[0] == 0:
		return r.lowest[1]
	case r.lowest[1] == 0:
		return r.lowest[0]
	}
	return min(r.lowest[0], r.lowest[1])
}

// timeout returns after which time without an acknowledgement a packet counts as lost.
func (r *rtt) timeout() time.Duration {
	base := rtoFirst
	if r.smoothed != 0 {
		base = max(rtoMin, r.smoothed+4*r.variation)
	}
	return min(base<<r.backoff, max(rtoMax, 2*base))
}

// expired doubles the timeout, which has passed.
func (r *rtt) expired() { r.backoff = min(r.backoff+1, 10) }

// progress takes back all doublings: the peer answers.
func (r *rtt) progress() { r.backoff = 0 }
