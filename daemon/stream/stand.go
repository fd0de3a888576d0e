package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

const (
	// viewersMax is how many viewers there are at most, and viewersEach how many of one login, and
	// of one address or the socket. The page has as many connections again, whatever viewers do
	// (daemon/control).
	viewersMax  = 64
	viewersEach = 32
	// sendMax is how long a viewer may take nothing, as a player does that pauses; yieldAfter is
	// how long until it gives way to another one when there are viewersMax.
	sendMax    = 30 * time.Minute
	yieldAfter = time.Minute
	// waitMax is how long a viewer waits for content that does not come.
	waitMax = 10 * time.Minute
	// lookEvery is how often viewers are looked at.
	lookEvery = 2 * time.Second
)

var (
	errStalled = errors.New("the viewer has taken nothing for too long")
	errYields  = errors.New("the viewer has taken nothing for a while, and another one came")
	errNothing = errors.New("the content does not come")
	errRests   = errors.New("the torrent rests")
	errLogin   = errors.New("the login has ended")
	errClosed  = errors.New("the server closes")
)

// A phase says what a viewer waits for.
type phase uint8

const (
	waiting phase = iota // for content
	sending              // until the other side takes what is there
)

// A viewer is a request whose answer is being sent.
type viewer struct {
	stand   *stand
	login   string // its name; empty if none was needed
	from    string // address, empty for the socket
	who     control.Identity
	torrent *daemon.Torrent
	cancel  context.CancelCauseFunc
	cut     func() // ends a write that waits

	// Guarded by stand.mu:
	phase phase
	since time.Time // when the phase began
}

// now says that a viewer waits for something from that moment on.
func (v *viewer) now(p phase, at time.Time) {
	v.stand.mu.Lock()
	defer v.stand.mu.Unlock()
	v.phase, v.since = p, at
}

// end ends a viewer.
func (v *viewer) end(why error) {
	v.cancel(why)
	v.cut()
}

// A stand has the viewers. It is safe for concurrent use.
//
//	len(all) <= viewersMax
type stand struct {
	mu     sync.Mutex
	all    map[*viewer]bool
	closed bool
}

// enter takes a viewer in, in the place of one that takes nothing if need be. It reports whether
// there was a place.
func (s *stand) enter(v *viewer, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	logins, places := 0, 0
	var out *viewer
	for other := range s.all {
		if other.login == v.login && v.login != "" {
			logins++
		}
		if other.from == v.from {
			places++
		}
		if other.phase == sending && at.Sub(other.since) >= yieldAfter &&
			(out == nil || other.since.Before(out.since)) {
			out = other
		}
	}
	full := len(s.all) >= viewersMax
	own := logins >= viewersEach || places >= viewersEach
	switch {
	case s.closed:
		return false
	case !full && !own:
		out = nil
	case out == nil, own && out.login != v.login && out.from != v.from:
		return false
	}
	if out != nil {
		out.end(errYields)
		delete(s.all, out)
	}
	v.phase, v.since = waiting, at
	s.all[v] = true
	return true
}

// leave takes a viewer out.
func (s *stand) leave(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, v)
}

// list returns the viewers.
func (s *stand) list() []*viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*viewer, 0, len(s.all))
	for v := range s.all {
		list = append(list, v)
	}
	return list
}

// look ends the viewers that have waited for too long at a moment. rests and still say whether
// the torrent of a viewer rests, and whether its login still counts.
func (s *stand) look(at time.Time, rests, still func(*viewer) bool) {
	for _, v := range s.list() {
		s.mu.Lock()
		p, waited := v.phase, at.Sub(v.since)
		s.mu.Unlock()
		switch {
		case !still(v):
			v.end(errLogin)
		case p == sending && waited >= sendMax:
			v.end(errStalled)
		case p == waiting && waited >= waitMax:
			v.end(errNothing)
		case p == waiting && waited >= lookEvery && rests(v):
			v.end(errRests)
		}
	}
}

// close ends all viewers, and lets no more in.
func (s *stand) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, v := range s.list() {
		v.end(errClosed)
	}
}
