package reach

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A stage is a Machine on a clock of its own.
type stage struct {
	t   *testing.T
	m   *Machine
	now time.Time
}

func newStage(t *testing.T) *stage {
	now := time.Unix(1_000_000, 0)
	return &stage{t, New(now), now}
}

// port is ours in all tests.
const port = 6881

// home is our address behind a router.
var home = netip.MustParseAddr("192.168.1.2")

// voter returns a host of another network for each n.
func voter(n int) netip.Addr { return netip.AddrFrom4([4]byte{60, byte(n >> 8), byte(n), 9}) }

// voter6 is the same of IPv6.
func voter6(n int) netip.Addr {
	ip := netip.MustParseAddr("2a02::9").As16()
	ip[4], ip[5] = byte(n>>8), byte(n)
	return netip.AddrFrom16(ip)
}

// at makes the machine be at addresses, and listen on all of them.
func (s *stage) at(machine ...netip.Addr) {
	s.m.Observe(s.now, Bound{Machine: machine, Listen: []netip.AddrPort{
		netip.AddrPortFrom(netip.IPv4Unspecified(), port),
		netip.AddrPortFrom(netip.IPv6Unspecified(), port)}})
}

// do performs a script of words, each of which is one observation or some time that passes:
//
//	a@50.0.0.1:7  voter a, a letter, sees us at an address; without a port if it has none
//	+30s          so much time passes
//	udp, udp6, port, tcp  a stranger comes; or a known host from another port
//	map:50.0.0.1:7, tcpmap:... a router maps our UDP port, or that of TCP
//	asking, nomap, off   what is known of routers
//	moved, silent, relay, used
func (s *stage) do(script string) {
	s.t.Helper()
	var mapped Mappings
	stranger := netip.MustParseAddrPort("70.1.2.3:4000")
	for _, word := range strings.Fields(script) {
		who, as, votes := strings.Cut(word, "@")
		kind, at, _ := strings.Cut(word, ":")
		var o Observation
		switch {
		case votes:
			o = Seen{By: voter(int(who[0])), As: address(as), Via: DHT}
			if address(as).Addr().Is6() {
				o = Seen{By: voter6(int(who[0])), As: address(as), Via: DHT}
			}
		case word[0] == '+':
			d, err := time.ParseDuration(word[1:])
			if err != nil {
				s.t.Fatal(err)
			}
			s.pass(d)
			continue
		case word == "udp6":
			o = Came{From: netip.MustParseAddrPort("[2a03::1]:5"), Via: UTP}
		case word == "udp":
			o = Came{From: stranger, Via: UTP}
		case word == "port":
			o = Came{From: stranger, Via: DHT, Known: true}
		case word == "tcp":
			o = Came{From: stranger, Via: TCP}
		case kind == "map", kind == "tcpmap":
			mapped.Ports = append(mapped.Ports, MappedPort{TCP: kind == "tcpmap", Port: port,
				External: netip.MustParseAddrPort(at), By: "UPnP"})
			o = mapped
		case word == "asking":
			o = Mappings{Asking: true}
		case word == "nomap":
			o = Mappings{}
		case word == "off":
			o = Mappings{Off: true}
		case word == "moved":
			o = Moved{}
		case word == "used":
			o = Used{Until: s.now.Add(time.Hour)}
		case word == "silent":
			o = Silent{On: true}
		case word == "relay":
			o = Relayed{Addrs: []netip.AddrPort{netip.MustParseAddrPort("80.0.0.1:3500")}}
		default:
			s.t.Fatalf("no word %q", word)
		}
		was := s.m.Standing()
		if changed := s.m.Observe(s.now, o); changed == was.Equal(s.m.Standing()) {
			s.t.Errorf("at %q: changed is %v, from %v to %v", word, changed, was, s.m.Standing())
		}
	}
}

// pass lets time pass, and calls Tick when the machine wants it and at no other time.
func (s *stage) pass(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for range 1000 {
		next := s.m.NextTick(s.now)
		if next.IsZero() || next.After(end) {
			s.now = end
			if was := s.m.Standing(); s.m.Tick(s.now) {
				s.t.Errorf("%v became %v, and NextTick did not say when", was, s.m.Standing())
			}
			return
		}
		if !next.After(s.now) {
			s.t.Fatalf("NextTick is %v at %v", next, s.now)
		}
		s.now = next
		s.m.Tick(s.now)
	}
	s.t.Fatalf("more than 1000 ticks in %v", d)
}

// address reads an address with or without a port.
func address(s string) netip.AddrPort {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at
	}
	return netip.AddrPortFrom(netip.MustParseAddr(s), 0)
}

// The votes of three networks: on one port, and each on another one.
const (
	same   = "a@50.0.0.1:7 b@50.0.0.1:7 c@50.0.0.1:7 "
	varies = "a@50.0.0.1:7 b@50.0.0.1:8 c@50.0.0.1:9 "
	kept   = "a@50.0.0.1:6881 b@50.0.0.1:6881 c@50.0.0.1:6881 "
)

// TestStandings draws what is observed at home, behind a NAT, and what follows.
func TestStandings(t *testing.T) {
	for _, c := range []struct {
		why, script string
		want        string // UTP, TCP, mapping, filtering, ports, external
		line        string // a part of what the user is told
	}{
		{"nothing is known", "",
			"unknown unknown unknown unknown unknown",
			"not known yet how others reach us: too few"},
		{"one voter is too few", "a@50.0.0.1:7 a@50.0.0.1:7",
			"unknown unknown unknown unknown unknown", "not known yet"},
		{"two of four decide nothing", "a@50.0.0.1:7 b@51.0.0.1:7 c@52.0.0.1:7 d@51.0.0.1:7",
			"unknown unknown unknown unknown unknown", "not known yet"},
		{"three of five do", "a@50.0.0.1:7 b@51.0.0.1:7 c@52.0.0.1:7 d@51.0.0.1:7 e@51.0.0.1:7",
			"punch none endpoint-independent unknown changed 51.0.0.1:7", ""},
		{"a NAT that nobody has come through", same,
			"punch none endpoint-independent unknown changed 50.0.0.1:7",
			"only by hole punching, seen at 50.0.0.1:7: the router translates our address"},
		{"and nobody comes", same + "nomap +30s",
			"punch none endpoint-independent restricted changed 50.0.0.1:7",
			"the router lets in only hosts that we have sent to, and no router maps our port"},
		{"a NAT that keeps ports", kept,
			"punch none endpoint-independent unknown preserved 50.0.0.1:6881", ""},
		{"a full cone", same + "udp",
			"open none endpoint-independent open changed 50.0.0.1:7",
			"over uTP at 50.0.0.1:7, not over TCP: hosts that we had not asked have reached us"},
		{"who was sent to by an earlier process", "used " + same + "udp port +4m udp port",
			"punch none endpoint-independent restricted changed 50.0.0.1:7", ""},
		{"minutes after the earlier process", "used " + same + "+5m udp",
			"open none endpoint-independent open changed 50.0.0.1:7", ""},
		{"and by TCP at once", "used " + same + "tcp",
			"punch open endpoint-independent unknown changed 50.0.0.1:7", ""},
		{"a full cone that is found out late", same + "+40s udp",
			"open none endpoint-independent open changed 50.0.0.1:7", ""},
		{"an address-restricted cone", same + "port",
			"punch none endpoint-independent by address changed 50.0.0.1:7",
			"the router lets in only hosts that we have sent to"},
		{"a symmetric NAT", varies + "nomap",
			"relay none varies unknown changed 50.0.0.1:0",
			"only through a relay, and there is none: the router gives us another port for " +
				"each destination, and no router maps our port"},
		{"a symmetric NAT and a relay", varies + "off relay",
			"relay none varies unknown changed 50.0.0.1:0",
			"only through a relay at 80.0.0.1:3500: the router gives us another port for each " +
				"destination, and port mapping is switched off"},
		{"two ports are too little to tell", "a@50.0.0.1:7 b@50.0.0.1:8",
			"unknown none unknown unknown unknown 50.0.0.1:0", "at which port"},
		{"and after a while we punch", "a@50.0.0.1:7 b@50.0.0.1:8 +30s",
			"punch none unknown restricted unknown 50.0.0.1:0", "hole punching, seen at 50.0.0.1:"},
		{"the router is being asked", "asking " + same,
			"unknown unknown endpoint-independent unknown changed 50.0.0.1:7", "routers are asked"},
		{"and does not answer", "asking " + same + "+1s asking +1s",
			"punch none endpoint-independent unknown changed 50.0.0.1:7", ""},
		{"the router maps both", same + "map:50.0.0.1:9 tcpmap:50.0.0.1:9",
			"mapped mapped endpoint-independent unknown changed 50.0.0.1:9",
			"reachable over TCP and uTP at 50.0.0.1:9: the router maps port 9 (UPnP)"},
		{"with other ports", varies + "map:50.0.0.1:9 tcpmap:50.0.0.1:8",
			"mapped mapped varies unknown changed 50.0.0.1:9",
			"over TCP at 50.0.0.1:8 and over uTP at 50.0.0.1:9: "},
		{"before anybody sees us", "map:50.0.0.1:9",
			"mapped unknown unknown unknown unknown 50.0.0.1:9",
			"reachable over uTP at 50.0.0.1:9"},
		{"a carrier's NAT behind the router", varies + "map:100.64.0.9:9 tcpmap:100.64.0.9:9",
			"relay none varies unknown changed 50.0.0.1:0",
			"the NAT of the carrier gives us another port for each destination, and the mapping " +
				"of our own router ends before it"},
		{"a second router behind the router", same + "map:192.168.9.9:9",
			"punch none endpoint-independent unknown changed 50.0.0.1:7",
			"a second router translates our address, and the mapping"},
		{"a router that lies of its address", same + "map:51.0.0.1:9 tcpmap:51.0.0.1:9",
			"punch none endpoint-independent unknown changed 50.0.0.1:7", "ends before it"},
		{"a pinned mapping of TCP alone", same + "tcp",
			"punch open endpoint-independent unknown changed 50.0.0.1:7",
			"reachable over TCP at 50.0.0.1:6881"},
		{"no datagram is answered", "silent +1h",
			"none unknown unknown unknown unknown", "not reachable: datagrams get no answer"},
		{"but a relay is reached over TCP", "silent relay",
			"relay unknown unknown unknown unknown", "only through a relay at 80.0.0.1:3500"},
		{"a move", same + "udp tcp moved",
			"unknown unknown unknown unknown unknown", "not known yet"},
		{"arrivals prove nothing for ever", same + "udp tcp +20m " + same + "+20m " + same + "+20m",
			"punch none endpoint-independent restricted changed 50.0.0.1:7", ""},
		{"votes are forgotten", same + "+30m", "unknown unknown unknown unknown unknown", ""},
	} {
		s := newStage(t)
		s.at(home)
		s.do(c.script)
		is := s.m.Standing()
		got := strings.Join([]string{is.UTP.String(), is.TCP.String(), is.Mapping.String(),
			is.Filtering.String(), is.Ports.String()}, " ")
		if is.External4.IsValid() {
			got += " " + is.External4.String()
		}
		if got != c.want || !strings.Contains(is.String(), c.line) {
			t.Errorf("%s: %q leads to\n%s (%v), want\n%s (%s)", c.why, c.script, got, is, c.want,
				c.line)
		}
	}
}

// TestPlaces draws what this machine and what others say of it mean.
func TestPlaces(t *testing.T) {
	at := func(list ...string) (all []netip.Addr) {
		for _, ip := range list {
			all = append(all, netip.MustParseAddr(ip))
		}
		return all
	}
	six := "2a01:db9::2"
	seen6 := "a@[2a01:db9::2]:6881 b@[2a01:db9::2]:6881 c@[2a01:db9::2]:6881 "
	for _, c := range []struct {
		why     string
		machine []netip.Addr
		script  string
		want    string // UTP, TCP
		line    string
	}{
		{"a public address", at("50.0.0.1"), "", "open open",
			"over TCP and uTP at 50.0.0.1:6881: this machine has a public address"},
		{"a public address that others see", at("50.0.0.1", "10.0.0.1"), kept, "open open",
			"over TCP and uTP at 50.0.0.1:6881"},
		{"nobody has come to it for minutes", at("50.0.0.1"), kept + "+3m", "punch none",
			"a firewall lets in only hosts that we have sent to"},
		{"somebody has", at("50.0.0.1"), kept + "udp +3m", "open open", "have reached us"},
		{"somebody connects over TCP alone", at("50.0.0.1"), kept + "tcp +3m", "punch open", ""},
		{"others see another one than the public one", at("51.0.0.1"), same, "punch none", ""},
		{"a carrier's NAT", at("100.64.1.1"), varies, "relay none", "the NAT of the carrier gives"},
		{"no network", at(), "", "none none", "this machine has no network"},
		{"link-local IPv6 alone", at("fe80::1"), "", "none none",
			"no address that leads to the internet"},
		{"IPv6 whose firewall is not known", at(six), seen6, "unknown unknown",
			"nobody has come to it yet"},
		{"IPv6 behind a firewall", at(six), seen6 + "+3m", "punch none", "a firewall lets in only"},
		{"IPv6 that is open", at(six), seen6 + "udp6", "open open",
			"over TCP and uTP at [2a01:db9::2]:6881"},
		{"IPv6 with a pinhole", at(six), seen6 + "map:[2a01:db9::2]:6881 tcpmap:[2a01:db9::2]:6881",
			"mapped mapped", "the router maps port 6881"},
		{"the better family counts", at("192.168.1.2", six), varies + seen6 + "udp6", "open open",
			"at [2a01:db9::2]:6881"},
		{"an answer comes before none", at("192.168.1.2", six), same + seen6, "punch unknown", ""},
		{"translated IPv6", at("192.168.1.2", "fd00::1"), seen6, "punch unknown", ""},
	} {
		s := newStage(t)
		s.at(append([]netip.Addr{}, c.machine...)...)
		s.do(c.script)
		is := s.m.Standing()
		if got := is.UTP.String() + " " + is.TCP.String(); got != c.want ||
			!strings.Contains(is.String(), c.line) {
			t.Errorf("%s: %q is %s (%v), want %s (%s)", c.why, c.script, got, is, c.want, c.line)
		}
	}
}

// What is switched off is no way in.
func TestSwitches(t *testing.T) {
	any4 := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:6881")}
	public := []netip.Addr{netip.MustParseAddr("50.0.0.1")}
	for _, c := range []struct {
		bound Bound
		line  string
	}{
		{Bound{Listen: any4, Machine: public, NoUTP: true},
			"reachable over TCP at 50.0.0.1:6881: this machine has a public address"},
		{Bound{Listen: any4, Machine: public, NoTCP: true},
			"reachable over uTP at 50.0.0.1:6881, not over TCP: this machine has a public address"},
		{Bound{Machine: public, Proxied: true}, "not reachable: everything leads through a proxy"},
		{Bound{Listen: []netip.AddrPort{netip.MustParseAddrPort("[::1]:5")}, Machine: public},
			"not reachable: we listen for programs of this machine alone"},
		{Bound{Machine: public}, "not reachable: we listen nowhere"},
		{Bound{Listen: any4}, "not known yet how others reach us: too few others have told"},
	} {
		m := New(time.Now())
		if m.Observe(time.Now(), c.bound); !strings.HasPrefix(m.Standing().String(), c.line) {
			t.Errorf("%+v: %v, want %s", c.bound, m.Standing(), c.line)
		}
		local := strings.Contains(c.line, "proxy") || strings.Contains(c.line, "alone")
		if m.Standing().Alone != local {
			t.Errorf("%+v: alone is %v", c.bound, m.Standing().Alone)
		}
	}
	if is := New(time.Now()).Standing(); is.String() !=
		"not known yet how others reach us: nothing is known yet" {
		t.Error(is)
	}
}

// A router that gets another address, or that forgets our port, is noticed after a few
// answers, however many older ones there are. A change of our own addresses is noticed at once.
func TestChangesAreNoticed(t *testing.T) {
	s := newStage(t)
	s.at(home)
	var old, port, addr strings.Builder
	for who := 'a'; who <= 'p'; who++ {
		old.WriteString(string(who) + "@50.0.0.1:7 ")
	}
	for who := 'q'; who < 'q'+runNeeded; who++ {
		port.WriteString(string(who) + "@50.0.0.1:8 ")
		addr.WriteString(string(who) + "@51.0.0.1:8 ")
	}
	external := func(want string) {
		t.Helper()
		if is := s.m.Standing(); is.External4.String() != want {
			t.Errorf("external address %v, want %s", is.External4, want)
		}
	}
	s.do(old.String() + "udp")
	external("50.0.0.1:7")
	s.do(port.String())
	external("50.0.0.1:8")
	if s.m.Standing().UTP != Open {
		t.Error("another port makes the NAT another one")
	}
	s.do(addr.String())
	external("51.0.0.1:8")
	if s.m.Standing().UTP != Punch {
		t.Error("who has come to the old address counts for the new one")
	}
	s.at(netip.MustParseAddr("192.168.7.2"))
	external("invalid AddrPort")
	s.do("q@51.0.0.1:8 r@51.0.0.1:8")
	s.at(netip.MustParseAddr("192.168.7.2")) // the same again
	external("51.0.0.1:8")
}
