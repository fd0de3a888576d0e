package limit

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPending(4)
		var evicted []string
		place := make(map[string]*Place)
		admit := func(name, ip string) {
			place[name] = p.Admit(netip.MustParseAddr(ip), func() {
				evicted = append(evicted, name)
			})
		}
		expect := func(when string, used int, want ...string) {
			t.Helper()
			if !slices.Equal(evicted, want) || p.Used() != used {
				t.Errorf("%s: evicted %v with %d places used, want %v with %d", when, evicted,
					p.Used(), want, used)
			}
			evicted = nil
		}
		admit("a1", "192.0.2.1")
		admit("b1", "192.0.3.2")
		admit("b2", "::ffff:192.0.3.2")
		admit("c1", "192.0.4.3")
		expect("as many as fit", 4)
		admit("a2", "192.0.2.1")
		expect("one too many: the oldest of the source with most", 4, "b1")
		place["b1"].Leave()
		place["b1"].Keep()
		expect("given back after it was evicted", 4)
		time.Sleep(time.Minute) // b is forgiven
		admit("d1", "192.0.5.4")
		expect("a has two now", 4, "a1")
		time.Sleep(time.Minute)
		admit("e1", "192.0.6.5")
		expect("each has one: the oldest", 4, "b2")
		place["c1"].Keep()
		place["c1"].Leave()
		expect("given back twice", 3)
		admit("f1", "192.0.7.6")
		expect("a free place", 4)
		admit("b3", "192.0.3.2")
		expect("of equals the oldest", 4, "a2")
		admit("g1", "192.0.8.7")
		expect("who was there for nothing lately goes before the oldest", 4, "b3")
	})
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
		for i := range 2 * PendingMax {
			silent(i)
		}
		evicted := false
		place := p.Admit(netip.MustParseAddr("127.0.0.2"), func() { evicted = true })
		for i := range PendingMax - 1 {
			silent(1000 + i)
		}
		if evicted || p.Used() != PendingMax {
			t.Errorf("spread %v: evicted %v, %d places used", spread, evicted, p.Used())
		}
		place.Keep()
	}
}

// pendingAttackers are where connections come from that say nothing. Each is the n-th
// address of an attack.
var pendingAttackers = []struct {
	name string
	addr func(n int) netip.Addr
}{
	{"500 addresses of two /24s", func(n int) netip.Addr {
		return netip.AddrFrom4([4]byte{127, 0, byte(10 + n%500/250), byte(1 + n%250)})
	}},
	{"500 addresses, each of its own /24", func(n int) netip.Addr {
		return netip.AddrFrom4([4]byte{60, byte(n % 500 >> 8), byte(n), 1})
	}},
	{"one IPv4 address", func(int) netip.Addr { return netip.AddrFrom4([4]byte{60, 0, 0, 1}) }},
	{"2^64 addresses of one /64", func(n int) netip.Addr {
		return inPrefix("2001:db8:1:1::", 8, n)
	}},
	{"65,536 /64s of one /48", func(n int) netip.Addr { return inPrefix("2001:db8:1::", 6, n) }},
	{"one IPv4 address by 6to4", func(n int) netip.Addr { return inPrefix("2002:3c00:1::", 6, n) }},
	{"ever new addresses, each of its own /24", func(n int) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(60 + n>>16), byte(n >> 8), byte(n), 1})
	}},
}

// inPrefix returns an address whose two bytes from at on are n.
func inPrefix(s string, at, n int) netip.Addr {
	b := netip.MustParseAddr(s).As16()
	b[at], b[at+1], b[15] = byte(n>>8), byte(n), byte(n>>16)
	return netip.AddrFrom16(b)
}

// TestPendingAttack: a thousand connections a second that say nothing, from wherever
// they come, keep no honest handshake out that takes a round trip of 150 ms, or two as
// an encrypted one does. Each third of the honest is a neighbour of attackers.
func TestPendingAttack(t *testing.T) {
	const (
		handshakes, seconds = 15, 20
		silence             = 10 * time.Second
		gap                 = seconds * 1000 / handshakes // in milliseconds
	)
	for _, v := range pendingAttackers {
		for _, trip := range []time.Duration{150 * time.Millisecond, 250 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				p := NewPending(0)
				served := 0
				for n := range seconds * 1000 {
					time.AfterFunc(silence, p.Admit(v.addr(n), func() {}).Leave)
					if n%gap == gap/2 {
						from := netip.AddrFrom4([4]byte{90, 0, byte(n / gap), 1})
						if n/gap%3 == 0 {
							from = neighbourOf(v.addr(n))
						}
						honest := p.Admit(from, func() { served-- })
						served++
						time.AfterFunc(trip, honest.Keep)
					}
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Minute)
				if served < handshakes {
					t.Errorf("%s: %d of %d handshakes of %v", v.name, served, handshakes, trip)
				}
				if n := len(p.sources.by) + len(p.networks.by); n > 2*recordsMax {
					t.Errorf("%s: %d records", v.name, n)
				}
			})
		}
	}
}

// neighbourOf returns an address of the network of ip, of another source.
func neighbourOf(ip netip.Addr) netip.Addr {
	b := NetworkOf(ip).Addr().AsSlice()
	if len(b) == 4 {
		b[3] = 254
	} else {
		b[6], b[7] = 0xff, 0xff
	}
	other, _ := netip.AddrFromSlice(b)
	return other
}
