package queue

import "time"

const (
	// settleTime is how long a torrent runs before it may lose its place, and how long one
	// that was stalled has to move before others lose theirs. Connecting to the first peers
	// takes some seconds.
	settleTime = 30 * time.Second
	// turnTime is how long a torrent may hold a place without moving anything while others
	// wait. Peers that look for a torrent ask trackers and the DHT about as often.
	turnTime = 30 * time.Minute
	// stalledMax bounds the stalled torrents that run in one queue while others wait: each of
	// them takes memory, and announces itself.
	stalledMax = 500
)

// A Kind says which queue a torrent is in.
type Kind uint8

// The kinds.
const (
	Download Kind = iota // some wanted piece, or the metadata, is missing
	Seed
	kinds
)

// Limits say how many torrents of each kind run at one time; 0 is no limit.
type Limits struct {
	Downloads, Seeds int
	// Stalled is how long a torrent moves nothing before it takes no place; 0 means that
	// every torrent takes one.
	Stalled time.Duration
}

// of returns the limit of a kind.
func (l *Limits) of(kind Kind) int {
	if kind == Seed {
		return l.Seeds
	}
	return l.Downloads
}

// A Torrent is what the queue knows of a torrent that wants to run.
type Torrent struct {
	Kind    Kind
	Running bool
	Forced  bool // it runs without a place
	Spent   bool // it had a turn that it did not use
	// Hashed says that it runs and its content is being hashed, so that it needs no place.
	Hashed bool
	// Since is when it began to run, or to wait.
	Since time.Time
	// Moved is when it last moved payload; zero: not while it ran. Back is when it moved for
	// the first time after it had been stalled.
	Moved, Back time.Time
	// After is the time before which it cannot start, as after an attempt that failed.
	After time.Time
}

// Start records that the torrent has begun to run.
func (t *Torrent) Start(now time.Time) {
	t.Running, t.Since, t.Back = true, now, time.Time{}
}

// Rest records that the torrent has begun to wait, and why.
func (t *Torrent) Rest(now time.Time, why Reason) {
	t.Running, t.Since = false, now
	t.Spent = t.Spent || why == TurnOver
}

// Move records that the torrent has moved payload, and reports whether that may change a plan.
// stalled is Limits.Stalled.
func (t *Torrent) Move(now time.Time, stalled time.Duration) (news bool) {
	if t.Stalled(now, stalled) {
		t.Back, news = now, true
	}
	before := t.settled(now)
	news = news || t.Spent
	t.Moved, t.Spent = now, false
	return news || t.settled(now) != before
}

// Stalled reports whether the torrent runs and has moved nothing for as long as stalled,
// which is Limits.Stalled.
func (t *Torrent) Stalled(now time.Time, stalled time.Duration) bool {
	return t.Running && !t.Hashed && stalled > 0 && t.idle(now) >= stalled
}

// idle returns for how long the torrent has moved nothing while it ran.
func (t *Torrent) idle(now time.Time) time.Duration { return now.Sub(later(t.Since, t.Moved)) }

// settled reports whether the torrent has had its place for long enough to lose it.
func (t *Torrent) settled(now time.Time) bool {
	if !t.Back.After(t.Since) {
		return now.Sub(t.Since) >= settleTime
	}
	return t.Moved.Sub(t.Back) >= settleTime
}

// later returns the later one of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A Reason says why a torrent rests.
type Reason uint8

// The reasons.
const (
	NoPlace   Reason = iota // there are more torrents than places
	Outranked               // a torrent with an earlier position runs instead
	TurnOver                // it moved nothing, and another torrent waits
)

// A Step is one thing to do.
type Step struct {
	Torrent int  // the index in the list that was given
	Start   bool // it starts, else it rests
	Why     Reason
}

// A Plan says what has to change.
type Plan struct {
	// Steps are what to do: those that rest come before those that start in their places. The
	// next call of Decide overwrites them.
	Steps []Step
	// Next is when to ask again if nothing happens before; zero: then there is no need to.
	Next time.Time
}
