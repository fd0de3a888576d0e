package swarm

import (
	"net/netip"
	"testing"

	"swarmnode/swarm/reach"
)

// TestShelter: uTP comes first only for a family without a public address of this machine, as
// long as nobody can begin to talk to us.
func TestShelter(t *testing.T) {
	v4, v6 := netip.MustParseAddr("12.0.0.1"), netip.MustParseAddr("2600::1")
	set := func(list ...string) addressSet {
		s := make(addressSet)
		for _, ip := range list {
			s[netip.MustParseAddr(ip)] = true
		}
		return s
	}
	for _, c := range []struct {
		name    string
		machine addressSet
		to      netip.Addr
		is      reach.Standing
		want    bool
	}{
		{"behind a router", set("127.0.0.1", "192.168.1.2"), v4, reach.Standing{}, true},
		{"behind the NAT of a carrier", set("100.64.0.9"), v4, reach.Standing{}, true},
		{"punched", set("10.0.0.2"), v4, reach.Standing{UTP: reach.Punch, TCP: reach.None}, true},
		{"a mapped port", set("10.0.0.2"), v4, reach.Standing{UTP: reach.Mapped}, false},
		{"TCP alone is mapped", set("10.0.0.2"), v4, reach.Standing{TCP: reach.Mapped}, false},
		{"an open router", set("10.0.0.2"), v4, reach.Standing{UTP: reach.Open}, false},
		{"a public address", set("12.0.0.2"), v4, reach.Standing{}, false},
		{"a public address of IPv6", set("10.0.0.2", "2600::2"), v6, reach.Standing{}, false},
		{"a router before IPv4 alone", set("10.0.0.2", "2600::2"), v4, reach.Standing{}, true},
		{"IPv6 that is local", set("12.0.0.2", "fd00::2", "fe80::1"), v6, reach.Standing{}, true},
		{"nobody else is meant to come", set("10.0.0.2"), v4, reach.Standing{Alone: true}, false},
		{"addresses that the system does not tell", nil, v4, reach.Standing{}, false},
	} {
		var s shelter
		s.look(c.machine)
		if got := s.covers(c.to, &c.is); got != c.want {
			t.Errorf("%s: uTP first is %v, want %v", c.name, got, c.want)
		}
	}
}
