package limit

import (
	"slices"
	"sync/atomic"
	"time"
)

// rankWeight is how many times as much as a bucket of rank 0 one of rank 1 gets, and one of
// rank -1 a part of, while all of them want more.
const rankWeight = 4

// A Group is a rate that some of the buckets of a Common share, within the common rate or
// outside of it. Both may change at any time.
type Group struct {
	common *Common
	rate   atomic.Int64 // bytes per second; 0 is no limit. Set with common.mu held
	alone  atomic.Bool  // its buckets are outside of the common rate

	// Guarded by common.mu.
	at      time.Time // until when spare counts the rate
	spare   float64   // bytes that were allowed until then and given to nobody
	members float64   // the sum of the ranks of its buckets in Common.busy; of share
	left    float64   // what is left of spare; of share
	weights float64   // of its buckets that have not had their part; of share
}

// NewGroup returns a group of buckets of c without a limit.
func (c *Common) NewGroup() *Group { return &Group{common: c} }

// Set sets the rate that the buckets of g share from now on, 0 or less for none, and whether
// they are outside of the common rate.
func (g *Group) Set(rate int64, alone bool) {
	c := g.common
	c.mu.Lock()
	defer c.mu.Unlock()
	c.share(time.Now()) // at the old rate
	if g.rate.Load() == 0 {
		g.spare, g.at = 0, c.at
	}
	g.rate.Store(max(rate, 0))
	g.alone.Store(alone)
	g.spare = min(g.spare, c.burst(float64(g.rate.Load())))
	c.adapt()
}

// Rate returns the rate of g in bytes per second, 0 if there is none.
func (g *Group) Rate() int64 { return g.rate.Load() }

// accrue adds the bytes of the time since the last call. What a group that nobody used could
// have had in the meantime is lost, except for a burst.
func (g *Group) accrue(before, now time.Time) {
	rate := float64(g.rate.Load())
	g.spare += rate * now.Sub(g.at).Seconds()
	if g.at.Before(before) {
		g.spare = min(g.spare, g.common.burst(rate))
	}
	g.at = now
}

// A Placement says which limits a bucket has besides its own, and how much of them.
type Placement struct {
	// Group is the group of the bucket; nil is none. It is one of the same Common.
	Group *Group
	// Alone leaves out the group and the common rate.
	Alone bool
	// Rank is how the bucket fares beside others that want more than there is: one of rank 1
	// gets four times as much as one of rank 0, and that one four times as much as one of
	// rank -1. Other numbers count as the nearest of these.
	Rank int
}

// Place sets the limits that b shares with others from now on. A nil Bucket has none.
func (b *Bucket) Place(p Placement) {
	if b == nil {
		return
	}
	c := b.common
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.group.Load() == p.Group && b.alone.Load() == p.Alone && b.rank.Load() == int32(p.Rank) {
		return
	}
	c.share(time.Now()) // as it was placed
	b.group.Store(p.Group)
	b.alone.Store(p.Alone)
	b.rank.Store(int32(p.Rank))
	if g := b.limitedGroup(); g != nil {
		g.accrue(time.Time{}, c.at)
	}
	c.adapt()
}

// limitedGroup returns the group that limits b now, or nil.
func (b *Bucket) limitedGroup() *Group {
	if b.alone.Load() {
		return nil
	}
	if g := b.group.Load(); g != nil && g.rate.Load() > 0 {
		return g
	}
	return nil
}

// outside reports whether the common rate does not concern b.
func (b *Bucket) outside() bool {
	if b.alone.Load() {
		return true
	}
	g := b.group.Load()
	return g != nil && g.alone.Load()
}

// lowest returns the lowest of the rates that limit b, 0 if there is none.
func (b *Bucket) lowest() float64 {
	lowest := b.rate.Load()
	if g := b.limitedGroup(); g != nil {
		lowest = lower(lowest, g.rate.Load())
	}
	if !b.outside() {
		lowest = lower(lowest, b.common.rate.Load())
	}
	return float64(lowest)
}

// lower returns the lower one of two rates, of which 0 is none.
func lower(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// ranked returns the weight of b by its rank.
func (b *Bucket) ranked() float64 {
	switch rank := b.rank.Load(); {
	case rank > 0:
		return rankWeight
	case rank < 0:
		return 1. / rankWeight
	}
	return 1
}

// credit gives n bytes that b does not use back to those with whom b shares.
func (c *Common) credit(b *Bucket, n float64) {
	if g := b.limitedGroup(); g != nil {
		g.spare += n
	}
	if !b.outside() {
		c.spare += n
	}
}

// spareFor returns how many bytes there are for b that nobody else has had room for.
func (c *Common) spareFor(b *Bucket) float64 {
	spare := c.spare
	if b.outside() {
		spare = c.burst(0)
	}
	if g := b.limitedGroup(); g != nil {
		spare = min(spare, g.spare)
	}
	return spare
}

// join adds up the ranks of the busy buckets of each group, adds to each group the bytes of
// the time since before, and returns the sum of the ranks of those that share the common rate.
func (c *Common) join(before, now time.Time) (insiders float64) {
	for _, b := range c.busy {
		if !b.outside() {
			insiders += b.ranked()
		}
		if g := b.limitedGroup(); g != nil {
			if g.members == 0 {
				g.accrue(before, now)
				g.left = g.spare
			}
			g.members += b.ranked()
		}
	}
	return insiders
}

// bind bounds the room of the buckets of groups by what their groups have left. Parts that
// one cannot use go to the others of its group. c.busy is sorted.
func (c *Common) bind() {
	for _, b := range c.busy {
		if g := b.limitedGroup(); g != nil {
			g.weights += b.flow.part
		}
	}
	bound := false
	for _, b := range c.busy {
		g, f := b.limitedGroup(), b.flow
		if g == nil {
			continue
		}
		room := min(f.room, g.left*f.part/g.weights)
		g.weights -= f.part
		g.left -= room
		bound = bound || room != f.room
		f.room = room
	}
	if bound {
		slices.SortFunc(c.busy, byRoom)
	}
}

// part ends a sharing: no group has more than a burst of unused bytes.
func (c *Common) part() {
	for _, b := range c.busy {
		if g := b.limitedGroup(); g != nil {
			g.members, g.weights = 0, 0
			g.spare = min(g.spare, c.burst(float64(g.rate.Load())))
		}
	}
}
