package swarm

import (
	"maps"
	"net/netip"
	"testing"
	"time"
)

// addresses returns the set of some addresses, nil for none at all.
func addresses(list ...string) addressSet {
	if list == nil {
		return nil
	}
	set := make(addressSet)
	for _, s := range list {
		set[netip.MustParseAddr(s)] = true
	}
	return set
}

// A look is what netwatch sees at a moment, and what it says.
type look struct {
	at          time.Duration
	own         addressSet
	gone, fresh addressSet
}

// TestNetwatch: changes are told with what has gone and come, a few in a row at once and
// later ones as the pause allows. A change that was not told is told with the next one.
func TestNetwatch(t *testing.T) {
	none, a, b, both := addresses(), addresses("10.0.0.1"), addresses("10.0.0.2"),
		addresses("10.0.0.1", "10.0.0.2")
	for name, looks := range map[string][]look{
		"nothing happens": {{0, a, none, none}, {time.Hour, a, none, none}},
		"a move":          {{time.Second, b, a, b}, {2 * time.Second, b, none, none}},
		"one comes, one goes": {
			{1 * time.Second, both, none, b}, {2 * time.Second, b, a, none},
		},
		"the system does not say": {{1 * time.Second, nil, none, none},
			{2 * time.Second, a, none, none}, {3 * time.Second, b, a, b}},
		"up and down": {
			{1 * time.Second, both, none, b}, {2 * time.Second, a, b, none},
			{3 * time.Second, both, none, b}, {4 * time.Second, a, b, none}, // the burst is used up
			{5 * time.Second, b, none, none},
			{6 * time.Second, b, a, b}, // a pause after the first one
			{7 * time.Second, a, none, none}, {10 * time.Second, a, none, none},
			{11 * time.Second, a, b, a},
		},
		"and rest": {
			{1 * time.Second, both, none, b}, {2 * time.Second, a, b, none},
			{3 * time.Second, both, none, b}, {4 * time.Second, a, b, none},
			{21 * time.Second, both, none, b}, {22 * time.Second, a, b, none}, // the burst is whole
			{23 * time.Second, both, none, b}, {24 * time.Second, a, b, none},
			{25 * time.Second, b, none, none},
		},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1_700_000_000, 0)
			w := newNetwatch(start, a)
			for _, l := range looks {
				gone, fresh := w.look(start.Add(l.at), l.own)
				if !maps.Equal(gone, l.gone) || !maps.Equal(fresh, l.fresh) {
					t.Errorf("after %v: gone %v, new %v; want %v, %v", l.at, gone, fresh, l.gone,
						l.fresh)
				}
			}
		})
	}
}

// TestMachineAddresses: every machine has a loopback address, and nobody else can know a
// link-local one.
func TestMachineAddresses(t *testing.T) {
	own := new(Engine).machineAddresses()
	if own == nil {
		t.Skip("the system does not say")
	}
	loopback := false
	for ip := range own {
		loopback = loopback || ip.IsLoopback()
		if ip.IsLinkLocalUnicast() || ip.Is4In6() {
			t.Errorf("%v is none that others know", ip)
		}
	}
	if !loopback {
		t.Errorf("no loopback address in %v", own)
	}
}
