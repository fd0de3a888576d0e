package tracker

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"swarmnode/swarm/guard"
)

// A tracker is told the port of the family in which it is asked.
func TestPortIn(t *testing.T) {
	a := NewAnnouncer(Config{Port: func(ipv6 bool) uint16 {
		if ipv6 {
			return 0
		}
		return 4000
	}})
	defer a.Close()
	p := &swarmAnnounce{a: a}
	for _, c := range []struct {
		url    string
		family guard.Family
		port   uint16
		want   uint16
	}{
		{"udp://t.example:1", guard.IPv4, 1000, 4000},
		{"udp://t.example:1", guard.IPv6, 1000, 1000},
		{"udp://t.example:1", guard.Any, 1000, 1000}, // by a proxy
		{"http://9.9.9.9/announce", guard.Any, 1000, 4000},
		{"http://[2001:db8::1]/announce", guard.Any, 1000, 1000},
		{"http://9.9.9.9/announce", guard.Any, portNone, portNone},
	} {
		tracker, err := ParseTracker(c.url, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.portIn(&trackerState{tracker: tracker}, c.family, c.port); got != c.want {
			t.Errorf("%s over %v: port %d, want %d", c.url, c.family, got, c.want)
		}
	}
}

// Another public port is announced by Moved, and does not count as another port of Peers.
func TestPortMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var port atomic.Uint32
		n := &fakeNet{}
		a := newAnnouncer(t, n, Config{Port: func(bool) uint16 { return uint16(port.Load()) }},
			[]string{"1.1.1.1"})
		defer a.Close()
		_, stop := collect(t, a, 1000, false)
		defer stop()
		n.expect(t, "0s 1.1.1.1 started")
		port.Store(4000)
		a.Moved()
		n.expect(t, "0s 1.1.1.1 ")
		if got := n.last().Port; got != 4000 {
			t.Errorf("port %d, want 4000", got)
		}
		_, again := collect(t, a, 1000, false)
		defer again()
		n.expect(t) // the port of Peers is as it was
	})
}
