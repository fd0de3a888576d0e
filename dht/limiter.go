package dht

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// sourcesMax bounds the sources that have a rate each. Beyond it, idle sources
	// are forgotten; if none is idle, newcomers share crowdLanes rates. A flood of
	// forged addresses therefore costs bounded memory and rarely an honest
	// newcomer's answers.
	sourcesMax = 4096
	crowdLanes = 1024

	// clearGap is the least time between two searches for idle sources, which
	// look at all of them.
	clearGap = time.Second

	// localFactor multiplies the limits for local addresses, where whole
	// networks may live behind one address. There every port is a source.
	localFactor = 40

	// burstMax bounds how far ahead of its rate a lane may be, whatever the limits.
	burstMax = time.Hour
)

// bucket is a token bucket.
type bucket struct {
	tokens float64
	filled instant
}

// take fills the bucket at rate per second up to burst, and takes n tokens. It
// reports false, and takes none, if there are fewer.
func (b *bucket) take(now instant, rate, burst, n float64) bool {
	b.fill(now, rate, burst)
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

func (b *bucket) fill(now instant, rate, burst float64) {
	if b.filled == 0 {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+rate*(now-b.filled).Seconds())
	}
	b.filled = now
}

// A lane is a rate limit in eight bytes: the instant up to which accepted packets
// have used up the rate. Refused packets use up nothing, so the first packet after
// a flood is accepted.
type lane instant

// pace is the rate of a lane.
type pace struct {
	interval time.Duration // between two packets in the long run
	burst    time.Duration // how far ahead of that a lane may be
}

// newPace returns the pace of rate packets a second with burst packets at once.
func newPace(rate, burst int) pace {
	interval := max(1, time.Second/time.Duration(rate))
	return pace{interval, interval * min(time.Duration(burst), burstMax/interval)}
}

// take counts one packet and reports whether the rate allows it.
func (l *lane) take(now instant, p pace) bool {
	next := max(instant(*l), now) + p.interval
	if next-now > p.burst {
		return false
	}
	*l = lane(next)
	return true
}

// limiter bounds the queries of each source. It never bans a source: senders of
// datagrams can forge their address, and a ban would hit the address's owner.
type limiter struct {
	pace    pace // of one source
	local   pace // of one port of a local address
	sources map[endpoint]lane
	crowd   []lane // shared by newcomers while sources is full; otherwise nil
	seed    maphash.Seed
	cleared instant
}

func newLimiter(rate, burst int) limiter {
	p := newPace(rate, burst)
	return limiter{
		pace: p, local: pace{max(1, p.interval/localFactor), p.burst},
		sources: make(map[endpoint]lane),
	}
}

// allow counts a query from that address and reports whether it may be answered.
func (l *limiter) allow(now instant, from netip.AddrPort) bool {
	if isLocal(from.Addr()) {
		return l.take(now, pack(from), l.local)
	}
	return l.take(now, endpoint{ip: source(from.Addr()).As16()}, l.pace)
}

func (l *limiter) take(now instant, key endpoint, p pace) bool {
	mine, known := l.sources[key]
	if !known && len(l.sources) >= sourcesMax && now-l.cleared >= clearGap {
		l.forget(now)
	}
	if !known && len(l.sources) >= sourcesMax {
		if l.crowd == nil {
			l.crowd, l.seed = make([]lane, crowdLanes), maphash.MakeSeed()
		}
		return l.crowd[maphash.Comparable(l.seed, key)%crowdLanes].take(now, p)
	}
	ok := mine.take(now, p)
	if ok || !known {
		l.sources[key] = mine
	}
	return ok
}

// forget drops the sources whose whole burst is available again.
func (l *limiter) forget(now instant) {
	l.cleared = now
	for key, s := range l.sources {
		if now >= instant(s) {
			delete(l.sources, key)
		}
	}
	if len(l.sources) < sourcesMax/2 {
		l.crowd = nil
	}
}
