package tracker

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/guard"
)

// familyGrace is how long we wait for the other family's answer after a tracker has
// answered in one: long enough for a datagram to be sent twice.
const familyGrace = 20 * time.Second

// errNever is the error of a group whose trackers have all refused us for good.
var errNever = errors.New("every tracker refuses us for good")

// An announceFunc is Client.Announce, or a fake of a test.
type announceFunc = func(context.Context, Tracker, Request, guard.Family) (Response, error)

// A trackerState is one tracker of a group, and the state of our dealings with it.
// It is owned by the goroutine of the group; Close reads it afterwards.
type trackerState struct {
	tracker  Tracker
	id       string               // "tracker id" (BEP 3)
	started  [guard.IPv6 + 1]bool // by family: the tracker knows us
	unsure   [guard.IPv6 + 1]bool // by family: an announce was cut off, so it may know us
	whole    bool                 // an announce said that we have everything
	port     uint16               // of Peers, at the last announce
	warned   string               // the last warning, so that it is logged once
	failing  bool                 // the last announce failed, and that was logged
	unwanted bool                 // the tracker has refused us for good (BEP 31)
	noScrape bool                 // its URL allows no scrape
	view     view                 // guarded by Announcer.mu
}

// knows returns the families in which the tracker has heard of us.
func (r *trackerState) knows() (families []guard.Family) {
	for f, started := range r.started {
		if started {
			families = append(families, guard.Family(f))
		}
	}
	return families
}

// families returns the families in which to announce: a tracker learns our address
// in a family only from an announce in that family (BEP 7).
func (r *trackerState) families() []guard.Family {
	if _, err := netip.ParseAddr(r.tracker.url.Hostname()); err == nil {
		return []guard.Family{guard.Any}
	}
	return []guard.Family{guard.IPv4, guard.IPv6}
}

// families returns the families in which to announce to r now. A proxy chooses for itself
// how it reaches a tracker.
func (g *tierGroup) families(r *trackerState) []guard.Family {
	if c := g.swarm.a.cfg.Client; c != nil && c.proxied() {
		return []guard.Family{guard.Any}
	}
	return r.families()
}

// A tierGroup is a tier of trackers, or all tiers of a private torrent. Its trackers
// are asked one after another until one answers, and we stay with that one. Its
// goroutine owns the fields from current on.
type tierGroup struct {
	swarm *swarmAnnounce
	list  [][]Tracker // as the tiers of the torrent have them
	// tiers has the tracker that answered last first in its tier (BEP 12). The order is
	// guarded by Announcer.mu.
	tiers   [][]*trackerState
	wake    chan struct{}
	retired chan struct{}     // closed when the group must end
	after   []<-chan struct{} // closed before the first announce
	running sync.WaitGroup    // the goroutine
	started bool              // there was a goroutine; guarded by Announcer.mu

	current *trackerState // the tracker that answered last, or nil
	plan    schedule
	calls   uint64 // value of swarm.calls when it was looked at last
	demands uint64 // the same of swarm.demands
	moves   uint64 // value of swarm.moves when the last announce began
}

func (g *tierGroup) trackers() []*trackerState { return slices.Concat(g.tiers...) }

// run is the goroutine of the group.
func (g *tierGroup) run() {
	for _, left := range g.after {
		select {
		case <-left:
		case <-g.retired:
			return
		}
	}
	g.after = nil
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-g.wake:
			g.woken()
		case <-g.retired:
		case <-g.swarm.a.ctx.Done():
		}
		if g.isOver() {
			return
		}
		if now := time.Now(); !g.plan.never && !now.Before(g.plan.next) {
			g.announce()
		}
		g.scrape()
		g.showPlan()
		timer.Reset(max(0, time.Until(g.plan.next)))
		if g.plan.never {
			timer.Stop()
		}
	}
}

// woken reschedules the next announce after another call of Peers, Reannounce or Moved.
func (g *tierGroup) woken() {
	if g.moves != g.swarm.moves.Load() {
		g.plan.next = time.Time{} // failures may come from the old address
		return
	}
	if demands := g.swarm.demands.Load(); demands != g.demands {
		g.demands = demands
		g.plan.demanded()
	}
	calls := g.swarm.calls.Load()
	if calls == g.calls {
		return
	}
	g.calls = calls
	port, stats := g.swarm.now()
	if r := g.current; r != nil && (r.port != port || stats.Left == 0 && !r.whole) {
		// After a failure the pause goes on: the next attempt brings the news.
		if g.plan.failures == 0 {
			g.plan.next = time.Time{}
		}
		return
	}
	g.plan.wanted()
}

// announce asks one tracker after another until one answers, and schedules the next
// announce.
func (g *tierGroup) announce() {
	last := errNever
	g.moves = g.swarm.moves.Load()
	for _, tier := range g.tiers {
		for i, r := range tier {
			if r.unwanted {
				continue
			}
			g.showAsking(r)
			response, err := g.ask(r)
			if g.isOver() {
				g.showCutOff(r)
				return
			}
			if err == nil {
				g.current = r
				g.showAnswer(tier[:i+1], &response)
				g.plan.answered(time.Now(), &response)
				return
			}
			last = err
			var f *Failure
			r.unwanted = errors.As(err, &f) && f.Never
			g.showFailure(r, err)
			g.logFailure(r, err)
		}
	}
	g.plan.failed(time.Now(), last)
	wanted := func(r *trackerState) bool { return !r.unwanted }
	g.plan.never = !slices.ContainsFunc(g.trackers(), wanted)
	if g.plan.never {
		g.swarm.a.cfg.Logger.Info("all trackers refused us", "err", last)
	}
}

// logFailure logs that a tracker failed. The user is warned, once in a row, of a
// tracker that the user named or that a private torrent depends on. Other trackers
// come by the dozen and are often dead. The user is also warned, once, of a
// tracker that is not asked because a stranger named it: nobody would guess that.
func (g *tierGroup) logFailure(r *trackerState, err error) {
	log := g.swarm.a.cfg.Logger.Debug
	if r.tracker.stranger && errors.Is(err, guard.ErrRefused) {
		if g.swarm.a.refused.first(r.tracker) && g.swarm.a.refusals.Add(1) <= refusalsMax {
			log = g.swarm.a.cfg.Logger.Warn
		}
		var why *NotAskedError
		if errors.As(err, &why) {
			err = why
		}
		log("a tracker that the torrent or link names is not asked, unless you name it yourself",
			"tracker", r.tracker, "err", err)
		return
	}
	if (!r.tracker.stranger || g.swarm.a.cfg.Private) && !r.failing {
		log = g.swarm.a.cfg.Logger.Warn
	}
	r.failing = true
	log("tracker failed", "err", err)
}

// An outcome is the result of an announce in one family.
type outcome struct {
	family   guard.Family
	port     uint16 // of Peers
	request  Request
	response Response
	err      error
}

// ask announces to one tracker in all its families at the same time. It returns the
// answer with the shortest interval, the peers of all answers and the largest counts, or
// an error if no family got an answer.
func (g *tierGroup) ask(r *trackerState) (answer Response, err error) {
	ctx, cancel := context.WithCancel(g.swarm.a.asking)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asking.Go(func() { g.cutOff(ctx, cancel) })
	families := g.families(r)
	outcomes := make(chan outcome, len(families))
	// The same port and numbers for all families: took records them for all.
	port, stats := g.swarm.now()
	for _, family := range families {
		request := g.swarm.request(r, g.swarm.portIn(r, family, port), stats,
			r.event(family, stats))
		asking.Go(func() {
			response, err := g.swarm.a.announce(ctx, r.tracker, request, family)
			outcomes <- outcome{family, port, request, response, err}
		})
	}
	grace := time.AfterFunc(time.Hour, cancel)
	defer grace.Stop()
	answered := false
	for range families {
		o := <-outcomes
		if o.err != nil {
			r.unsure[o.family] = r.unsure[o.family] || g.isOver()
			var f *Failure
			if err == nil || lacksFamily(err) || errors.As(o.err, &f) ||
				errors.Is(o.err, guard.ErrRefused) {
				err = o.err
			}
			continue
		}
		g.took(r, &o)
		if answered {
			o.response = merge(answer, o.response)
		}
		answer, answered = o.response, true
		grace.Reset(familyGrace)
	}
	if answered {
		return answer, nil
	}
	return Response{}, err
}

// askCounts scrapes one tracker.
func (g *tierGroup) askCounts(r *trackerState) (Counts, error) {
	ctx, cancel := context.WithCancel(g.swarm.a.asking)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asking.Go(func() { g.cutOff(ctx, cancel) })
	counts, err := g.swarm.a.scrape(ctx, r.tracker, g.swarm.hash)
	if err != nil {
		return Counts{}, err
	}
	return counts[0], nil
}

// merge returns the answer with the shorter interval, with the peers and the texts of both
// and the larger counts.
func merge(a, b Response) Response {
	if b.Interval < a.Interval {
		a, b = b, a
	}
	a.Seeds, a.Leeches = max(a.Seeds, b.Seeds), max(a.Leeches, b.Leeches)
	a.Completed = max(a.Completed, b.Completed)
	a.Peers = slices.Concat(a.Peers, b.Peers)
	a.Warning = cmp.Or(a.Warning, b.Warning)
	return a
}

// cutOff calls cancel a moment after the group must end, and returns when ctx is done. Most
// trackers answer within that moment, and then know what they are told.
func (g *tierGroup) cutOff(ctx context.Context, cancel context.CancelFunc) {
	select {
	case <-g.retired:
		grace := time.AfterFunc(closeGrace, cancel)
		defer grace.Stop()
		<-ctx.Done()
	case <-ctx.Done():
	}
}

// lacksFamily reports whether err only says that the tracker has no address in a
// family, which does not explain the failure in the other family.
func lacksFamily(err error) bool {
	var none *net.AddrError
	return errors.As(err, &none)
}

// event returns the event of the next announce to r in a family. Completed is sent
// once, after a download; content that was complete from the start is no download.
func (r *trackerState) event(family guard.Family, stats Stats) Event {
	switch {
	case !r.started[family]:
		return Started
	case stats.Left == 0 && !r.whole && stats.Downloaded > 0:
		return Completed
	case stats.Left > 0 && stats.Idle:
		return Paused
	}
	return None
}

// took records an answer.
func (g *tierGroup) took(r *trackerState, o *outcome) {
	log := g.swarm.a.cfg.Logger
	r.started[o.family], r.failing = true, false
	r.whole, r.port = r.whole || o.request.Left == 0, o.port
	if o.response.TrackerID != "" {
		r.id = o.response.TrackerID
	}
	if w := o.response.Warning; w != "" && w != r.warned {
		log.Warn("tracker warning", "tracker", r.tracker, "err", w)
		r.warned = w
	}
	if ip := o.response.ExternalIP; ip.IsValid() && g.swarm.a.cfg.External != nil {
		g.swarm.a.cfg.External(ip)
	}
	log.Debug("tracker answers", "tracker", r.tracker, "peers", len(o.response.Peers),
		"seeds", o.response.Seeds, "leeches", o.response.Leeches)
	g.swarm.found.add(o.response.Peers)
}
