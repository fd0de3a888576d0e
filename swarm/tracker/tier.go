package tracker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/guard"
)

// familyGrace is how long the other family may still take once a tracker has
// answered in one: long enough for a datagram to be sent twice.
const familyGrace = 20 * time.Second

// errNever tells that every tracker of a ladder wants no more of us.
var errNever = errors.New("every tracker told us not to come back")

// An announceFunc is Client.Announce, or what takes its place.
type announceFunc = func(context.Context, Tracker, Request, guard.Family) (Response, error)

// A rung is one tracker of a ladder, and what has passed between it and us. It
// is owned by the goroutine of the ladder; Close looks at it afterwards.
type rung struct {
	tracker  Tracker
	id       string // "tracker id" (BEP 3)
	started  [guard.IPv6 + 1]bool
	whole    bool   // an announce said that we have everything
	port     uint16 // what the last announce said
	warned   string // the last warning, so that it is logged once
	failing  bool   // its last announce failed, and that was told
	unwanted bool   // it told us never to come back (BEP 31)
}

// knows returns the families in which the tracker has us in its books.
func (r *rung) knows() (families []guard.Family) {
	for f, started := range r.started {
		if started {
			families = append(families, guard.Family(f))
		}
	}
	return families
}

// families returns those in which the tracker is to be asked: a tracker learns
// our address in a family only from an announce in it (BEP 7).
func (r *rung) families() []guard.Family {
	if _, err := netip.ParseAddr(r.tracker.url.Hostname()); err == nil {
		return []guard.Family{guard.Any}
	}
	return []guard.Family{guard.IPv4, guard.IPv6}
}

// A ladder is a sequence of trackers of which the first that answers is the one
// we stay with. Its fields but wake are owned by its goroutine.
type ladder struct {
	a       *presence
	tiers   [][]*rung // BEP 12: the one that answered last is first in its tier
	current *rung     // the one that answered last; nil before
	plan    schedule
	moves   uint64 // of our own address, when an announce began last
	wake    chan struct{}
}

func newLadder(a *presence, tiers [][]*rung) *ladder {
	return &ladder{a: a, tiers: tiers, wake: make(chan struct{}, 1)}
}

func (l *ladder) rungs() []*rung { return slices.Concat(l.tiers...) }

// run is the goroutine of the ladder.
func (l *ladder) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-l.wake:
			l.woken()
		case <-l.a.ctx.Done():
		}
		if l.a.ctx.Err() != nil {
			return
		}
		if now := time.Now(); !l.plan.never && !now.Before(l.plan.next) {
			l.climb()
		}
		timer.Reset(max(0, time.Until(l.plan.next)))
		if l.plan.never {
			timer.Stop()
		}
	}
}

// woken sees what is wanted since Peers was called again.
func (l *ladder) woken() {
	if l.moves != l.a.moves.Load() {
		l.plan.next = time.Time{} // failures, too, may be of the old address
		return
	}
	port, stats := l.a.now()
	if r := l.current; r != nil && (r.port != port || stats.Left == 0 && !r.whole) {
		// Failures still have their pause: the news is in the next attempt.
		if l.plan.failures == 0 {
			l.plan.next = time.Time{}
		}
		return
	}
	l.plan.wanted()
}

// climb asks one tracker after the other until one answers.
func (l *ladder) climb() {
	last := errNever
	l.moves = l.a.moves.Load()
	for _, tier := range l.tiers {
		for i, r := range tier {
			if r.unwanted {
				continue
			}
			response, err := l.ask(r)
			if l.a.ctx.Err() != nil {
				return
			}
			l.a.judge(r.tracker, err)
			if err == nil {
				copy(tier[1:i+1], tier[:i])
				tier[0], l.current = r, r
				l.plan.answered(time.Now(), &response)
				return
			}
			last = err
			var f *Failure
			r.unwanted = errors.As(err, &f) && f.Never
			l.tell(r, err)
		}
	}
	l.plan.failed(time.Now(), last)
	l.plan.never = !slices.ContainsFunc(l.rungs(), func(r *rung) bool { return !r.unwanted })
	if l.plan.never {
		l.a.cfg.Logger.Info("no tracker wants us", "err", last)
	}
}

// tell logs that a tracker failed. A user who named it, or whose torrent has no
// other way to peers, is to know, once in a row; other trackers come by the
// dozen and are dead as often as not. That one is not asked because a stranger named
// it is told once in any case, since nobody would guess.
func (l *ladder) tell(r *rung, err error) {
	log := l.a.cfg.Logger.Debug
	if r.tracker.stranger && errors.Is(err, guard.ErrRefused) {
		if l.a.refused.first(r.tracker) && l.a.refusals.Add(1) <= refusalsMax {
			log = l.a.cfg.Logger.Warn
		}
		var why *NotAskedError
		if errors.As(err, &why) {
			err = why
		}
		log("a tracker that the torrent or link names is not asked, unless you name it yourself",
			"tracker", r.tracker, "err", err)
		return
	}
	if (!r.tracker.stranger || l.a.cfg.Private) && !r.failing {
		log = l.a.cfg.Logger.Warn
	}
	r.failing = true
	log("tracker failed", "err", err)
}

// An outcome is that of an announce in one family.
type outcome struct {
	family   guard.Family
	request  Request
	response Response
	err      error
}

// ask announces to one tracker, in all families at once. It returns the answer
// that asks for the soonest announce; no error means that there was one.
func (l *ladder) ask(r *rung) (answer Response, err error) {
	ctx, cancel := context.WithCancel(l.a.asking)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	families := r.families()
	outcomes := make(chan outcome, len(families))
	// Once for all families: what took writes down must hold for each.
	port, stats := l.a.now()
	for _, family := range families {
		request := l.a.request(r, port, stats, r.event(family, stats))
		asking.Go(func() {
			response, err := l.a.announce(ctx, r.tracker, request, family)
			outcomes <- outcome{family, request, response, err}
		})
	}
	grace := time.AfterFunc(time.Hour, cancel)
	defer grace.Stop()
	answered := false
	for range families {
		o := <-outcomes
		if o.err != nil {
			var f *Failure
			if err == nil || lacksFamily(err) || errors.As(o.err, &f) ||
				errors.Is(o.err, guard.ErrRefused) {
				err = o.err
			}
			continue
		}
		l.took(r, &o)
		if !answered || o.response.Interval < answer.Interval {
			answer = o.response
		}
		answered = true
		grace.Reset(familyGrace)
	}
	if answered {
		return answer, nil
	}
	return Response{}, err
}

// lacksFamily reports whether the tracker just has no address in the family that was
// tried, which says nothing about why the other one failed.
func lacksFamily(err error) bool {
	var none *net.AddrError
	return errors.As(err, &none)
}

// event returns what the next announce to r in a family has to say. Completed is a
// download that ended: what was there before is none, and it is said once.
func (r *rung) event(family guard.Family, stats Stats) Event {
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

// took takes in an answer.
func (l *ladder) took(r *rung, o *outcome) {
	log := l.a.cfg.Logger
	r.started[o.family], r.failing = true, false
	r.whole, r.port = r.whole || o.request.Left == 0, o.request.Port
	if o.response.TrackerID != "" {
		r.id = o.response.TrackerID
	}
	if w := o.response.Warning; w != "" && w != r.warned {
		log.Warn("a tracker warns", "tracker", r.tracker, "err", w)
		r.warned = w
	}
	if ip := o.response.ExternalIP; ip.IsValid() && l.a.cfg.External != nil {
		l.a.cfg.External(ip)
	}
	log.Debug("tracker answers", "tracker", r.tracker, "peers", len(o.response.Peers),
		"seeds", o.response.Seeds, "leeches", o.response.Leeches)
	l.a.offer(o.response.Peers)
}
