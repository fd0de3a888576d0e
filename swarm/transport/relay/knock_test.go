package relay

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/egress"
)

// syn is the first datagram of a uTP connection.
var syn = append([]byte{0x41, 0, 0, 1}, make([]byte, 16)...)

// knocking returns an allocation for a client at ip, and the hosts that knock.
func knocking(t *testing.T, s *Server, ip string, transport Transport) (*Allocation,
	<-chan netip.Addr) {
	t.Helper()
	hosts := make(chan netip.Addr, 100)
	cfg := configFor(s, netip.MustParseAddr(ip), transport)
	cfg.Knock = func(host netip.Addr) { hosts <- host }
	a, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	eventually(t, "the server passes knocks on", func() bool {
		s.tenants.mu.Lock()
		defer s.tenants.mu.Unlock()
		for _, n := range s.tenants.clients {
			if n.lent == a.AddrPort() && n.listens {
				return true
			}
		}
		return false
	})
	return a, hosts
}

// A host that has no permit begins a connection, is let in, and is heard with its first datagram.
func TestKnock(t *testing.T) {
	for _, transport := range []Transport{UDP, TCP} {
		s := serve(t, nil)
		a, hosts := knocking(t, s, "127.0.1.1", transport)
		enter(t, a, hosts, socket(t, "127.0.2.1"))
		if got := s.Stats(); got.Knocks != 1 || got.Tenants != 1 {
			t.Errorf("%+v", got)
		}
	}
}

// The same over IPv6.
func TestKnockIPv6(t *testing.T) {
	local := netip.IPv6Loopback()
	var n *egress.Net
	if pc, err := n.ListenUDP(t.Context(), netip.AddrPortFrom(local, 0)); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		pc.Close()
	}
	s := serve(t, func(c *ServerConfig) {
		c.Listen = []netip.AddrPort{netip.AddrPortFrom(local, 0)}
		c.Lend = []Lent{{Public: local}}
	})
	a, hosts := knocking(t, s, local.String(), UDP)
	enter(t, a, hosts, socket(t, local.String()))
}

// enter lets a stranger in who knocks.
func enter(t *testing.T, a *Allocation, hosts <-chan netip.Addr, peer *net.UDPConn) {
	t.Helper()
	if _, err := peer.WriteToUDPAddrPort(syn, a.AddrPort()); err != nil {
		t.Fatal(err)
	}
	select {
	case host := <-hosts:
		letIn(t, a, host.String())
	case <-time.After(patience):
		t.Fatal("no knock")
	}
	b := make([]byte, 100)
	_ = a.SetReadDeadline(time.Now().Add(patience))
	n, from, err := a.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != string(syn) || from != addrPortOf(peer.LocalAddr()) {
		t.Fatalf("%x from %v, %v", b[:n], from, err)
	}
	send(t, a, "welcome", from)
	if got, by := receive(t, peer); got != "welcome" || by != a.AddrPort() {
		t.Errorf("the peer got %q from %v", got, by)
	}
	// The second one of the host comes as any datagram does.
	send(t, peer, "hello", a.AddrPort())
	if got, by := receive(t, a); got != "hello" || by != from {
		t.Errorf("%q from %v", got, by)
	}
}

// What is no knock stays out, as do hosts that a relay must not send to, and floods.
func TestKnocksAreFew(t *testing.T) {
	bad := netip.MustParseAddr("127.0.3.1")
	s := serve(t, func(c *ServerConfig) {
		c.Refuse = func(ip netip.Addr) bool { return ip == bad }
	})
	a, hosts := knocking(t, s, "127.0.1.1", UDP)
	peer, refused := socket(t, "127.0.2.1"), socket(t, bad.String())
	for _, b := range [][]byte{packet("data"), append(syn, make([]byte, knockMax)...), syn[:19],
		[]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")} {
		_, _ = peer.WriteToUDPAddrPort(b, a.AddrPort())
	}
	_, _ = refused.WriteToUDPAddrPort(syn, a.AddrPort())
	began := time.Now()
	eventually(t, "a flood was judged", func() bool {
		_, _ = peer.WriteToUDPAddrPort(syn, a.AddrPort())
		return s.Stats().Unpermitted >= 5*knocksBurst
	})
	most := knocksBurst + uint64(knocksRate*time.Since(began).Seconds()) + 1
	if n := s.Stats().Knocks; n < knocksBurst || n > most {
		t.Errorf("%d knocks passed, want %d to %d", n, knocksBurst, most)
	}
	for host := range drained(hosts) {
		if host != addrPortOf(peer.LocalAddr()).Addr() {
			t.Errorf("%v has knocked", host)
		}
	}
}

// drained yields what is in a channel.
func drained(hosts <-chan netip.Addr) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for {
			select {
			case host := <-hosts:
				if !yield(host) {
					return
				}
			default:
				return
			}
		}
	}
}

// A client that has not asked for knocks gets none, and the permit that means them lets nothing
// out: the unspecified address of a server is the server.
func TestKnocksAreAskedFor(t *testing.T) {
	s := serve(t, nil)
	deaf := allocate(t, s, "127.0.4.1", UDP)
	a, _ := knocking(t, s, "127.0.1.1", UDP)
	peer := socket(t, "127.0.2.1")
	_, _ = peer.WriteToUDPAddrPort(syn, deaf.AddrPort())
	eventually(t, "it is dropped", func() bool { return s.Stats().Unpermitted == 1 })
	if s.Stats().Knocks != 0 {
		t.Error("a knock for a client that has not asked")
	}
	nobody := netip.AddrPortFrom(netip.IPv4Unspecified(), 6881)
	if err := a.sendIndication(packet("x"), nobody); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing goes to this machine", func() bool { return s.Stats().Unpermitted == 2 })
}

// The permit is renewed in time, asked for again after silence, and not where it was refused.
func TestEar(t *testing.T) {
	var e ear
	if !e.due(0) {
		t.Error("a new allocation is deaf")
	}
	e.told(time.Second, nil)
	if e.due(permitRenewal) || !e.due(time.Second+permitRenewal) {
		t.Error("the permit is renewed too early or too late")
	}
	e.told(time.Hour, ErrNoAnswer)
	if !e.due(time.Hour) {
		t.Error("silence is taken for a refusal")
	}
	e.told(time.Hour, fmt.Errorf("asking: %w", &ServerError{Code: 403}))
	if e.due(24 * time.Hour) {
		t.Error("a server that refuses is asked again")
	}
}

// The porch is bounded, and gives each knock out once, while it is fresh.
func TestPorch(t *testing.T) {
	var p porch
	at := func(i int) netip.AddrPort { return netip.AddrPortFrom(hostN(i), 6881) }
	for i := range 2 * knocksMax {
		p.put(0, at(i), syn)
	}
	if n := len(p.waiting); n != knocksMax {
		t.Errorf("%d knocks wait", n)
	}
	some := []netip.Addr{hostN(0), hostN(knocksMax), hostN(knocksMax + 1)}
	if got := p.take(0, some); len(got) != 2 || got[0].from != at(knocksMax) ||
		string(got[0].data) != string(syn) {
		t.Errorf("took %v", got)
	}
	if got := p.take(0, []netip.Addr{hostN(knocksMax)}); len(got) != 0 {
		t.Errorf("took %v again", got)
	}
	if got := p.take(knockLife+1, []netip.Addr{hostN(knocksMax + 2)}); len(got) != 0 ||
		len(p.waiting) != 0 {
		t.Errorf("took %v too late, %d left", got, len(p.waiting))
	}
}

// What a server says is in a knock is read strictly.
func TestParseKnock(t *testing.T) {
	for _, from := range []string{"192.0.2.1:6881", "[2001:db8::1]:1024"} {
		at := netip.MustParseAddrPort(from)
		b := append(appendCompact(nil, at), syn...)
		got, data, ok := parseKnock(b, at.Addr().Is4())
		if !ok || got != at || string(data) != string(syn) {
			t.Errorf("%v: %v, %x, %v", at, got, data, ok)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "only an address": "c00002011ae1", "a service": "c0000201003541",
		"nobody": "000000001ae1", "no knock": "c00002011ae101",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if from, _, ok := parseKnock(append(b, make([]byte, 19)...), true); ok {
			t.Errorf("%s: %v", name, from)
		}
	}
}

func FuzzParseKnock(f *testing.F) {
	f.Add(append(appendCompact(nil, netip.MustParseAddrPort("192.0.2.1:6881")), syn...), true)
	f.Add(append(appendCompact(nil, netip.MustParseAddrPort("[2001:db8::1]:6881")), syn...), false)
	f.Fuzz(func(t *testing.T, b []byte, is4 bool) {
		from, data, ok := parseKnock(b, is4)
		if !ok {
			return
		}
		if again := append(appendCompact(nil, from), data...); string(again) != string(b) {
			t.Errorf("%x is read as %x", b, again)
		}
	})
}
