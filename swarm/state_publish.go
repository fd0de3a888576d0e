package swarm

import (
	"time"

	"swarmnode/swarm/core"
)

const (
	// publishEvery is the least time between two states that a torrent publishes by
	// itself. People and programs want no more.
	publishEvery = 100 * time.Millisecond
	// ratesEvery is how often rates are published while they change by themselves.
	ratesEvery = time.Second
)

// A publisher says when the loop of a torrent publishes its state next.
type publisher struct {
	last time.Duration // when it published, since the engine began
	due  bool          // something may have changed since
	flow bool          // the published rates are not 0
	// down and up are payload bytes that were counted for the engine.
	down, up int64
}

// done says that a state was published; flow reports whether it has rates.
func (p *publisher) done(now time.Duration, flow bool) {
	*p = publisher{last: now, flow: flow, down: p.down, up: p.up}
}

// since returns how many of the payload bytes were not counted for the engine yet.
func (p *publisher) since(down, up int64) (moreDown, moreUp int64) {
	moreDown, moreUp = down-p.down, up-p.up
	p.down, p.up = down, up
	return moreDown, moreUp
}

// young reports whether the last state is too young for another one, which is then due.
func (p *publisher) young(now time.Duration) bool {
	p.due = now-p.last < publishEvery
	return p.due
}

// next returns when the next state must be published, and reports false if nothing changes
// by itself.
func (p *publisher) next() (at time.Duration, ok bool) {
	switch {
	case p.due:
		return p.last + publishEvery, true
	case p.flow:
		return p.last + ratesEvery, true
	}
	return 0, false
}

// nextState returns when the loop must publish a state at the latest, or zero.
func (l *loop) nextState() time.Time {
	if at, ok := l.publisher.next(); ok {
		return l.t.engine.began.Add(at)
	}
	return time.Time{}
}

// published is what the loop of a torrent published last. The handle guards it.
type published struct {
	kept   *keptState // apart, since large objects take more memory than they need
	status status
}

// A keptState is a State without what others know better, in as little memory as possible.
type keptState struct {
	core.Snapshot
	phase      Phase
	sequential bool
	totals     keptTotals
	at         time.Time // of this state
}

// keep keeps s, the state at some moment.
func (k *keptState) keep(at time.Time, s *State) {
	*k = keptState{s.Snapshot, s.Phase, s.Sequential, s.Totals.kept(), at}
}

// give puts into s, which is empty, what is kept.
func (k *keptState) give(s *State) {
	s.Snapshot, s.Phase, s.Sequential, s.Totals = k.Snapshot, k.phase, k.sequential,
		k.totals.given()
	if s.Snapshot.State == core.Stalled {
		s.Fault = s.Err
	}
}

// begin sets what the phase follows from before anything was published.
func (p *published) begin(first status) {
	p.kept = &keptState{Snapshot: core.Snapshot{Paused: first.paused}, at: time.Now()}
	p.status = first
}

// start sets the totals of earlier runs.
func (p *published) start(now time.Time, all Totals) {
	p.kept.at, p.kept.totals = now, all.kept()
}

// set sets the state, and what its phase follows from. It reports whether the state
// differs from the last one, and whether the totals are worth a record soon.
func (p *published) set(now time.Time, s *State, from status) (differs, counted bool) {
	var before State
	p.kept.give(&before)
	s.Phase = from.phase()
	s.Totals = before.Totals.after(&before, s, now.Sub(p.kept.at), now)
	p.kept.keep(now, s)
	p.status = from
	counted = !s.Totals.sameCounts(&before.Totals) || s.Paused && !before.Paused
	return !s.same(&before), counted
}

// get puts the state into s, which is empty. Its phase takes into account what has become
// known since.
func (p *published) get(s *State, closing bool, how outcome, haveInfo bool) {
	p.kept.give(s)
	now := p.status.with(how, haveInfo)
	now.closing = now.closing || closing
	s.Phase = now.phase()
	s.Totals.pass(s, time.Since(p.kept.at))
}

// with returns s with the outcome of the torrent, and whether the metadata is known.
func (s status) with(how outcome, haveInfo bool) status {
	s.outcome, s.haveInfo = how, s.haveInfo || haveInfo
	return s
}

// show publishes the state after something has happened, unless the last one is too young.
// In that case the timer of the loop makes up for it.
func (l *loop) show(now time.Time) {
	if !l.publisher.young(now.Sub(l.t.engine.began)) {
		l.publish(now)
	}
}

// publish publishes the state now. Callers who waited for something else see it in the
// state when they are told.
func (l *loop) publish(now time.Time) {
	s := l.state()
	l.publisher.done(now.Sub(l.t.engine.began), s.DownRate != 0 || s.UpRate != 0)
	down, up := l.publisher.since(s.Down, s.Up)
	l.t.engine.uplink.Received(down)
	l.t.engine.traffic.add(down, up)
	news, counted := l.t.handle.publish(now, &s, l.status(&s))
	if counted {
		l.totals.change(now)
	}
	if news {
		kinds := ChangedState
		if l.wish.isNews(s.PiecesHave) {
			kinds |= ChangedFiles
		}
		l.t.changed(kinds)
	}
}

// state returns what the torrent is doing now, without what others know better.
func (l *loop) state() State {
	return State{Snapshot: l.core.Snapshot(), Sequential: l.sequential}
}

// status returns what the loop knows of that from which the phase of s follows.
func (l *loop) status(s *State) status {
	from := l.t.firstStatus()
	from.core, from.closing, from.haveStore = s.Snapshot.State, l.t.ctx.Err() != nil, l.store != nil
	from.rechecking = l.recheck.isRunning()
	from.paused, from.checkHeld = s.Paused, l.t.checks.isShut()
	return from
}

// firstStatus returns the status of a torrent before its loop has begun.
func (t *Torrent) firstStatus() status {
	return status{metadataOnly: t.spec.MetadataOnly, haveInfo: t.spec.Torrent != nil,
		paused: t.spec.Paused, checkHeld: t.spec.Paused}
}

// succeed decides that the torrent is complete. The state has the last numbers
// before Done is closed.
func (l *loop) succeed(now time.Time, paths func() []string, file func(i int) string) {
	l.publish(now)
	l.t.handle.succeed(paths, file)
	l.publish(now)
}

// setChecked shows how far the check of the content on disk has come, in bytes.
func (t *Torrent) setChecked(done, total int64) {
	t.handle.setChecked(done, total)
	t.changed(ChangedState)
}
