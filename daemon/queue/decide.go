package queue

import (
	"cmp"
	"slices"
	"time"
)

// A Planner decides. It keeps nothing between two calls but memory. The zero Planner is ready
// for use. One goroutine at a time may use it.
type Planner struct {
	now    time.Time
	limits Limits
	list   []Torrent
	queues [kinds]places
	plan   Plan
}

// places are the torrents of one kind, as indices into the list.
type places struct {
	limit   int
	counted int   // torrents that have a place
	waiting []int // those that may start, in the order in which they do
	holders []int // those that have had a place for settleTime, the first to lose it first
	stalled []int // those that run without a place because they are stalled
	mixed   bool  // waiting is not in the order of the positions
}

// Decide returns what has to change. The list is in the order of the positions. To carry out
// the plan and to call Torrent.Start and Torrent.Rest accordingly is up to the caller; until
// then Decide returns the same plan.
func (p *Planner) Decide(now time.Time, limits Limits, list []Torrent) Plan {
	p.now, p.limits, p.list = now, limits, list
	p.plan = Plan{Steps: p.plan.Steps[:0]}
	for kind := range kinds {
		q := &p.queues[kind]
		*q = places{limit: max(limits.of(kind), 0), waiting: q.waiting[:0],
			holders: q.holders[:0], stalled: q.stalled[:0]}
	}
	for i := range list {
		p.sort(i)
	}
	for kind := range kinds {
		p.decide(kind)
	}
	p.list = nil
	return p.plan
}

// sort puts a torrent where it belongs, and starts it if it needs no place.
func (p *Planner) sort(i int) {
	t := &p.list[i]
	q := &p.queues[t.Kind]
	switch {
	case !t.Running && p.now.Before(t.After):
		p.lookAt(t.After)
	case !t.Running && (q.limit == 0 || t.Forced):
		p.start(i)
	case !t.Running:
		q.waiting = append(q.waiting, i)
		q.mixed = q.mixed || t.Spent
	case t.Forced, t.Hashed:
	case t.Stalled(p.now, p.limits.Stalled):
		q.stalled = append(q.stalled, i)
	default:
		q.counted++
		if t.settled(p.now) {
			q.holders = append(q.holders, i)
		}
	}
}

// decide fills, takes and exchanges the places of one kind.
func (p *Planner) decide(kind Kind) {
	q := &p.queues[kind]
	if q.limit == 0 {
		return
	}
	if q.mixed {
		slices.SortFunc(q.waiting, p.candidates)
	}
	slices.SortFunc(q.holders, p.losers)
	p.shrink(q)
	p.fill(q)
	p.exchange(q)
	p.thin(q)
	p.lookAgain(kind)
}

// candidates compares two torrents that wait: the one that starts first is less.
func (p *Planner) candidates(a, b int) int {
	s, t := &p.list[a], &p.list[b]
	switch {
	case s.Spent != t.Spent:
		return yesFirst(t.Spent)
	case s.Spent:
		return cmp.Or(s.Since.Compare(t.Since), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

// losers compares two torrents that have places: the one that loses it first is less.
func (p *Planner) losers(a, b int) int {
	s, t := &p.list[a], &p.list[b]
	if x, y := p.turnOver(s), p.turnOver(t); x != y {
		return yesFirst(x)
	}
	if s.Spent != t.Spent {
		return yesFirst(s.Spent)
	}
	return cmp.Compare(b, a)
}

// yesFirst returns how two things compare if the first one is what comes first, and the
// second one is not; or, if not, the other way round.
func yesFirst(first bool) int {
	if first {
		return -1
	}
	return 1
}

// turnOver reports whether a torrent has had its turn and has not used it.
func (p *Planner) turnOver(t *Torrent) bool {
	return p.limits.Stalled == 0 && t.idle(p.now) >= turnTime
}

// shrink takes places that there are too many of. Torrents whose place is not settled yet do
// not count here.
func (p *Planner) shrink(q *places) {
	n := max(len(q.holders)-q.limit, 0)
	for _, i := range q.holders[:n] {
		why := NoPlace
		if p.turnOver(&p.list[i]) {
			why = TurnOver
		}
		p.rest(i, why)
	}
	q.holders = q.holders[n:]
	q.counted -= n
}

// fill gives free places to those that wait.
func (p *Planner) fill(q *places) {
	n := min(max(q.limit-q.counted, 0), len(q.waiting))
	for _, i := range q.waiting[:n] {
		p.start(i)
	}
	q.waiting = q.waiting[n:]
	q.counted += n
}

// exchange gives places of those that run to those that wait.
func (p *Planner) exchange(q *places) {
	if q.counted > q.limit {
		return
	}
	for len(q.holders) > 0 && len(q.waiting) > 0 {
		why, ok := p.yields(q.holders[0], q.waiting[0])
		if !ok {
			return
		}
		p.rest(q.holders[0], why)
		p.start(q.waiting[0])
		q.holders, q.waiting = q.holders[1:], q.waiting[1:]
	}
}

// yields reports whether a torrent that has a place loses it to one that waits, and why.
func (p *Planner) yields(holder, other int) (why Reason, ok bool) {
	t, w := &p.list[holder], &p.list[other]
	if p.turnOver(t) {
		return TurnOver, !w.Spent || p.now.Sub(w.Since) >= settleTime
	}
	return Outranked, !w.Spent && (t.Spent || other < holder)
}

// thin lets stalled torrents rest that are too many, if others wait that may fare better.
func (p *Planner) thin(q *places) {
	n := len(q.stalled) - stalledMax
	if n <= 0 || !slices.ContainsFunc(q.waiting, p.mayFareBetter) {
		return
	}
	slices.SortFunc(q.stalled, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.list[b].idle(p.now), p.list[a].idle(p.now)), cmp.Compare(b, a))
	})
	for _, i := range q.stalled[:n] {
		p.rest(i, TurnOver)
	}
}

// mayFareBetter reports whether a torrent that waits has not had a turn for long.
func (p *Planner) mayFareBetter(i int) bool {
	t := &p.list[i]
	return !t.Spent || p.now.Sub(t.Since) >= turnTime
}

// lookAgain finds when time alone changes something about one kind.
func (p *Planner) lookAgain(kind Kind) {
	q := &p.queues[kind]
	if len(q.waiting) == 0 && q.counted <= q.limit {
		return
	}
	for i := range p.list {
		t := &p.list[i]
		switch {
		case t.Kind != kind || t.Forced || t.Hashed:
		case !t.Running:
			if t.Spent {
				p.lookAt(t.Since.Add(settleTime))
				p.lookAt(t.Since.Add(turnTime))
			}
		default:
			p.lookAt(later(t.Since, t.Back).Add(settleTime))
			turn := turnTime
			if p.limits.Stalled > 0 {
				turn = p.limits.Stalled
			}
			p.lookAt(later(t.Since, t.Moved).Add(turn))
		}
	}
	// Those that begin to run or to wait now are in the list as they were before.
	if len(p.plan.Steps) > 0 {
		p.lookAt(p.now.Add(settleTime))
	}
}

// lookAt makes sure that the next look is at some time or before, if that is to come.
func (p *Planner) lookAt(at time.Time) {
	if at.After(p.now) && (p.plan.Next.IsZero() || at.Before(p.plan.Next)) {
		p.plan.Next = at
	}
}

// start and rest add a step to the plan.
func (p *Planner) start(i int) {
	p.plan.Steps = append(p.plan.Steps, Step{Torrent: i, Start: true})
}

func (p *Planner) rest(i int, why Reason) {
	p.plan.Steps = append(p.plan.Steps, Step{Torrent: i, Why: why})
}
