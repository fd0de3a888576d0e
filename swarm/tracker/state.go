package tracker

import (
	"context"
	"errors"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// Status says how the announces to a tracker go.
type Status uint8

// The statuses.
const (
	// NotAsked: no announce was made yet, or none since the last pause. Of a tier, and of
	// a private torrent, only one tracker is asked while it answers (BEP 12, BEP 27).
	NotAsked Status = iota
	// Announcing: an announce is under way.
	Announcing
	// Working: the last announce was answered.
	Working
	// Failing: the last announce failed. It is tried again.
	Failing
	// Refused: we do not ask the tracker, because a stranger's URL may not lead there
	// (package guard), or because it refused us for good (BEP 31).
	Refused
)

func (s Status) String() string {
	switch s {
	case NotAsked:
		return "not asked"
	case Announcing:
		return "announcing"
	case Working:
		return "working"
	case Failing:
		return "failing"
	}
	return "refused"
}

// A State describes one tracker of an Announcer at one moment. Of a torrent with two
// info-hashes (BEP 52), it sums up the announces of both.
type State struct {
	// URL is the whole announce URL. It may hold a key of the user, so it is not for
	// logs.
	URL    string
	Tier   int  // in the list of tiers, from 0
	User   bool // the user named it, and not the torrent or link
	Status Status
	// Err says why the last announce failed. It is nil if the announce was answered. It
	// may be a *Failure, and a *NotAskedError for a Refused tracker.
	Err error
	// Message is what the tracker told in words: why it refuses us, or a warning of its
	// last answer. It is printable and on one line, and empty without any.
	Message string
	// LastAnnounce is when the last announce began; zero before the first.
	LastAnnounce time.Time
	// NextAnnounce is when the next announce is due; zero if none is planned.
	NextAnnounce time.Time
	// Seeds, Leeches and Downloaded are the peers of the swarm that have everything, the
	// other peers, and the downloads completed so far, as the tracker said last. A number
	// that it did not give is -1. The larger number of two info-hashes counts.
	Seeds, Leeches, Downloaded int
	// Peers counts the addresses of peers that the tracker gave until now, repeated ones
	// included.
	Peers int64
}

// A view is what is shown of a tracker in one swarm. Announcer.mu guards it.
type view struct {
	asking    bool
	refused   bool
	unscraped bool // the last answer left out a count, and no scrape was made since
	err       error
	warning   string
	asked     time.Time // the last announce began
	judged    time.Time // the last announce ended; zero: none, or none since a pause
	next      time.Time
	peers     int64

	seeds, leeches, completed int32
}

func newView() view { return view{seeds: -1, leeches: -1, completed: -1} }

// left records that the tracker is announced to no longer.
func (v *view) left() {
	v.asking, v.err, v.refused, v.unscraped = false, nil, false, false
	v.judged, v.next = time.Time{}, time.Time{}
}

// status returns the status of the tracker in the swarm.
func (v *view) status() Status {
	switch {
	case v.asking:
		return Announcing
	case v.judged.IsZero():
		return NotAsked
	case v.refused:
		return Refused
	case v.err != nil:
		return Failing
	}
	return Working
}

// learn takes over counts that the tracker gave.
func (v *view) learn(c Counts) {
	for _, n := range []struct {
		of    *int32
		count int
	}{{&v.seeds, c.Seeds}, {&v.leeches, c.Leeches}, {&v.completed, c.Completed}} {
		if n.count >= 0 {
			*n.of = int32(n.count)
		}
	}
}

// A listed tracker is one of the list of the torrent, with what each swarm shows of it.
type listed struct {
	tracker Tracker
	tier    int
	views   []*view
}

// listing returns the trackers of the torrent in the order of the tiers, each once. a.mu
// is held.
func (a *Announcer) listing() (list []listed) {
	at := make(map[string]int)
	for i, tier := range a.tiers {
		for _, t := range tier {
			if t.url == nil {
				continue
			}
			if _, twice := at[t.key()]; !twice {
				at[t.key()] = len(list)
				list = append(list, listed{tracker: t, tier: i})
			}
		}
	}
	for _, p := range a.swarms {
		for _, g := range p.groups {
			for _, tier := range g.tiers {
				for _, r := range tier {
					if i, ok := at[r.tracker.key()]; ok {
						list[i].views = append(list[i].views, &r.view)
					}
				}
			}
		}
	}
	return list
}

// watchedFor is how long the counts that announces leave out are scraped after Trackers
// was called: nobody else looks at them, and each costs the tracker a request.
const watchedFor = 10 * time.Minute

// Trackers describes the trackers in the order of their tiers, each once. Counts that a
// tracker leaves out of its answers to announces are asked for by a scrape (BEP 48, BEP
// 15), at most once per announce, while somebody calls Trackers: they are there soon
// afterwards.
func (a *Announcer) Trackers() []State {
	a.watched.Store(time.Now().UnixNano())
	a.mu.Lock()
	defer a.mu.Unlock()
	var states []State
	scrape := false
	for _, l := range a.listing() {
		s := State{URL: l.tracker.key(), Tier: l.tier, User: !l.tracker.stranger,
			Seeds: -1, Leeches: -1, Downloaded: -1}
		var judged time.Time
		for _, v := range l.views {
			s.add(v, &judged)
			scrape = scrape || v.unscraped
		}
		states = append(states, s)
	}
	for _, p := range a.swarms {
		if scrape {
			p.wake()
		}
	}
	return states
}

// add adds what one swarm shows of the tracker. judged is the end of the last announce
// that s shows.
func (s *State) add(v *view, judged *time.Time) {
	s.Seeds = max(s.Seeds, int(v.seeds))
	s.Leeches = max(s.Leeches, int(v.leeches))
	s.Downloaded = max(s.Downloaded, int(v.completed))
	s.Peers += v.peers
	if v.asked.After(s.LastAnnounce) {
		s.LastAnnounce = v.asked
	}
	if s.NextAnnounce.IsZero() || !v.next.IsZero() && v.next.Before(s.NextAnnounce) {
		s.NextAnnounce = v.next
	}
	asking := s.Status == Announcing || v.asking
	if !v.judged.Before(*judged) {
		*judged = v.judged
		s.Status, s.Err = v.status(), v.err
		var failure *Failure
		if s.Message = v.warning; errors.As(v.err, &failure) {
			s.Message = failure.Reason
		}
	}
	if asking {
		s.Status = Announcing
	}
}

// show changes what is shown of a tracker, and tells of the change.
func (g *tierGroup) show(change func()) {
	a := g.swarm.a
	a.mu.Lock()
	change()
	a.mu.Unlock()
	a.cfg.changed()
}

// showAsking shows that an announce to r begins.
func (g *tierGroup) showAsking(r *trackerState) {
	g.show(func() { r.view.asking, r.view.asked = true, time.Now() })
}

// showCutOff shows that an announce to r was cut off.
func (g *tierGroup) showCutOff(r *trackerState) { g.show(func() { r.view.asking = false }) }

// showFailure shows why an announce to r failed.
func (g *tierGroup) showFailure(r *trackerState, err error) {
	g.show(func() {
		v := &r.view
		v.asking, v.err, v.judged, v.unscraped = false, err, time.Now(), false
		v.refused = r.unwanted || r.tracker.stranger && errors.Is(err, guard.ErrRefused)
		g.swarm.a.summarize()
	})
}

// showAnswer shows the answer of the last tracker of a part of a tier, and makes it the
// first one (BEP 12).
func (g *tierGroup) showAnswer(tier []*trackerState, answer *Response) {
	r := tier[len(tier)-1]
	g.show(func() {
		copy(tier[1:], tier)
		tier[0] = r
		v := &r.view
		v.asking, v.err, v.refused, v.judged = false, nil, false, time.Now()
		v.warning = answer.Warning
		v.peers += int64(len(answer.Peers))
		v.learn(Counts{answer.Seeds, answer.Leeches, answer.Completed})
		v.unscraped = !r.noScrape && min(answer.Seeds, answer.Leeches, answer.Completed) < 0
		g.swarm.a.summarize()
	})
}

// showPlan shows when the next announce is due: to the tracker that answered last, or to
// all that failed.
func (g *tierGroup) showPlan() {
	changed := false
	a := g.swarm.a
	a.mu.Lock()
	for _, tier := range g.tiers {
		for _, r := range tier {
			var next time.Time
			if !r.unwanted && (r == g.current || g.current == nil || g.plan.failures > 0) {
				next = g.plan.next
			}
			changed = changed || !r.view.next.Equal(next)
			r.view.next = next
		}
	}
	a.mu.Unlock()
	if changed {
		a.cfg.changed()
	}
}

// A scrapeFunc is Client.Scrape, or a fake of a test.
type scrapeFunc = func(context.Context, Tracker, ...metainfo.Hash) ([]Counts, error)

// scrape asks the tracker that answered last for the counts that its answer left out, if
// somebody looks at them. A scrape that fails is not tried again before the next announce.
func (g *tierGroup) scrape() {
	r, a := g.current, g.swarm.a
	watched := time.Unix(0, a.watched.Load())
	if r == nil || a.scrape == nil || time.Since(watched) > watchedFor {
		return
	}
	a.mu.Lock()
	due := r.view.unscraped
	r.view.unscraped = false
	a.mu.Unlock()
	if !due {
		return
	}
	counts, err := g.askCounts(r)
	if err != nil {
		r.noScrape = errors.Is(err, ErrNoScrape)
		a.cfg.Logger.Debug("tracker was not scraped", "tracker", r.tracker, "err", err)
		return
	}
	g.show(func() { r.view.learn(counts) })
}
