package choke

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// roundEvery is how often all slots are given anew (BEP 3 names ten seconds).
	roundEvery = 10 * time.Second
	// sweepEvery is how often Sweep is called.
	sweepEvery = time.Second
	// optimisticShare: one slot of so many is given in turn rather than by rank.
	optimisticShare = 5
	// optimisticRounds is how many rounds an optimistic slot lasts: 30 s.
	optimisticRounds = 3
	// turnMax is how long a peer keeps its slot at a seed while others wait.
	turnMax = 60 * time.Second
	// snubbedAfter is how long a peer that we are interested in may give
	// nothing before it gets no regular slot.
	snubbedAfter = 60 * time.Second
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
	// barrenAfter is how long a peer that we are interested in has to give us
	// something. Then it comes after those that gave, also when we seed: we have
	// no better sign of who shares.
	barrenAfter = 20 * time.Second
	// newcomerFor is how long a peer counts as new. New peers are three times
	// as likely to get the optimistic slot, since they have nothing to trade.
	newcomerFor = 60 * time.Second
)

// A contender is an interested peer as the choice of slots sees it.
type contender struct {
	p        *Peer
	rate     int64 // what it gives us, or takes from us when we seed
	unchoked bool
	waited   time.Duration // choked or unchoked for
	snubbed  bool
	newcomer bool
	idle     bool // it makes no use of its slot
	barren   bool // it takes and never gave
}

// round gives all slots anew.
func (c *Choker) round() {
	if len(c.peers) > 0 {
		c.by(dueRound, c.now+roundEvery)
	}
	c.rounds++
	c.adapt(c.cfg.SentRate(c.now))
	contenders := c.contenders()
	rotate := c.rounds%optimisticRounds == 1
	waiting := len(contenders)
	chosen := choose(contenders, c.slots, c.seeding(), rotate, c.cfg.Rand)
	crowded := waiting > len(chosen)
	for _, p := range c.peers {
		// A peer that is not interested just now takes nothing, and may be again soon.
		if p.unchoked && crowded && !slices.Contains(chosen, p) {
			c.choke(p)
		}
	}
	for _, p := range chosen {
		c.unchoke(p)
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

func (c *Choker) contenders() []contender {
	var list []contender
	seeding := c.seeding()
	for _, p := range c.peers {
		if !p.interested || c.pieces == nil || c.stuck(p) {
			continue
		}
		e := contender{
			p:        p,
			rate:     p.link.GotRate(c.now),
			unchoked: p.unchoked,
			waited:   c.now - p.since,
			newcomer: c.now-p.joined < newcomerFor,
			barren:   p.barren(),
		}
		e.idle = p.unchoked && e.waited >= idleGrace && !p.Busy()
		if seeding {
			e.rate = p.link.SentRate(c.now)
		} else {
			e.snubbed = p.link.Interesting() && p.unchoked && e.waited > snubbedAfter && e.rate == 0
		}
		list = append(list, e)
	}
	return list
}

// choose returns who gets a slot: by rate all but one in five, and the rest in
// turn. It marks the latter as optimistic.
func choose(list []contender, slots int, seeding, rotate bool, rng *rand.Rand) []*Peer {
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if seeding {
		slices.SortStableFunc(list, seedOrder)
	} else {
		slices.SortStableFunc(list, tradeOrder)
	}
	list = rationed(list, max(1, slots/optimisticShare))
	if len(list) <= slots {
		slots = len(list)
	}
	optimistic := 0
	if len(list) > slots {
		optimistic = max(1, slots/optimisticShare)
	}
	var chosen []*Peer
	for _, c := range list[:slots-optimistic] {
		c.p.optimistic = false
		chosen = append(chosen, c.p)
	}
	rest := list[slots-optimistic:]
	for range optimistic {
		i := nextOptimistic(rest, rotate, rng)
		rest[i].p.optimistic = true
		chosen = append(chosen, rest[i].p)
		rest = append(rest[:i], rest[i+1:]...)
	}
	return chosen
}

// rationed leaves out all but so many of those that only take, as long as there
// are others.
func rationed(list []contender, most int) []contender {
	barren := 0
	for _, c := range list {
		if c.barren {
			barren++
		}
	}
	if barren == len(list) {
		return list
	}
	return slices.DeleteFunc(list, func(c contender) bool {
		if !c.barren {
			return false
		}
		most--
		return most < 0
	})
}

// tradeOrder puts first who gives us most (tit for tat). Who gives nothing for
// its slot goes last.
func tradeOrder(a, b contender) int {
	if a.snubbed != b.snubbed {
		return last(a.snubbed)
	}
	if c := cmp.Compare(b.rate, a.rate); c != 0 {
		return c
	}
	if a.barren != b.barren {
		return last(a.barren)
	}
	if a.unchoked != b.unchoked {
		return last(b.unchoked)
	}
	return 0
}

// seedOrder lets each peer have its turn, those that take most first, and then
// those that wait, longest first.
func seedOrder(a, b contender) int {
	if a.barren != b.barren {
		return last(a.barren)
	}
	inTurn := func(c contender) bool { return c.unchoked && !c.idle && c.waited < turnMax }
	if inTurn(a) != inTurn(b) {
		return last(inTurn(b))
	}
	if inTurn(a) {
		return cmp.Compare(b.rate, a.rate)
	}
	if a.unchoked != b.unchoked {
		return last(a.unchoked)
	}
	return cmp.Compare(b.waited, a.waited)
}

func last(a bool) int {
	if a {
		return 1
	}
	return -1
}

// nextOptimistic returns who of the rest gets an optimistic slot: whoever has
// it, until it is time to rotate; then one at random.
func nextOptimistic(rest []contender, rotate bool, rng *rand.Rand) int {
	if !rotate {
		for i, c := range rest {
			if c.unchoked && c.p.optimistic {
				return i
			}
		}
	}
	weight := func(c contender) int {
		switch {
		case c.unchoked:
			return 0
		case c.newcomer:
			return 6
		case c.barren:
			return 1
		}
		return 2
	}
	sum := 0
	for _, c := range rest {
		sum += weight(c)
	}
	if sum == 0 {
		return rng.IntN(len(rest))
	}
	at := rng.IntN(sum)
	for i, c := range rest {
		if at -= weight(c); at < 0 {
			return i
		}
	}
	return 0
}
