package swarm

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/transport/udpmux"
)

// A standing keeps where the Engine stands, and tells listeners of changes, in a goroutine
// of its own: whoever observes something may hold what a listener needs. It is safe for
// concurrent use.
type standing struct {
	wake chan struct{} // holds a token while run has something to do

	mu        sync.Mutex
	machine   *reach.Machine
	next      time.Time // when the machine wants a tick; zero if never
	version   uint64    // counts the changes, from 1
	listeners []*standingListener
}

// A standingListener is a function that hears where we stand.
type standingListener struct {
	hear  func(reach.Standing)
	heard uint64 // the version that it has heard
}

func (s *standing) init(now time.Time) {
	s.machine, s.version, s.wake = reach.New(now), 1, make(chan struct{}, 1)
}

// now returns where we stand.
func (s *standing) now() reach.Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Standing()
}

// observe gives the machine an observation.
func (s *standing) observe(now time.Time, o reach.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.machine.Observe(now, o)
	s.follow(now, changed)
}

// tick tells the machine that time has passed, if it wants to know.
func (s *standing) tick(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.next.IsZero() && !now.Before(s.next) {
		s.follow(now, s.machine.Tick(now))
	}
}

// follow records a change, and when the machine wants a tick. s.mu is held.
func (s *standing) follow(now time.Time, changed bool) {
	if changed {
		s.version++
	}
	if next := s.machine.NextTick(now); changed || next != s.next {
		s.next = next
		s.rouse()
	}
}

// rouse makes run look at what there is to do.
func (s *standing) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run calls the listeners, and gives the machine its ticks, until ctx ends.
func (s *standing) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
		case <-timer.C:
			s.tick(time.Now())
		case <-ctx.Done():
			return
		}
		for s.tell() {
		}
		if next := s.nextTick(); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// nextTick returns when the machine wants a tick, or the zero Time.
func (s *standing) nextTick() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// tell calls a listener that has not heard the present standing, and reports whether there
// was one.
func (s *standing) tell() bool {
	s.mu.Lock()
	i := slices.IndexFunc(s.listeners,
		func(l *standingListener) bool { return l.heard != s.version })
	if i < 0 {
		s.mu.Unlock()
		return false
	}
	l, is := s.listeners[i], s.machine.Standing()
	l.heard = s.version
	s.mu.Unlock()
	l.hear(is)
	return true
}

// listen makes f hear the present standing and every change, until the function that it
// returns is called.
func (s *standing) listen(f func(reach.Standing)) (stop func()) {
	l := &standingListener{hear: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	s.rouse()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners = slices.DeleteFunc(s.listeners,
			func(other *standingListener) bool { return other == l })
	}
}

// Reach returns how others reach the engine, as far as that is known. Nobody may change its
// Relayed.
func (e *Engine) Reach() reach.Standing { return e.standing.now() }

// Observe tells the engine something about how others see or reach it. It does not wait for
// the network.
func (e *Engine) Observe(o reach.Observation) { e.standing.observe(time.Now(), o) }

// OnReach makes f hear the present standing soon, and then every change, until the engine
// closes. The calls never overlap and come in the order of the changes; several changes may
// become one call. f must not block for long, and may call any method of the engine but Close.
// The function that OnReach returns ends that; one last call may be under way when it returns.
func (e *Engine) OnReach(f func(reach.Standing)) (stop func()) { return e.standing.listen(f) }

// observeBound tells the machine where we are. addrs are those of this machine, nil if they
// are not known.
func (e *Engine) observeBound(addrs addressSet) {
	at := reach.Bound{Listen: e.Addrs(), Proxied: e.proxied(), NoUTP: e.cfg.NoUTP,
		NoTCP: e.cfg.NoTCP}
	if addrs != nil {
		at.Machine = slices.AppendSeq(make([]netip.Addr, 0, len(addrs)), maps.Keys(addrs))
	}
	e.Observe(at)
}

// watchArrivals makes the machine hear who sends datagrams to a port unasked.
func (e *Engine) watchArrivals(mux *udpmux.Mux) {
	mux.Arrivals(e.asked, func(a udpmux.Arrival) {
		via := reach.UTP
		if a.Class == udpmux.ClassDHT {
			via = reach.DHT
		}
		e.Observe(reach.Came{From: a.From, Via: via, Known: a.Known})
	})
}

// arrived tells the machine of an incoming connection. That of uTP began with a datagram,
// which watchArrivals has seen.
func (e *Engine) arrived(from netip.AddrPort, over endpoint.Transport) {
	if over == endpoint.TransportTCP {
		e.Observe(reach.Came{From: from, Via: reach.TCP})
	}
}
