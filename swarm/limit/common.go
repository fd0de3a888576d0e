package limit

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// Those who wait are let go all at once, and then rest at least so long. At
	// a low rate that is a short time, since an even flow is worth more than
	// the processor time that is lost. At restFrom bytes per second it begins
	// to be longer, since each rest costs both sides a millisecond: they dribble
	// until enough is on its way, with cold caches.
	restMin  = 25 * time.Millisecond
	restMax  = 100 * time.Millisecond
	restFrom = 10 << 20
	// lateMax is how late one may come back from a rest on a busy machine, or
	// from moving what it was allowed, without a loss.
	lateMax = 35 * time.Millisecond
	// shareMin is the shortest time in which a rate is shared anew.
	shareMin = time.Millisecond
)

// restOf returns how long to rest under a rate.
func restOf(rate float64) time.Duration {
	return time.Duration(min(max(rate/restFrom, 1)*float64(restMin), float64(restMax)))
}

// A Common is a rate that several buckets share. Each that wants some gets the
// same, however many wait in it, and what one does not use goes to the others.
// A nil Common is no limit.
type Common struct {
	rate float64 // bytes per second; 0 is no limit, of a bucket that shares with nobody
	rest time.Duration

	mu      sync.Mutex // of the buckets, too
	at      time.Time  // when the rate was shared last
	spare   float64    // bytes that were allowed then and given to nobody
	busy    []*Bucket  // those that want some, or have to pay
	resting bool       // tick is to come
}

// NewCommon returns a common limit of rate bytes per second; nil, which limits
// nothing, if that is 0 or less.
func NewCommon(rate int64) *Common {
	if rate <= 0 {
		return nil
	}
	return newCommon(float64(rate), restOf(float64(rate)))
}

func newCommon(rate float64, rest time.Duration) *Common {
	return &Common{rate: rate, rest: rest, at: time.Now()}
}

// burst returns how many bytes of a rate are kept for those who do not use them
// at once.
func (c *Common) burst(rate float64) float64 {
	if rate == 0 {
		return math.Inf(1)
	}
	return rate * (c.rest + lateMax).Seconds()
}

// wake has the rate shared after a rest.
func (c *Common) wake() {
	if !c.resting {
		c.resting = true
		time.AfterFunc(c.rest, c.tick)
	}
}

// tick shares the rate and lets those go whose turn has come.
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

// share gives what the time since the last call allows to those that want it,
// in equal parts as far as each has room for it, and smaller ones to those in which
// nothing but asides wait. Together they have room for a
// burst, and another is kept for one that uses more than its part.
func (c *Common) share(now time.Time) {
	passed := now.Sub(c.at)
	if passed < shareMin {
		return
	}
	c.at = now
	c.spare += c.rate * passed.Seconds()
	if c.rate == 0 {
		c.spare = math.Inf(1)
	}
	c.busy = slices.DeleteFunc(c.busy, func(b *Bucket) bool { return c.leave(now, b) })
	burst := c.burst(c.rate)
	part := burst / float64(len(c.busy))
	weights := 0.
	for _, b := range c.busy {
		b.room = b.net() + min(part, c.burst(b.rate))
		if b.rate > 0 {
			b.room = min(b.room, b.rate*passed.Seconds())
		}
		b.part = b.weight()
		weights += b.part
	}
	slices.SortFunc(c.busy, func(a, b *Bucket) int {
		return cmp.Compare(a.room/a.part, b.room/b.part)
	})
	for _, b := range c.busy {
		given := min(b.room, c.spare*b.part/weights) // below 0 when its part has become smaller
		weights -= b.part
		b.give(given)
		c.spare -= given
	}
	c.spare = min(c.spare, burst)
}

// leave reports whether b wants no more, and takes back what it has left.
func (c *Common) leave(now time.Time, b *Bucket) bool {
	if !b.idle() || now.Sub(b.used) < c.rest+lateMax {
		return false
	}
	c.spare += b.clear()
	b.busy = false
	return true
}
