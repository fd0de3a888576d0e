package relay

import "time"

// Limits bound what a Server does for others. Each zero field means its default.
type Limits struct {
	// Tenants is how many allocations there may be. Default 64.
	Tenants int
	// Rate is how many bytes a second the server relays in all. Default 1,250,000: 10 Mbit/s.
	Rate int
	// TenantRate is how many bytes a second one allocation may relay in both directions
	// together. Default 250,000: 2 Mbit/s.
	TenantRate int
	// TenantBurst is how many bytes an allocation may relay beyond that, after a pause: at four
	// times the rate at first, and then ever more slowly. Default 1 MiB.
	TenantBurst int
	// Hourly is how many bytes one source, an IPv4 address or an IPv6 /56, may relay in an
	// hour. Default 1 GiB.
	Hourly int64
	// Life is how long an allocation lasts at first, and is prolonged by while there is room:
	// while a quarter of Tenants is free. Default 30 minutes.
	Life time.Duration
	// Idle is how long an allocation may relay nothing. Default one minute.
	Idle time.Duration
}

// Limits that are not for the operator to change.
const (
	// networkTenants is how many allocations there may be for one network, a /24 of IPv4 or a
	// /48 of IPv6. A source has one.
	networkTenants = 3
	// staleAfter is how long a client may be silent before another one of its source takes
	// its place: a client that has crashed or moved to another port. Clients say something
	// every 20 seconds.
	staleAfter = 45 * time.Second
	// grantsRate is how many permits for new hosts an allocation gets a second, and
	// grantsBurst how many at once.
	grantsRate, grantsBurst = 10, 10
	// channelsMax is how many channels an allocation may have: more than our clients use.
	channelsMax = 128
	// hoursMax bounds the sources whose use is remembered for an hour.
	hoursMax = 4096
	// queueTime is how long a datagram may wait for the rate of its allocation, in each
	// direction; queueMin and queueMax bound the bytes of such a queue. uTP settles at a
	// fraction of that, and loses nothing. Without a queue every burst is a loss: then uTP got
	// half to three quarters of the rate, and sent a third of its packets twice.
	queueTime          = 250 * time.Millisecond
	queueMin, queueMax = 32 << 10, 512 << 10
	// paceMax is how many times its rate an allocation may have while it has its burst, and
	// paceBurst how many bytes go at once.
	paceMax, paceBurst = 4, 16 << 10
	// relayedMax is the largest datagram that is relayed, in bytes: with the headers of a
	// channel, UDP and IPv6 it fits Ethernet. Fragments would be lost at some NATs, and only
	// there, so uTP at the ends must find out on every path that larger ones do not arrive.
	relayedMax = 1448
	// portMin is the lowest port of a peer that is relayed to: those below are of services
	// that do not speak uTP, some of which answer with more than they were sent.
	portMin = 1024
	// askRate and askBurst bound the requests of one source without an allocation, a second
	// and at once; asksRate and asksBurst those of all.
	askRate, askBurst   = 5, 20
	asksRate, asksBurst = 1000, 1000
	// creditsMax bounds the addresses whose requests count towards an answer that is longer,
	// creditMax the bytes that count, and creditLife how long.
	creditsMax, creditMax = 1024, 256
	creditLife            = 5 * time.Second
	// sweepEvery is how often the server looks for allocations that must end.
	sweepEvery = 5 * time.Second
	// prefixesEvery is how often the server looks which networks its machine is in.
	prefixesEvery = time.Minute
)

func (l *Limits) setDefaults() {
	for _, field := range []struct {
		n       *int
		initial int
	}{
		{&l.Tenants, 64}, {&l.Rate, 1_250_000}, {&l.TenantRate, 250_000}, {&l.TenantBurst, 1 << 20},
	} {
		if *field.n <= 0 {
			*field.n = field.initial
		}
	}
	l.TenantBurst = max(l.TenantBurst, frameMax)
	if l.Hourly <= 0 {
		l.Hourly = 1 << 30
	}
	if l.Life <= 0 {
		l.Life = 30 * time.Minute
	}
	if l.Idle <= 0 {
		l.Idle = time.Minute
	}
}

// queue returns how many bytes of an allocation may wait in each direction.
func (l *Limits) queue() int {
	return min(max(int(float64(l.TenantRate)*queueTime.Seconds()), queueMin), queueMax)
}

// A bucket lets a rate pass, and a burst at once. It is told what time it is.
type bucket struct {
	rate, burst float64 // a second, and at once
	level       float64
	at          time.Duration // of level
}

func newBucket(rate, burst int, now time.Duration) bucket {
	return bucket{rate: float64(rate), burst: float64(burst), level: float64(burst), at: now}
}

// wait returns how long it takes until n can be taken: 0 if it can be now. n must not be more
// than the burst.
func (b *bucket) wait(now time.Duration, n int) time.Duration {
	if now > b.at {
		b.level = min(b.burst, b.level+b.rate*(now-b.at).Seconds())
		b.at = now
	}
	if lack := float64(n) - b.level; lack > 0 {
		return max(time.Duration(lack/b.rate*float64(time.Second)), time.Microsecond)
	}
	return 0
}

// take takes n, or nothing if there is less.
func (b *bucket) take(now time.Duration, n int) bool {
	if b.wait(now, n) > 0 {
		return false
	}
	b.level -= float64(n)
	return true
}
