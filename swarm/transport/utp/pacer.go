package utp

import "time"

const (
	// burstTime is how much of the rate may leave at once, and burstMin and burstMax its
	// bounds in bytes. The upper one is what the system sends in one call (UDP GSO).
	burstTime = 2 * time.Millisecond
	burstMax  = 60 << 10
)

// pacer spreads packets over time, so that a window does not leave as one burst. It is a
// bucket of tokens: rate bytes a second, bursts as above.
type pacer struct {
	rate   float64 // bytes a second; 0 for no limit
	tokens float64 // may be negative
	at     time.Duration
	burst  float64
}

// set changes the rate. A burst has room for two packets at least.
func (p *pacer) set(now time.Duration, rate float64, packet int) {
	p.refill(now)
	p.rate = rate
	p.burst = min(burstMax, max(rate*burstTime.Seconds(), float64(2*packet)))
}

func (p *pacer) refill(now time.Duration) {
	if now > p.at {
		p.tokens = min(p.burst, p.tokens+p.rate*(now-p.at).Seconds())
		p.at = now
	}
}

// ready reports whether a packet may leave now.
func (p *pacer) ready(now time.Duration) bool {
	p.refill(now)
	return p.rate == 0 || p.tokens > 0
}

// spend takes the tokens of a packet that leaves.
func (p *pacer) spend(size int) {
	if p.rate != 0 {
		p.tokens -= float64(size)
	}
}

// next returns when a packet may leave, given that none may now. It waits until half a burst
// may leave, since a timer for each packet would cost more than what it is for.
func (p *pacer) next() time.Duration {
	wait := (p.burst/2 - p.tokens) / p.rate
	return p.at + max(time.Duration(wait*float64(time.Second)), 50*time.Microsecond)
}
