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
	// optimisticRounds is how many rounds an optimistic slot lasts: 30 s.
	optimisticRounds = 3
	// turnMax is how long a peer keeps its slot at a seed while others wait.
	turnMax = 60 * time.Second
	// snubbedAfter is how long a peer that we are interested in may give
	// nothing before it gets no regular slot.
	snubbedAfter = 60 * time.Second
	// slotsMin and slotsFirst are the fewest slots, and those to begin with.
	slotsMin   = 4
	slotsFirst = 8
	// slotRate is the upload rate, in bytes per second, that one slot is worth:
	// more peers would each get a trickle.
	slotRate = 200_000
	// slotsLinear is the number of slots from which on more come slowly: with a
	// slot for everybody nobody is rewarded.
	slotsLinear = 8
	// slotGrace is how long a slot counts as used before its peer asks.
	slotGrace = 2 * time.Second
	// stuckBlocks is how many blocks all slots could have got in the time after
	// which a peer that got none counts as stuck.
	stuckBlocks = 4
	// uplinkRest is how long nothing has to go out to anybody for the uplink to
	// count as free.
	uplinkRest = time.Second / 2
	// capacityDecay is what is left of the greatest upload rate after a round in
	// which it was not reached.
	capacityDecay = 0.97
	// newcomerFor is how long a peer counts as new; new peers are three times
	// as likely to get the optimistic slot, as they have nothing to trade.
	newcomerFor = 60 * time.Second
)

// slotState is what the choker knows of a peer.
type slotState struct {
	since      time.Duration // choked or unchoked since
	optimistic bool
}

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
}

// chokeRound gives all slots anew.
func (t *Torrent) chokeRound() {
	if len(t.peers.list) > 0 {
		t.timers.by(timerChoke, t.now+chokeEvery)
	}
	c := &t.choker
	c.rounds++
	c.adapt(t.up.rate(t.now), t.cfg.Limits.SlotsMax)
	contenders := t.contenders()
	rotate := c.rounds%optimisticRounds == 1
	chosen := choose(contenders, c.slots, t.seeding(), rotate, t.rng)
	crowded := len(contenders) > len(chosen)
	for _, p := range t.peers.list {
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
	for _, p := range t.peers.list {
		if !p.interested || t.pick == nil || t.stuck(p) {
			continue
		}
		c := contender{
			p:        p,
			rate:     p.down.rate(t.now),
			unchoked: p.unchoked,
			waited:   t.now - p.slot.since,
			newcomer: t.now-p.since < newcomerFor,
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
	if len(list) <= slots {
		slots = len(list)
	}
	optimistic := 0
	if len(list) > slots {
		optimistic = max(1, slots/5)
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

// tradeOrder puts first who gives us most (tit for tat). Who gives nothing for
// its slot goes last.
func tradeOrder(a, b contender) int {
	if a.snubbed != b.snubbed {
		return ifThen(a.snubbed, 1, -1)
	}
	if c := cmp.Compare(b.rate, a.rate); c != 0 {
		return c
	}
	return cmp.Compare(ifThen(b.unchoked, 1, 0), ifThen(a.unchoked, 1, 0))
}

// seedOrder lets each peer have its turn, those that take most first, and then
// those that wait, longest first.
func seedOrder(a, b contender) int {
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

func ifThen(ok bool, yes, no int) int {
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
			return 3
		}
		return 1
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
	t.sendID(p, wire.Unchoke)
}

func (t *Torrent) choke(p *peer) {
	if !p.unchoked {
		return
	}
	p.unchoked = false
	p.slot.since = t.now
	t.sendID(p, wire.Choke)
	t.rejectQueue(p)
}

// onInterested gives a slot at once if one is free.
func (t *Torrent) onInterested(p *peer) {
	if p.interested {
		p.flood.pointless++
		return
	}
	p.interested = true
	if t.pick != nil && !t.stuck(p) && t.slotsUsed() < t.choker.slots && t.slotFor() {
		t.unchoke(p)
	}
}

func (t *Torrent) onNotInterested(p *peer) {
	if !p.interested {
		p.flood.pointless++
		return
	}
	p.interested = false
	if p.unchoked {
		t.fillSlots()
	}
	if t.useless(p) {
		t.drop(p, ReasonUseless, false)
	}
}

// stuck tells whether p does not read what it asked for: blocks are with its
// writer, and none has gone out for longer than the slots take for several at
// the rate of late, or than one slot does while nobody else gets any either. It
// has no use for a slot.
func (t *Torrent) stuck(p *peer) bool {
	if len(p.serve.flying) == 0 {
		return false
	}
	patience, rest := slotGrace, uplinkRest
	if rate := t.up.rate(t.now); rate > 0 {
		patience += wait(rate, stuckBlocks*t.choker.slots)
		rest += wait(rate, stuckBlocks)
	}
	quiet := t.now - p.serve.moved
	return quiet > patience || quiet > rest && t.now-t.sentAt > rest
}

// slotFor tells whether one more peer may be unchoked. When there are as many as
// there may be, one that is stuck is choked for it.
func (t *Torrent) slotFor() bool {
	if t.unchoked() < t.cfg.Limits.SlotsMax {
		return true
	}
	for _, p := range t.peers.list {
		if p.unchoked && t.stuck(p) {
			t.choke(p)
			return true
		}
	}
	return false
}

// slotsUsed returns how many slots are in use: by peers that wait for blocks
// and read them, or were unchoked a moment ago.
func (t *Torrent) slotsUsed() int {
	n := 0
	for _, p := range t.peers.list {
		if p.unchoked && p.interested && !t.stuck(p) && (p.serve.busy() || t.now-p.slot.since < slotGrace) {
			n++
		}
	}
	return n
}

// deserves tells whether p is to get a free slot before q: as it gives us more,
// or has waited longer.
func (t *Torrent) deserves(p, q *peer) bool {
	if a, b := p.down.rate(t.now), q.down.rate(t.now); a != b && !t.seeding() {
		return a > b
	}
	return p.slot.since < q.slot.since
}

func (t *Torrent) unchoked() int {
	n := 0
	for _, p := range t.peers.list {
		if p.unchoked {
			n++
		}
	}
	return n
}

// fillSlots gives free slots to those who wait, without waiting for the round.
// A slot whose peer asks for nothing is as good as free, so that the uplink is
// used as long as anybody wants something.
func (t *Torrent) fillSlots() {
	if t.pick == nil {
		return
	}
	for free := t.choker.slots - t.slotsUsed(); free > 0; free-- {
		var next *peer
		for _, p := range t.peers.list {
			if p.interested && !p.unchoked && !t.stuck(p) && (next == nil || t.deserves(p, next)) {
				next = p
			}
		}
		if next == nil || !t.slotFor() {
			return
		}
		t.unchoke(next)
	}
}
