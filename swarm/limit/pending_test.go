package limit

import (
	"net/netip"
	"slices"
	"testing"
)

func TestPending(t *testing.T) {
	p := NewPending(4)
	var evicted []string
	release := make(map[string]func())
	admit := func(name, ip string) {
		release[name] = p.Admit(netip.MustParseAddr(ip), func() { evicted = append(evicted, name) })
	}
	expect := func(when string, used int, want ...string) {
		t.Helper()
		if !slices.Equal(evicted, want) || p.Used() != used {
			t.Errorf("%s: evicted %v with %d places used, want %v with %d", when, evicted, p.Used(), want, used)
		}
		evicted = nil
	}
	admit("a1", "192.0.2.1")
	admit("b1", "192.0.2.2")
	admit("b2", "::ffff:192.0.2.2")
	admit("c1", "192.0.2.3")
	expect("as many as fit", 4)
	admit("a2", "192.0.2.1")
	expect("one too many: the oldest of the address with most", 4, "b1")
	release["b1"]()
	expect("released after it was evicted", 4)
	admit("d1", "192.0.2.4")
	expect("a has two now", 4, "a1")
	admit("e1", "192.0.2.5")
	expect("each has one: the oldest", 4, "b2")
	release["c1"]()
	release["c1"]()
	expect("released twice", 3)
	admit("f1", "192.0.2.6")
	expect("a free place", 4)
}

// TestPendingSilence: however many are silent, from one address or from many,
// a newcomer has its place until as many others have come.
func TestPendingSilence(t *testing.T) {
	for _, spread := range []bool{false, true} {
		p := NewPending(0)
		silent := func(i int) {
			ip := netip.MustParseAddr("127.0.0.1")
			if spread {
				ip = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			}
			p.Admit(ip, func() {})
		}
		for i := range 300 {
			silent(i)
		}
		evicted := false
		release := p.Admit(netip.MustParseAddr("127.0.0.1"), func() { evicted = true })
		for i := range HalfOpenMax - 1 {
			silent(1000 + i)
		}
		if evicted || p.Used() != HalfOpenMax {
			t.Errorf("spread %v: evicted %v, %d places used", spread, evicted, p.Used())
		}
		release()
	}
}
