package swarm

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"swarmnode/swarm/reach"
)

// relayed is an observation that changes the standing.
func relayed(port uint16) reach.Relayed {
	return reach.Relayed{Addrs: []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), port)}}
}

// Listeners hear the present standing, then each change in order, also one that a listener
// causes, and nothing after stop.
func TestListenersHearTheStanding(t *testing.T) {
	var s standing
	now := time.Now()
	s.init(now)
	var heard, late []uint16
	port := func(is reach.Standing) uint16 {
		if len(is.Relayed) == 0 {
			return 0
		}
		return is.Relayed[0].Port()
	}
	stop := s.listen(func(is reach.Standing) {
		heard = append(heard, port(is))
		if port(is) == 1 {
			s.observe(now, relayed(2))
		}
	})
	s.observe(now, relayed(1))
	s.observe(now, relayed(2)) // no change
	defer s.listen(func(is reach.Standing) { late = append(late, port(is)) })()
	s.observe(now, relayed(3))
	stop()
	stop()
	s.observe(now, relayed(4))
	if want := []uint16{0, 1, 2, 3}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if want := []uint16{2, 3, 4}; !slices.Equal(late, want) {
		t.Errorf("the late listener heard %v, want %v", late, want)
	}
}

// Whatever many goroutines observe, a listener ends up with the last standing.
func TestListenersKeepUp(t *testing.T) {
	var s standing
	now := time.Now()
	s.init(now)
	var last reach.Standing // calls never overlap: the race detector would see it
	defer s.listen(func(is reach.Standing) { last = is })()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 50 {
				s.observe(now, relayed(uint16(100*i+j)))
			}
		})
	}
	wait.Wait()
	s.observe(now, relayed(9999))
	if !last.Equal(s.now()) {
		t.Errorf("the listener heard %v last, and the standing is %v", last, s.now())
	}
}
