package tracker

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/guard"
)

// leaveTimeout bounds how long a tracker that is left is told that we have stopped.
const leaveTimeout = 15 * time.Second

// SetTiers replaces the trackers. A tracker that stays keeps its state, its next announce
// and its origin: a URL that a stranger wrote remains the stranger's. A new tracker is
// announced to at once, unless another one of its tier works. A tracker that goes is told
// that we have stopped. SetTiers does not wait for any of that.
func (a *Announcer) SetTiers(tiers [][]Tracker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := make(map[string]Tracker)
	for _, tier := range a.tiers {
		for _, t := range tier {
			known[t.key()] = t
		}
	}
	a.tiers = make([][]Tracker, len(tiers))
	for i, tier := range tiers {
		a.tiers[i] = slices.Clone(tier)
		for j, t := range tier {
			if old, ok := known[t.key()]; ok {
				a.tiers[i][j] = old
			}
		}
	}
	a.rearrange()
}

// Pause tells all trackers that know us that we have stopped, and announces nothing until
// Resume. It does not wait for that.
func (a *Announcer) Pause() { a.setPaused(true) }

// Resume announces to the trackers again after Pause, as at the start.
func (a *Announcer) Resume() { a.setPaused(false) }

func (a *Announcer) setPaused(paused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.paused != paused {
		a.paused = paused
		a.rearrange()
	}
}

// rearrange makes the groups fit the tiers, in a goroutine of its own. a.mu is held.
func (a *Announcer) rearrange() {
	a.stale = true
	if a.closed || a.arranging {
		return
	}
	a.arranging = true
	a.wait.Go(func() {
		for {
			a.mu.Lock()
			if !a.stale || a.closed {
				a.arranging = false
				a.summarize()
				a.mu.Unlock()
				break
			}
			a.stale = false
			swarms := slices.Collect(maps.Values(a.swarms))
			a.mu.Unlock()
			for _, p := range swarms {
				p.rearrange()
			}
		}
		a.cfg.changed()
	})
}

// Reannounce announces to all trackers as soon as they allow it: after the least interval
// that the tracker gave, or 30 s if it gave none. After a failure that is soon, unless the
// tracker said when to ask again (BEP 31). A tracker that refused us for good is not asked.
func (a *Announcer) Reannounce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.swarms {
		p.demands.Add(1)
		p.wake()
	}
}

// arrangeTiers divides the trackers into groups that are asked at the same time. A
// tracker that is listed twice is asked once.
func arrangeTiers(tiers [][]Tracker, private bool) (groups [][][]Tracker) {
	seen := make(map[string]bool)
	var all [][]Tracker
	for _, tier := range tiers {
		var list []Tracker
		for _, t := range tier {
			if t.url != nil && !seen[t.key()] {
				seen[t.key()] = true
				list = append(list, t)
			}
		}
		if len(list) > 0 {
			all = append(all, list)
		}
	}
	if private && len(all) > 0 {
		return [][][]Tracker{all}
	}
	for i := range all[:min(len(all), GroupsMax)] {
		groups = append(groups, all[i:i+1])
	}
	return groups
}

// groupTiers returns new groups for the trackers.
func groupTiers(p *swarmAnnounce, tiers [][]Tracker, private bool) (groups []*tierGroup) {
	for _, list := range arrangeTiers(tiers, private) {
		groups = append(groups, newTierGroup(p, list, nil))
	}
	return groups
}

// A known tracker is one of a group that has ended.
type known struct {
	state *trackerState
	group *tierGroup
}

// rearrange makes the groups of a swarm fit the tiers. A group whose trackers are the
// same goes on. Only the goroutine of Announcer.rearrange calls it.
func (p *swarmAnnounce) rearrange() {
	a := p.a
	a.mu.Lock()
	old, paused := p.groups, a.paused
	lists := arrangeTiers(a.tiers, a.cfg.Private)
	groups := make([]*tierGroup, len(lists))
	for i, list := range lists {
		if at := slices.IndexFunc(old, func(g *tierGroup) bool {
			return !paused && g.started && g.isOf(list)
		}); at >= 0 {
			groups[i] = old[at]
		}
	}
	a.mu.Unlock()
	leaving := slices.DeleteFunc(slices.Clone(old), func(g *tierGroup) bool {
		return slices.Contains(groups, g)
	})
	for _, g := range leaving { // all at once, since each may take a moment
		g.retire()
	}
	before := make(map[string]known)
	for _, g := range leaving {
		g.running.Wait()
		for _, r := range g.trackers() {
			before[r.tracker.key()] = known{r, g}
		}
	}
	for i, list := range lists {
		if groups[i] == nil {
			groups[i] = newTierGroup(p, list, before)
		}
	}
	var gone []*trackerState
	for _, k := range before {
		gone = append(gone, k.state)
	}
	p.replace(groups, gone, paused)
}

// replace installs groups, and starts those that are new unless the announcements pause.
// The trackers that are gone, or all if it pauses, are told that we have stopped.
func (p *swarmAnnounce) replace(groups []*tierGroup, gone []*trackerState, paused bool) {
	a := p.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return // Close tells the trackers of the old groups
	}
	fresh := slices.DeleteFunc(slices.Clone(groups), func(g *tierGroup) bool {
		return slices.Contains(p.groups, g)
	})
	p.groups = groups
	if paused {
		for _, g := range groups {
			g.plan, g.current = schedule{}, nil
			gone = append(gone, g.trackers()...)
		}
	}
	p.forgetLeft()
	for _, r := range gone {
		p.leave(r)
	}
	if paused {
		return
	}
	for _, g := range fresh {
		for _, r := range g.trackers() {
			if left := p.leaving[r.tracker.key()]; left != nil {
				g.after = append(g.after, left)
			}
		}
		g.start()
	}
}

// forgetLeft forgets the trackers that have been told.
func (p *swarmAnnounce) forgetLeft() {
	for url, left := range p.leaving {
		select {
		case <-left:
			delete(p.leaving, url)
		default:
		}
	}
}

// leave tells a tracker that we have stopped, in a goroutine of its own. The group of r
// has ended. a.mu is held.
func (p *swarmAnnounce) leave(r *trackerState) {
	r.view.left()
	families := r.hasHeard()
	if len(families) == 0 {
		return
	}
	told := *r // what it knows of us; r begins once more
	r.forget()
	if p.leaving == nil {
		p.leaving = make(map[string]<-chan struct{})
	}
	done := make(chan struct{})
	before := p.leaving[r.tracker.key()]
	p.leaving[r.tracker.key()] = done
	p.a.wait.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		ctx, cancel := context.WithTimeout(p.a.asking, leaveTimeout)
		defer cancel()
		var stopping sync.WaitGroup
		for _, family := range families {
			stopping.Go(func() { p.stop(ctx, &told, family) })
		}
		stopping.Wait()
	})
}

// newTierGroup returns a group for tiers of trackers. Those that are known keep their
// states, and leave before. A group goes on where a known one that works left off.
func newTierGroup(p *swarmAnnounce, list [][]Tracker, before map[string]known) *tierGroup {
	g := &tierGroup{swarm: p, list: list, wake: make(chan struct{}, 1),
		retired: make(chan struct{}), calls: p.calls.Load(), demands: p.demands.Load(),
		moves: p.moves.Load()}
	fresh := false // a tracker that was never asked comes before the present one
	var failed schedule
	for _, tier := range list {
		var news, olds []*trackerState
		for _, t := range tier {
			k, ok := before[t.key()]
			if !ok || !t.is(k.state.tracker) {
				news = append(news, &trackerState{tracker: t, view: newView()})
				continue
			}
			delete(before, t.key())
			olds = append(olds, k.state)
			switch {
			case g.current != nil:
			case k.group.current == k.state:
				g.current, g.plan = k.state, k.group.plan
				olds[0], olds[len(olds)-1] = olds[len(olds)-1], olds[0]
			case k.group.current == nil:
				failed = k.group.plan
			default:
				fresh = true // it has waited for the one that worked
			}
		}
		// BEP 12
		rand.Shuffle(len(news), func(i, j int) { news[i], news[j] = news[j], news[i] })
		states := append(news, olds...)
		if g.current != nil && slices.Contains(olds, g.current) {
			states = append(olds, news...)
		} else if g.current == nil && len(news) > 0 {
			fresh = true
		}
		g.tiers = append(g.tiers, states)
	}
	switch {
	case fresh:
		g.plan.next = time.Time{}
	case g.current == nil:
		g.plan = failed
	}
	g.plan.never = false
	return g
}

// isOf reports whether the group has the trackers of list. The order within a tier does
// not matter.
func (g *tierGroup) isOf(list [][]Tracker) bool {
	if len(g.list) != len(list) {
		return false
	}
	for i, tier := range list {
		if len(tier) != len(g.list[i]) {
			return false
		}
		for _, t := range tier {
			if !slices.ContainsFunc(g.list[i], t.is) {
				return false
			}
		}
	}
	return true
}

// start starts the goroutine of the group. a.mu is held and the Announcer is not closed.
func (g *tierGroup) start() {
	a := g.swarm.a
	if a.paused {
		return
	}
	g.started = true
	g.running.Add(1)
	a.wait.Go(func() {
		defer g.running.Done()
		g.run()
	})
}

// retire ends the goroutine of the group, and does not wait for it: announces under way have
// closeGrace to end.
func (g *tierGroup) retire() {
	select {
	case <-g.retired:
	default:
		close(g.retired)
	}
}

// isOver reports whether the group has nothing more to do.
func (g *tierGroup) isOver() bool {
	select {
	case <-g.retired:
		return true
	default:
		return g.swarm.a.ctx.Err() != nil
	}
}

// hasHeard returns the families in which the tracker knows us, or may.
func (r *trackerState) hasHeard() (families []guard.Family) {
	for f := range r.started {
		if r.started[f] || r.unsure[f] {
			families = append(families, guard.Family(f))
		}
	}
	return families
}

// forget records that the tracker knows us no longer.
func (r *trackerState) forget() { clear(r.started[:]); clear(r.unsure[:]) }
