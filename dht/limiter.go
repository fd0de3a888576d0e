package dht

import (
	"net/netip"
	"time"
)

const (
	// sourcesMax bounds the addresses whose rates are remembered; when it is
	// reached the idle ones are forgotten, and if none is, newcomers share one
	// bucket: a flood from forged addresses must not cost memory.
	sourcesMax = 4096

	// clearGap is the least time between two searches for idle sources, which
	// look at all of them.
	clearGap = time.Second

	// localFactor multiplies the limits for local addresses, where whole
	// networks may live behind one address. There every port is a source.
	localFactor = 40

	// banDrops is the number of packets over the limit, without a pause of
	// banPause, after which an address is not listened to for banTime.
	banDrops = 500
	banPause = 10 * time.Second
	banTime  = 5 * time.Minute
)

// bucket is a token bucket.
type bucket struct {
	tokens float64
	filled instant
}

// take fills the bucket at rate per second up to burst, and takes n if there
// are as many.
func (b *bucket) take(now instant, rate, burst, n float64) bool {
	if b.filled == 0 {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+rate*(now-b.filled).Seconds())
	}
	b.filled = now
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

type source struct {
	bucket bucket
	drops  int
	last   instant // of the last drop
	banned instant // until then
}

// limiter bounds the queries that one source may put to us.
type limiter struct {
	rate, burst float64 // queries per second, queries
	sources     map[endpoint]*source
	rest        source // those that found no place
	cleared     instant
}

func newLimiter(rate, burst int) limiter {
	return limiter{rate: float64(rate), burst: float64(burst), sources: make(map[endpoint]*source)}
}

// allow tells whether a query from that address may be looked at.
func (l *limiter) allow(now instant, from netip.AddrPort) bool {
	key, factor := pack(from), float64(localFactor)
	local := isLocal(from.Addr())
	if !local {
		key.port, factor = 0, 1
	}
	s := l.source(now, key)
	if now < s.banned {
		return false
	}
	if s.bucket.take(now, l.rate*factor, l.burst*factor, 1) {
		return true
	}
	if now-s.last > banPause {
		s.drops = 0
	}
	s.last = now
	if s.drops++; s.drops >= banDrops && !local && s != &l.rest {
		s.banned, s.drops = now+banTime, 0
	}
	return false
}

func (l *limiter) source(now instant, key endpoint) *source {
	s := l.sources[key]
	if s != nil {
		return s
	}
	if len(l.sources) >= sourcesMax && now-l.cleared >= clearGap {
		l.forget(now)
	}
	if len(l.sources) >= sourcesMax {
		return &l.rest
	}
	s = new(source)
	l.sources[key] = s
	return s
}

// forget drops the sources of which nothing needs to be remembered: not
// banned, and idle long enough for their bucket to be full again.
func (l *limiter) forget(now instant) {
	l.cleared = now
	idle := banPause
	if l.rate > 0 {
		idle = max(idle, time.Duration(l.burst/l.rate*float64(time.Second)))
	}
	for key, s := range l.sources {
		if now >= s.banned && now-s.bucket.filled > idle {
			delete(l.sources, key)
		}
	}
}
