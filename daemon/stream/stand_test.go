package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A queue of viewers under a clock that a test moves.
type scene struct {
	t     *testing.T
	stand stand
	now   time.Time
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, stand: stand{all: make(map[*viewer]bool)}, now: time.Unix(1e9, 0)}
}

// viewer returns a viewer that has not come yet, and its context.
func (s *scene) viewer(login, from string) (*viewer, context.Context) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	return &viewer{stand: &s.stand, login: login, from: from, cancel: cancel, cut: func() {}}, ctx
}

// come lets a viewer in.
func (s *scene) come(login, from string) (*viewer, context.Context) {
	s.t.Helper()
	v, ctx := s.viewer(login, from)
	if !s.stand.enter(v, s.now) {
		s.t.Fatalf("%s at %s finds no place among %d", login, from, len(s.stand.all))
	}
	return v, ctx
}

func never(*viewer) bool  { return false }
func always(*viewer) bool { return true }

// Nobody takes all places: neither a login nor an address.
func TestPlacesOfViewers(t *testing.T) {
	s := newScene(t)
	for i := range viewersEach {
		s.come("greedy", fmt.Sprint(i%4))
	}
	if v, _ := s.viewer("greedy", "9"); s.stand.enter(v, s.now) {
		t.Error("one login has more than its share")
	}
	last, _ := s.come("", "here")
	for range viewersEach - 1 {
		last, _ = s.come("", "here")
	}
	if v, _ := s.viewer("another", "here"); s.stand.enter(v, s.now) {
		t.Error("one address has more than its share")
	}
	if v, _ := s.viewer("another", "there"); s.stand.enter(v, s.now) {
		t.Error("there are more viewers than there may be")
	}
	s.stand.leave(last)
	s.come("another", "there")
}

// When all places are taken, the viewer that has taken nothing for the longest time gives way,
// but not one that only waits for content or pauses for a moment.
func TestPausedViewersGiveWay(t *testing.T) {
	s := newScene(t)
	var all []*viewer
	var paused, fresh context.Context
	for i := range viewersMax {
		v, ctx := s.come("", fmt.Sprint(i))
		all = append(all, v)
		switch i {
		case 20:
			paused = ctx
		case 30:
			fresh = ctx
		}
	}
	all[20].now(sending, s.now)
	s.now = s.now.Add(yieldAfter - time.Second)
	if v, _ := s.viewer("", "late"); s.stand.enter(v, s.now) {
		t.Error("a viewer gave way at once")
	}
	all[30].now(sending, s.now)
	s.now = s.now.Add(time.Second)
	s.come("", "late")
	if !errors.Is(context.Cause(paused), errYields) || fresh.Err() != nil {
		t.Errorf("the paused viewer: %v, the other one: %v", context.Cause(paused), fresh.Err())
	}
}

// Viewers end by their deadlines, with their logins, and with the torrent.
func TestDeadlinesOfViewers(t *testing.T) {
	s := newScene(t)
	slow, slowEnds := s.come("", "slow")
	slow.now(sending, s.now)
	_, waits := s.come("", "waits")
	s.stand.look(s.now.Add(waitMax-1), never, always)
	if slowEnds.Err() != nil || waits.Err() != nil {
		t.Error("a viewer ended early")
	}
	s.stand.look(s.now.Add(waitMax), never, always)
	if !errors.Is(context.Cause(waits), errNothing) || slowEnds.Err() != nil {
		t.Errorf("who waits: %v, who is slow: %v", context.Cause(waits), slowEnds.Err())
	}
	s.stand.look(s.now.Add(sendMax), never, always)
	if !errors.Is(context.Cause(slowEnds), errStalled) {
		t.Errorf("who is slow: %v", context.Cause(slowEnds))
	}
	_, rests := s.come("", "rests")
	s.stand.look(s.now.Add(lookEvery), always, always)
	if !errors.Is(context.Cause(rests), errRests) {
		t.Errorf("of a torrent that rests: %v", context.Cause(rests))
	}
	_, login := s.come("x", "x")
	s.stand.look(s.now, never, never)
	if !errors.Is(context.Cause(login), errLogin) {
		t.Errorf("of a login that has ended: %v", context.Cause(login))
	}
	_, open := s.come("y", "y")
	s.stand.close()
	if v, _ := s.viewer("", ""); !errors.Is(context.Cause(open), errClosed) ||
		s.stand.enter(v, s.now) {
		t.Errorf("after the end: %v", context.Cause(open))
	}
}
