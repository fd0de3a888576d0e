package limit

import (
	"slices"
	"time"
)

// SetRate sets the rate of b from now on, for those who wait as well. 0 or less is no
// limit but the common one. A nil Bucket has no rate to set.
func (b *Bucket) SetRate(rate int64) {
	if b == nil {
		return
	}
	c := b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	c.share(time.Now()) // at the old rate
	b.rate.Store(max(rate, 0))
	c.adapt()
}

// Rate returns the rate of b itself in bytes per second, 0 if it has none.
func (b *Bucket) Rate() int64 {
	if b == nil {
		return 0
	}
	return b.rate.Load()
}

// SetRate sets the rate that the buckets share from now on. 0 or less is no limit.
func (c *Common) SetRate(rate int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.share(time.Now()) // at the old rate
	unlimited := c.rate.Load() == 0
	c.rate.Store(max(rate, 0))
	if unlimited {
		c.spare = 0
	}
	c.adapt()
}

// Rate returns the common rate in bytes per second, 0 if there is none.
func (c *Common) Rate() int64 { return c.rate.Load() }

// adapt makes the busy buckets follow changed rates. c.mu is held.
func (c *Common) adapt() {
	c.busy = slices.DeleteFunc(c.busy, func(b *Bucket) bool {
		if b.lowest() > 0 {
			return false
		}
		b.release()
		return true
	})
	c.setRest()
	c.spare = min(c.spare, c.burst(float64(c.rate.Load())))
	for _, b := range c.busy {
		b.bound()
		if b.admit() {
			c.wake()
		}
	}
}

// bound forgives what would take longer than a moment to pay at the present rate, and
// takes back what is more than a burst of it.
func (b *Bucket) bound() {
	debt, burst := b.lowest()*debtMax.Seconds(), b.common.burst(b.lowest())
	b.flow.extra = min(b.flow.extra, burst)
	for i := range b.flow.lanes {
		l := &b.flow.lanes[i]
		l.balance = min(max(l.balance, -debt), burst)
	}
}

// release lets everybody go who waits, since there is no limit any more.
func (b *Bucket) release() {
	b.clear()
	for i := range b.flow.lanes {
		l := &b.flow.lanes[i]
		for _, t := range l.waiting {
			close(t.ready)
		}
		l.waiting, l.wanted = nil, 0
	}
	b.flow.busy = false
}
