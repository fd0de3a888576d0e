package utp

import (
	"sync"
	"time"

	"swarmnode/swarm/transport/udpmux"
)

// refusedAfter is how long a dial has lasted when a report that nobody is at its port ends it.
// Many home routers send such reports for what comes before the host behind them has sent
// something itself, as when two connect to each other through them. A second later it has.
const refusedAfter = rtoFirst

// A refusalWatcher is a carrier that reports datagrams which came to a port without anybody.
type refusalWatcher interface {
	WatchRefusals(each func(udpmux.Refusal)) error
}

// refusals are watched while connections are dialled.
type refusals struct {
	mu       sync.Mutex
	dialling int
}

// watchRefusals watches refusals until the function that it returns is called.
func (s *Socket) watchRefusals() (stop func()) {
	by, ok := s.carrier.(refusalWatcher)
	if !ok {
		return func() {}
	}
	count := func(n int, watched int, each func(udpmux.Refusal)) {
		s.refusals.mu.Lock()
		defer s.refusals.mu.Unlock()
		if s.refusals.dialling += n; s.refusals.dialling == watched {
			_ = by.WatchRefusals(each) // without them a dial takes longer to fail
		}
	}
	count(1, 1, s.refused)
	return func() { count(-1, 0, nil) }
}

// refused ends the dial whose SYN a report quotes.
func (s *Socket) refused(r udpmux.Refusal) {
	h, _, err := parseHeader(r.Data)
	if err != nil || h.kind != typeSyn {
		return
	}
	s.mu.Lock()
	c := s.conns[connKey{r.To, h.id}]
	s.mu.Unlock()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.m.refuse(now, &h)
	c.update(now)
}

// refuse takes a report that a SYN came to a port without anybody. Who forges one has to know
// the id and the number of the SYN, and ends no more than a dial.
func (m *machine) refuse(now time.Time, syn *header) {
	if m.phase == phaseDialling && syn.seq == m.config.first && m.at(now) > refusedAfter {
		m.fail(ErrRefused)
	}
}
