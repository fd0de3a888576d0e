package choke

import (
	"math"
	"slices"
	"time"
)

const (
	// roundEvery is how often all slots are reassigned (BEP 3 names ten seconds).
	roundEvery = 10 * time.Second
	// sweepEvery is how often Sweep is called.
	sweepEvery = time.Second
	// optimisticShare: one slot in five is optimistic, given by lot rather than by rank.
	// One in five may go to peers that never gave.
	optimisticShare = 5
	// optimisticRounds is how many rounds an optimistic slot lasts: 30 s.
	optimisticRounds = 3
	// slotsMin is the fewest slots, and slotsFirst how many there are at first: a
	// piece spreads the sooner, the fewer peers it is sent to at a time.
	slotsMin   = 4
	slotsFirst = 4
	// slotRate is the upload rate, in bytes per second, that one slot is worth:
	// more peers would each get a trickle.
	slotRate = 250_000
	// slotsLinear is the number of slots beyond which more come slowly: with a
	// slot for everybody nobody is rewarded.
	slotsLinear = 8
	// capacityDecay is what is left of the greatest upload rate after a round in
	// which it was not reached.
	capacityDecay = 0.97
	// newcomerFor is how long a peer counts as new. New peers are three times
	// as likely to get the optimistic slot, since they have nothing to trade.
	newcomerFor = 60 * time.Second
)

// round reassigns all slots.
func (c *Choker) round() {
	if len(c.peers) > 0 {
		c.by(dueRound, c.now+roundEvery)
	}
	c.rounds++
	c.adapt(c.cfg.SentRate(c.now))
	if c.pieces == nil {
		return
	}
	list := c.contend()
	chosen := c.choose(list)
	for _, e := range list[:chosen] {
		e.p.chosen = true
	}
	for _, p := range c.peers {
		// A peer that is not interested just now takes nothing, and may be again soon.
		if p.unchoked && chosen < len(list) && !p.chosen {
			c.choke(p)
		}
	}
	for _, e := range list[:chosen] {
		e.p.chosen = false
		if e.p.unchoked || c.room() { // peers that are not interested may have slots
			c.unchoke(e.p)
		}
	}
}

// adapt sets the number of slots by what we can upload. A lull in demand does not
// lower the number at once.
func (c *Choker) adapt(rate int64) {
	c.capacity = max(float64(rate), c.capacity*capacityDecay)
	if c.capacity == 0 {
		return
	}
	slots := c.capacity/slotRate + 1
	if slots > slotsLinear {
		slots = slotsLinear + 2*math.Sqrt(slots-slotsLinear)
	}
	c.slots = min(max(int(slots), slotsMin), c.cfg.SlotsMax)
}

// contend returns the peers that may get a slot, in the order of the checklist.
func (c *Choker) contend() []contender {
	var list []contender
	for _, p := range c.peers {
		if p.interested && !c.stuck(p) {
			list = append(list, c.contender(p))
		}
	}
	c.cfg.Rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b contender) int { return a.compare(&b) })
	return list
}

// choose moves to the front of a list the contenders that get a slot, and returns how many: by
// rank all but one in five, and the others in turn.
func (c *Choker) choose(list []contender) int {
	share := max(1, c.slots/optimisticShare)
	list = ration(list, share)
	if len(list) <= c.slots {
		for _, e := range list {
			e.p.optimistic = false
		}
		return len(list)
	}
	ranked := c.slots - share
	for _, e := range list[:ranked] {
		e.p.optimistic = false
	}
	rotate := c.rounds%optimisticRounds == 1
	for i := ranked; i < c.slots; i++ {
		j := i + c.nextOptimistic(list[i:], rotate)
		list[j].p.optimistic = true
		// The others stay in order.
		e := list[j]
		copy(list[i+1:j+1], list[i:j])
		list[i] = e
	}
	return c.slots
}

// ration returns the list with at most most of the peers that never gave, as long as
// there are others. Those that are left out move behind its end.
func ration(list []contender, most int) []contender {
	if !slices.ContainsFunc(list, func(e contender) bool { return !e.barren }) {
		return list
	}
	n := 0
	for i, e := range list {
		if e.barren {
			if most--; most < 0 {
				continue
			}
		}
		copy(list[n+1:i+1], list[n:i])
		list[n] = e
		n++
	}
	return list[:n]
}

// nextOptimistic returns which of the rest gets an optimistic slot: the one that has
// it, until it is time to rotate; then one at random.
func (c *Choker) nextOptimistic(rest []contender, rotate bool) int {
	if !rotate {
		for i, e := range rest {
			if e.p.unchoked && e.p.optimistic {
				return i
			}
		}
	}
	sum := 0
	for _, e := range rest {
		sum += c.chances(e)
	}
	if sum == 0 {
		return c.cfg.Rand.IntN(len(rest))
	}
	at := c.cfg.Rand.IntN(sum)
	return slices.IndexFunc(rest, func(e contender) bool {
		at -= c.chances(e)
		return at < 0
	})
}

// chances returns how likely a peer is to get an optimistic slot, compared with others.
func (c *Choker) chances(e contender) int {
	switch {
	case e.p.unchoked:
		return 0
	case c.now-e.p.joined < newcomerFor:
		return 6
	case e.barren:
		return 1
	}
	return 2
}
