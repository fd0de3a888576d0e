package reach

import (
	"net/netip"
	"testing"
	"time"
)

// A script is what a fuzzer makes happen to a Machine.
type script []byte

// next takes a byte; 0 at the end.
func (s *script) next() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

// addr takes an address of one of the kinds that matter.
func (s *script) addr() netip.Addr {
	kind, b := s.next(), s.next()
	switch kind % 8 {
	case 0:
		return netip.AddrFrom4([4]byte{50, 0, 0, b})
	case 1:
		return netip.AddrFrom4([4]byte{60, b, b, 1})
	case 2:
		return netip.AddrFrom4([4]byte{192, 168, 1, b})
	case 3:
		return netip.AddrFrom4([4]byte{100, 64, 0, b})
	case 4:
		return netip.AddrFrom16([16]byte{0x2a, 1, b, 5: 1})
	case 5:
		return netip.AddrFrom16(netip.AddrFrom4([4]byte{50, 0, 0, b}).As16())
	case 6:
		return netip.AddrFrom4([4]byte{b, b, b, b})
	}
	return netip.Addr{}
}

func (s *script) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(s.addr(), uint16(s.next())%4+port-1)
}

// list takes a few addresses.
func (s *script) list() (all []netip.AddrPort) {
	for range s.next() % 5 {
		all = append(all, s.addrPort())
	}
	return all
}

// observation takes an observation; nil stands for the time alone.
func (s *script) observation() Observation {
	switch kind := s.next(); kind % 9 {
	case 0, 1:
		return Seen{By: s.addr(), As: s.addrPort(), Via: Via(kind)}
	case 2:
		return Came{From: s.addrPort(), Via: Via(kind / 9), Known: kind > 127}
	case 3:
		o := Mappings{Asking: kind > 127, Off: kind > 60}
		for _, at := range s.list() {
			o.Ports = append(o.Ports, MappedPort{TCP: s.next() > 127, Port: port, External: at})
		}
		return o
	case 4:
		o := Bound{Proxied: kind > 240, NoUTP: kind > 200, NoTCP: kind > 220, Listen: s.list()}
		for _, at := range s.list() {
			o.Machine = append(o.Machine, at.Addr())
		}
		return o
	case 5:
		return Moved{}
	case 6:
		return Relayed{Addrs: s.list()}
	case 7:
		if kind > 200 {
			return Used{Until: time.Unix(1_000_000+int64(kind), 0)}
		}
		return Silent{On: kind > 127}
	}
	return nil
}

// FuzzMachine gives a Machine observations in any order and at any time. It stays within its
// bounds, says when it changes, and believes no single network.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{4, 1, 2, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 2, 0, 0, 2, 0, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, now := script(b), time.Unix(1_000_000, 0)
		m := New(now)
		voters := make(map[netip.Prefix]bool)
		for len(s) > 0 {
			now = now.Add(time.Duration(s.next()) * time.Second)
			was, o := m.Standing(), s.observation()
			var changed bool
			if seen, ok := o.(Seen); ok && seen.By.IsValid() {
				voters[network(clean(seen.By))] = true
			}
			if o == nil {
				changed = m.Tick(now)
			} else {
				changed = m.Observe(now, o)
			}
			is := m.Standing()
			if changed == is.Equal(was) {
				t.Fatalf("changed is %v, from %+v to %+v", changed, was, is)
			}
			if next := m.NextTick(now); !next.IsZero() && o == nil && !next.After(now) {
				t.Fatalf("the next tick after one at %v is at %v", now, next)
			}
			if is.Why == "" || is.String() == "" || is.TCP > None || is.UTP > None {
				t.Fatalf("no standing: %+v", is)
			}
			for i := range m.families {
				e := &m.families[i].election
				if len(e.votes) > votersMax || e.addr.IsValid() && len(voters) < votersNeeded {
					t.Fatalf("%d votes, of %d networks, elect %v", len(e.votes), len(voters),
						e.addr)
				}
			}
		}
	})
}
