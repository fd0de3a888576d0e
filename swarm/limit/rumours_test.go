package limit

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// An inventor names addresses of one innocent host or network.
type inventor struct {
	name string
	next func(r *rand.Rand) netip.AddrPort
	most int // dials a minute
}

func within(prefix string, r *rand.Rand) netip.AddrPort {
	p := netip.MustParsePrefix(prefix)
	b := p.Addr().AsSlice()
	var tail [16]byte
	binary.BigEndian.PutUint64(tail[:], r.Uint64())
	binary.BigEndian.PutUint64(tail[8:], r.Uint64())
	for i := range b {
		if bit := 8 * i; bit >= p.Bits() {
			b[i] = tail[i]
		}
	}
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip, uint16(1+r.IntN(65535)))
}

var inventors = []inventor{
	{"one IPv4 address, any port", func(r *rand.Rand) netip.AddrPort {
		return within("30.1.2.3/32", r)
	}, DialsPerSourceMax},
	{"one /64", func(r *rand.Rand) netip.AddrPort { return within("2001:db8:1:2::/64", r) },
		DialsPerSourceMax},
	{"its IPv4 address by 6to4", func(r *rand.Rand) netip.AddrPort {
		return within("2002:1e01:203::/48", r)
	}, DialsPerSourceMax},
	{"its IPv4 address mapped", func(r *rand.Rand) netip.AddrPort {
		return within("::ffff:30.1.2.3/128", r)
	}, DialsPerSourceMax},
	{"its IPv4 address by Teredo", func(r *rand.Rand) netip.AddrPort {
		a := within("2001::/32", r)
		b := a.Addr().As16()
		copy(b[12:], []byte{^byte(30), ^byte(1), ^byte(2), ^byte(3)})
		return netip.AddrPortFrom(netip.AddrFrom16(b), a.Port())
	}, DialsPerSourceMax},
	{"another one of loopback, any port", func(r *rand.Rand) netip.AddrPort {
		return within("127.0.0.77/32", r)
	}, DialsPerSourceMax},
	{"a private one", func(r *rand.Rand) netip.AddrPort { return within("10.0.0.7/32", r) },
		DialsPerSourceMax},
	{"a unique local /64", func(r *rand.Rand) netip.AddrPort {
		return within("fd00:1:2:3::/64", r)
	}, DialsPerSourceMax},
	{"one /24", func(r *rand.Rand) netip.AddrPort { return within("30.1.2.0/24", r) },
		DialsPerNetworkMax},
	{"one /24 of loopback", func(r *rand.Rand) netip.AddrPort { return within("127.1.2.0/24", r) },
		DialsPerNetworkMax},
	{"one /48", func(r *rand.Rand) netip.AddrPort { return within("2001:db8:1::/48", r) },
		DialsPerNetworkMax},
	{"our own address, any port", func(r *rand.Rand) netip.AddrPort {
		return within("127.0.0.1/32", r)
	}, dialsHomeMax},
}

// However an innocent host or network is named, it is dialled a few times a minute,
// within any minute, by all torrents together.
func TestRumoursOfTheInnocent(t *testing.T) {
	for _, v := range inventors {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			d := NewDials(0, NewHome([]netip.Addr{netip.IPv4Unspecified()}))
			var at []time.Duration
			start := time.Now()
			for i := range 20 * 300 {
				to := Destination{Addr: v.next(r)}
				switch err := d.Acquire(t.Context(), i%7, to); {
				case err == nil:
					at = append(at, time.Since(start))
					d.Release(i % 7)
				case !errors.Is(err, ErrTooOften):
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			for i := v.most; i < len(at); i++ {
				if at[i]-at[i-v.most] < time.Minute {
					t.Fatalf("%s: more than %d dials within a minute", v.name, v.most)
				}
			}
			if len(at) < 4*v.most {
				t.Errorf("%s: %d dials in five minutes, want %d", v.name, len(at), 5*v.most)
			}
		})
	}
}

// Each connection of an attempt counts: a host that hangs up on the plain handshake is
// dialled again with an encrypted one.
func TestAgainCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDials(0, nil)
		to := Destination{Addr: netip.MustParseAddrPort("30.0.0.1:1")}
		if err := d.Acquire(t.Context(), 1, to); err != nil {
			t.Fatal(err)
		}
		connections := 1
		for d.Again(to) == nil {
			connections++
		}
		if connections != DialsPerSourceMax {
			t.Errorf("%d connections, want %d", connections, DialsPerSourceMax)
		}
		d.Met(to, 2)
		for d.Again(to) == nil {
			connections++
		}
		if want := DialsPerSourceMax + 2; connections != want {
			t.Errorf("%d connections when two led to a peer, want %d", connections, want)
		}
	})
}

// A swarm whose peers all live in one network meets without delay: dials that lead to
// a peer count no more.
func TestSwarmOfOneNetwork(t *testing.T) {
	for _, prefix := range []string{"10.1.2.0/24", "127.3.4.0/24", "2001:db8:1:2::/64",
		"127.0.0.1/32"} {
		synctest.Test(t, func(t *testing.T) {
			d := NewDials(0, NewHome([]netip.Addr{netip.MustParseAddr("127.0.0.1")}))
			r := rand.New(rand.NewPCG(3, 4))
			for i := range 100 {
				to := Destination{Addr: within(prefix, r)}
				if err := d.Acquire(t.Context(), i, to); err != nil {
					t.Fatalf("%s: peer %d: %v", prefix, i, err)
				}
				d.Met(to, 1)
				d.Release(i)
			}
		})
	}
}

// What the user named is no rumour: it is dialled once a second if need be, and says
// nothing against what strangers name, nor the other way round.
func TestNamedByTheUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDials(0, nil)
		addr := netip.MustParseAddrPort("30.0.0.1:1")
		dials := func(told Told) (n int) {
			for i := range 200 {
				if err := d.Acquire(t.Context(), i, Destination{addr, told}); err == nil {
					n++
					d.Release(i)
				}
			}
			return n
		}
		if n := dials(ByRumour); n != DialsPerSourceMax {
			t.Errorf("%d dials by rumour, want %d", n, DialsPerSourceMax)
		}
		if n := dials(ByUser); n != DialsNamedMax {
			t.Errorf("%d dials to what the user named, want %d", n, DialsNamedMax)
		}
		if n := dials(Introduced); n != DialsPerSourceMax {
			t.Errorf("%d dials by introduction, want %d", n, DialsPerSourceMax)
		}
		if n := dials(ByItself); n != 200 {
			t.Errorf("%d of 200 dials to a known peer", n)
		}
		time.Sleep(time.Hour)
		if n := dials(ByUser); n != DialsNamedMax {
			t.Errorf("%d dials to what the user named, want %d", n, DialsNamedMax)
		}
		if n := dials(ByRumour); n != DialsPerSourceMax {
			t.Errorf("%d dials by rumour after those, want %d", n, DialsPerSourceMax)
		}
	})
}
