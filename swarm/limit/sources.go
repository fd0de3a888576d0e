package limit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// sourceBuckets is how many buckets all sources share. Two sources in one bucket have one
// rate between them, which a busy server can afford and a small one does not notice. Which
// sources share a bucket is secret, so nobody can use up the rate of a chosen source.
const sourceBuckets = 1 << 16

// Sources limits how often each of many sources (see SourceOf) may ask for something. Its
// memory is fixed, half a MiB, so a flood from forged addresses harms nobody else. A nil
// Sources limits nothing.
type Sources struct {
	interval time.Duration // between two requests in the long run
	burst    time.Duration // how far ahead of that a source may be
	start    time.Time
	seed     maphash.Seed
	// paid holds, for each bucket, the time since start up to which its requests have used
	// up the rate.
	paid [sourceBuckets]atomic.Int64
}

// NewSources returns a Sources that lets each source ask rate times a second in the long
// run, and burst times at once. Both must be positive.
func NewSources(rate, burst int) *Sources {
	interval := time.Second / time.Duration(rate)
	return &Sources{
		interval: interval, burst: interval * time.Duration(burst), start: time.Now(),
		seed: maphash.MakeSeed(),
	}
}

// Allow reports whether ip may ask now, and counts the request if so.
func (s *Sources) Allow(now time.Time, ip netip.Addr) bool {
	if s == nil {
		return true
	}
	key := SourceOf(ip).As16()
	bucket := &s.paid[maphash.Bytes(s.seed, key[:])%sourceBuckets]
	at := int64(now.Sub(s.start))
	for {
		paid := bucket.Load()
		next := max(paid, at) + int64(s.interval)
		if next-at > int64(s.burst) {
			return false
		}
		if bucket.CompareAndSwap(paid, next) {
			return true
		}
	}
}
