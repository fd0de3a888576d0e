package core

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"swarmnode/swarm/wire"
)

const (
	// chokeEvery is how often slots are given anew (BEP 3 names ten seconds).
	chokeEvery = 10 * time.Second
	// optimisticShare is the share of slots, one in so many, that are given in
	// turn rather than by merit.
	optimisticShare = 5
	// optimisticRounds is how many rounds an optimistic slot lasts: 30 s.
	optimisticRounds = 3
	// turnMax is how long a peer keeps its slot at a seed while others wait.
	turnMax = 60 * time.Second
	// snubbedAfter is how long a peer that we are interested in may give
	// nothing before it gets no regular slot.
	snubbedAfter = 60 * time.Second
	// slotsMin and slotsFirst are the fewest slots, and those to begin with: a
	// piece spreads the sooner, the fewer it is sent to at a time.
	slotsMin   = 4
	slotsFirst = 4
	// slotRate is the upload rate, in bytes per second, that one slot is worth:
	// more peers would each get a trickle.
	slotRate = 250_000
	// slotsLinear is the number of slots from which on more come slowly: with a
	// slot for everybody nobody is rewarded.
	slotsLinear = 8
	// capacityDecay is what is left of the greatest upload rate after a round in
	// which it was not reached.
	capacityDecay = 0.97
	// barrenAfter is how long a peer that we are interested in has to give us
	// something. Then it comes after those who gave, also when we seed: we have
	// no better sign of who shares.
	barrenAfter = 20 * time.Second
	// newcomerFor is how long a peer counts as new; new peers are three times
	// as likely to get the optimistic slot, as they have nothing to trade.
	newcomerFor = 60 * time.Second
)

// slotState is what the choker knows of a peer.
type slotState struct {
	since      time.Duration // choked or unchoked since
	optimistic bool
	given      int64         // bytes handed to its writer since it was unchoked
	piece      uint32        // which the last of them were of
	favour     time.Duration // when it got the last of some blocks that had to wait
	favours    int           // how many of them, see seeder
	wanted     time.Duration // for how long we have been interested in it
	unused     int           // slots in a row in which it asked for nothing
	deaf       time.Duration // serving.moved when it was last found not to read, or 0
}

// barren reports whether the peer takes and never gave, although it could have.
func (p *peer) barren() bool { return p.down.sum() == 0 && p.slot.wanted >= barrenAfter }

// A choker gives the upload slots.
type choker struct {
	slots    int
	rounds   int
	capacity float64 // what we can upload as far as was seen, in bytes per second
}

func newChoker(slotsMax int) choker { return choker{slots: min(slotsFirst, slotsMax)} }

// A contender is an interested peer as the choice of slots sees it.
type contender struct {
	p        *peer
	rate     int64 // what it gives us, or takes from us when we seed
	unchoked bool
	waited   time.Duration // choked or unchoked for
	snubbed  bool
	newcomer bool
	idle     bool // it makes no use of its slot
	barren   bool // it takes and never gave
}

// chokeRound gives all slots anew.
func (t *Torrent) chokeRound() {
	if t.peers.count() > 0 {
		t.timers.by(timerChoke, t.now+chokeEvery)
	}
	c := &t.choker
	c.rounds++
	c.adapt(t.up.rate(t.now), t.cfg.Limits.SlotsMax)
	contenders := t.contenders()
	rotate := c.rounds%optimisticRounds == 1
	waiting := len(contenders)
	chosen := choose(contenders, c.slots, t.seeding(), rotate, t.rng)
	crowded := waiting > len(chosen)
	for _, p := range t.peers.all() {
		// Who is not interested just now takes nothing, and may be again soon.
		if p.unchoked && crowded && !slices.Contains(chosen, p) {
			t.choke(p)
		}
	}
	for _, p := range chosen {
		t.unchoke(p)
	}
}

// adapt sets the number of slots by what we can upload. That little is asked
// for now and then does not make it less at once.
func (c *choker) adapt(rate int64, slotsMax int) {
	c.capacity = max(float64(rate), c.capacity*capacityDecay)
	if c.capacity == 0 {
		return
	}
	slots := c.capacity/slotRate + 1
	if slots > slotsLinear {
		slots = slotsLinear + 2*math.Sqrt(slots-slotsLinear)
	}
	c.slots = min(max(int(slots), slotsMin), slotsMax)
}

func (t *Torrent) contenders() []contender {
	var list []contender
	seeding := t.seeding()
	for _, p := range t.peers.all() {
		if !p.interested || t.pick == nil || t.stuck(p) {
			continue
		}
		c := contender{
			p:        p,
			rate:     p.down.rate(t.now),
			unchoked: p.unchoked,
			waited:   t.now - p.slot.since,
			newcomer: t.now-p.since < newcomerFor,
			barren:   p.barren(),
		}
		c.idle = p.unchoked && c.waited >= slotGrace && !p.serve.busy()
		if seeding {
			c.rate = p.up.rate(t.now)
		} else {
			c.snubbed = p.interesting && p.unchoked && c.waited > snubbedAfter && c.rate == 0
		}
		list = append(list, c)
	}
	return list
}

// choose returns who gets a slot: by rate all but one in five, and the rest in
// turn. It marks the latter as optimistic.
func choose(list []contender, slots int, seeding, rotate bool, rng *rand.Rand) []*peer {
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
	var chosen []*peer
	for _, c := range list[:slots-optimistic] {
		c.p.slot.optimistic = false
		chosen = append(chosen, c.p)
	}
	rest := list[slots-optimistic:]
	for range optimistic {
		i := nextOptimistic(rest, rotate, rng)
		rest[i].p.slot.optimistic = true
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
		barren += ifThen(c.barren, 1, 0)
	}
	if barren == len(list) {
		return list
	}
	return slices.DeleteFunc(list, func(c contender) bool {
		if !c.barren || most > 0 {
			most -= ifThen(c.barren, 1, 0)
			return false
		}
		return true
	})
}

// tradeOrder puts first who gives us most (tit for tat). Who gives nothing for
// its slot goes last.
func tradeOrder(a, b contender) int {
	if a.snubbed != b.snubbed {
		return ifThen(a.snubbed, 1, -1)
	}
	if c := cmp.Compare(b.rate, a.rate); c != 0 {
		return c
	}
	if a.barren != b.barren {
		return ifThen(a.barren, 1, -1)
	}
	return cmp.Compare(ifThen(b.unchoked, 1, 0), ifThen(a.unchoked, 1, 0))
}

// seedOrder lets each peer have its turn, those that take most first, and then
// those that wait, longest first.
func seedOrder(a, b contender) int {
	if a.barren != b.barren {
		return ifThen(a.barren, 1, -1)
	}
	inTurn := func(c contender) bool { return c.unchoked && !c.idle && c.waited < turnMax }
	if inTurn(a) != inTurn(b) {
		return ifThen(inTurn(a), -1, 1)
	}
	if inTurn(a) {
		return cmp.Compare(b.rate, a.rate)
	}
	if a.unchoked != b.unchoked {
		return ifThen(a.unchoked, 1, -1)
	}
	return cmp.Compare(b.waited, a.waited)
}

func ifThen[T any](ok bool, yes, no T) T {
	if ok {
		return yes
	}
	return no
}

// nextOptimistic returns who of the rest gets an optimistic slot: whoever has
// it, until it is time to rotate; then one at random.
func nextOptimistic(rest []contender, rotate bool, rng *rand.Rand) int {
	if !rotate {
		for i, c := range rest {
			if c.unchoked && c.p.slot.optimistic {
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

func (t *Torrent) unchoke(p *peer) {
	if p.unchoked || p.gone {
		return
	}
	p.unchoked = true
	p.slot.since = t.now
	p.slot.given = 0
	t.steer(p)
	t.out.sendID(p, wire.Unchoke)
	t.timers.by(timerSlots, t.now+slotHaste)
}

func (t *Torrent) choke(p *peer) {
	if !p.unchoked {
		return
	}
	p.unchoked = false
	since := p.slot.since
	p.slot.since = t.now
	p.slot.unused = ifThen(p.slot.given == 0, p.slot.unused+1, 0)
	t.out.sendID(p, wire.Choke)
	t.seeder.choked(t, p, since)
	t.rejectQueue(p)
}

// onInterested gives a slot at once if one is free and there is one for everybody.
// Otherwise a moment passes first: who is nearest would always get it.
func (t *Torrent) onInterested(p *peer) {
	if p.interested {
		p.flood.pointless()
		return
	}
	p.interested = true
	if t.pick == nil || t.stuck(p) || t.slotsUsed() >= t.choker.slots {
		return
	}
	if t.peers.count() > t.choker.slots {
		t.timers.by(timerSlots, t.now+slotGather)
		return
	}
	if t.slotFor() {
		t.unchoke(p)
	}
}

func (t *Torrent) onNotInterested(p *peer) {
	if !p.interested {
		p.flood.pointless()
		return
	}
	p.interested = false
	if p.unchoked {
		t.fillSlots()
	}
	if t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}
