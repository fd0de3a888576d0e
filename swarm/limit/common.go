package limit

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// All waiting tickets are let go at once, and then everybody rests for at least
	// restMin. At a low rate a rest is short, since an even flow is worth more than the
	// processor time that it costs. From restFrom bytes per second on, rests grow up to
	// restMax, since each rest costs both sides a millisecond: the flow dribbles until
	// enough is on its way, with cold caches.
	restMin  = 25 * time.Millisecond
	restMax  = 100 * time.Millisecond
	restFrom = 10 << 20
	// lateMax is how late a bucket may return from a rest on a busy machine, or from
	// moving its bytes, without losing any of its share.
	lateMax = 35 * time.Millisecond
	// shareMin is the shortest time between two divisions of a rate.
	shareMin = time.Millisecond
)

// restOf returns how long to rest under a rate.
func restOf(rate float64) time.Duration {
	return time.Duration(min(max(rate/restFrom, 1)*float64(restMin), float64(restMax)))
}

// A Common is a rate that several buckets share, which may change at any time. Each bucket
// that wants bytes gets the same number, however many tickets wait in it. Bytes that one
// bucket does not use go to the others. A nil Common is no limit.
type Common struct {
	rate  atomic.Int64 // bytes per second; 0 is no limit. Set with mu held
	aside float64      // the share of laneAside

	mu      sync.Mutex // of the buckets, too
	rest    time.Duration
	at      time.Time // when the rate was shared last
	spare   float64   // bytes that were allowed then and given to nobody
	busy    []*Bucket // those that want some, or have to pay; each has a limit
	resting bool      // tick is to come
}

// NewCommon returns a common limit of rate bytes per second. It limits nothing while the
// rate is 0 or less.
func NewCommon(rate int64) *Common {
	c := &Common{at: time.Now(), aside: asideShare}
	c.rate.Store(max(rate, 0))
	c.setRest()
	return c
}

// SetAside sets how many bytes TakeAside gets for each byte of Take while both wait in a
// bucket. It must be called before any bucket of c is used.
func (c *Common) SetAside(share float64) { c.aside = share }

// setRest sets how long to rest, by the common rate or else by the highest of the buckets.
// c.mu is held.
func (c *Common) setRest() {
	rate := c.rate.Load()
	if rate == 0 {
		for _, b := range c.busy {
			rate = max(rate, int64(b.lowest()))
		}
	}
	c.rest = restOf(float64(rate))
}

// burst returns how many unused bytes of a rate are kept for later.
func (c *Common) burst(rate float64) float64 {
	if rate == 0 {
		return math.Inf(1)
	}
	return rate * (c.rest + lateMax).Seconds()
}

// wake divides the rate after a rest.
func (c *Common) wake() {
	if !c.resting {
		c.resting = true
		time.AfterFunc(c.rest, c.tick)
	}
}

// tick divides the rate and wakes the tickets whose turn has come.
func (c *Common) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resting = false
	c.share(time.Now())
	for _, b := range c.busy {
		if b.admit() {
			c.wake()
		}
	}
}

// share divides the bytes of the time since the last call among the buckets that want
// some. The parts are equal among buckets of one rank, as far as each bucket has room for its
// part; a bucket in which only asides wait gets a smaller part. All buckets together have room
// for one burst, and another burst is kept for a bucket that uses more than its part. The same
// holds within each group.
func (c *Common) share(now time.Time) {
	passed := now.Sub(c.at)
	if passed < shareMin {
		return
	}
	before := c.at
	c.at = now
	rate := float64(c.rate.Load())
	c.spare += rate * passed.Seconds()
	if rate == 0 {
		c.spare = math.Inf(1)
	}
	c.busy = slices.DeleteFunc(c.busy, func(b *Bucket) bool { return c.leave(now, b) })
	c.setRest()
	burst := c.burst(rate)
	part := burst / c.join(before, now)
	weights := 0.
	for _, b := range c.busy {
		c.makeRoom(b, part, passed)
		if !b.outside() {
			weights += b.flow.part
		}
	}
	slices.SortFunc(c.busy, byRoom)
	c.bind()
	for _, b := range c.busy {
		f := b.flow
		given := f.room // below 0 when its part has become smaller
		if !b.outside() {
			given = min(given, c.spare*f.part/weights)
			weights -= f.part
		}
		b.give(given)
		c.credit(b, -given)
	}
	c.part()
	c.spare = min(c.spare, burst)
}

// makeRoom sets how much more b may have, and its weight. part is the part of a burst of the
// common rate that a bucket of rank 0 may keep.
func (c *Common) makeRoom(b *Bucket, part float64, passed time.Duration) {
	f, own := b.flow, float64(b.rate.Load())
	if b.outside() {
		part = math.Inf(1)
	}
	if g := b.limitedGroup(); g != nil {
		part = min(part, c.burst(float64(g.rate.Load()))/g.members)
	}
	f.room = b.net() + min(part*b.ranked(), c.burst(own))
	if own > 0 {
		f.room = min(f.room, own*passed.Seconds())
	}
	f.part = b.weight()
}

// byRoom compares two buckets by the room that they have for each part.
func byRoom(a, b *Bucket) int {
	return cmp.Compare(a.flow.room/a.flow.part, b.flow.room/b.flow.part)
}

// leave reports whether b wants no more bytes, and takes back what b has left.
func (c *Common) leave(now time.Time, b *Bucket) bool {
	if !b.idle() || now.Sub(b.flow.used) < c.rest+lateMax {
		return false
	}
	c.credit(b, b.clear())
	b.flow.busy = false
	return true
}
