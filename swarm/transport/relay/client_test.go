package relay

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/transport/udpmux"
)

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatal("not within " + patience.String() + ": " + what)
		}
	}
}

// Datagrams go both ways through the relayed address, whether there is a channel yet or not.
func TestRelay(t *testing.T) {
	for name, transport := range map[string]Transport{"UDP": UDP, "TCP": TCP} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			a := allocate(t, s, "127.0.1.1", transport)
			peer := socket(t, "127.0.2.1")
			letIn(t, a, "127.0.2.1")
			at := addrPortOf(peer.LocalAddr())
			if addrPortOf(a.LocalAddr()) != a.AddrPort() || a.AddrPort().Addr() != loopback ||
				a.AddrPort() == s.Addrs()[0] || a.Server() != s.Addrs()[0] ||
				a.Mapped().Addr() != netip.MustParseAddr("127.0.1.1") {
				t.Errorf("relayed %v by %v, mapped %v", a.AddrPort(), a.Server(), a.Mapped())
			}
			for _, text := range []string{"", "1", "22", "333", "4444", "55555"} {
				send(t, a, text, at)
				if got, from := receive(t, peer); got != text || from != a.AddrPort() {
					t.Fatalf("the peer got %q of %v", got, from)
				}
				send(t, peer, text+" back", a.AddrPort())
				if got, from := receive(t, a); got != text+" back" || from != at {
					t.Fatalf("got %q of %v", got, from)
				}
			}
			eventually(t, "a channel", func() bool {
				n, _, _ := a.peers.way(a.now(), at)
				return n != 0
			})
			for range 3 {
				send(t, a, "on the channel", at)
				if got, _ := receive(t, peer); got != "on the channel" {
					t.Errorf("the peer got %q", got)
				}
				send(t, peer, "back", a.AddrPort())
				if got, from := receive(t, a); got != "back" || from != at {
					t.Errorf("got %q of %v", got, from)
				}
			}
		})
	}
}

// Without a permit nothing passes, in either direction.
func TestWithoutPermit(t *testing.T) {
	s := serve(t, nil)
	a := allocate(t, s, "127.0.1.1", UDP)
	stranger, friend := socket(t, "127.0.3.1"), socket(t, "127.0.2.1")
	letIn(t, a, "127.0.2.1")
	if _, err := a.WriteTo(packet(""), stranger.LocalAddr()); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("writing to a stranger: %v", err)
	}
	send(t, stranger, "no", a.AddrPort())
	send(t, friend, "yes", a.AddrPort())
	if got, _ := receive(t, a); got != "yes" {
		t.Errorf("got %q", got)
	}
	if n := s.Stats().Unpermitted; n != 1 {
		t.Errorf("%d datagrams were not relayed", n)
	}
	_, err := a.WriteTo(make([]byte, payloadMax+1), friend.LocalAddr())
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("writing too much: %v", err)
	}
	err = a.Permit(t.Context(), []netip.Addr{netip.MustParseAddr("2a00::1")})
	if !errors.Is(err, ErrForbidden) {
		t.Errorf("a permit of another family: %v", err)
	}
}

// Close gives the address back, and ends everything that waits.
func TestClose(t *testing.T) {
	for name, transport := range map[string]Transport{"UDP": UDP, "TCP": TCP} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			a := allocate(t, s, "127.0.1.1", transport)
			reading := make(chan error, 1)
			go func() {
				_, _, err := a.ReadFrom(make([]byte, 100))
				reading <- err
			}()
			a.Close()
			a.Close()
			if err := <-reading; !errors.Is(err, net.ErrClosed) {
				t.Errorf("reading: %v", err)
			}
			if err := a.Err(); !errors.Is(err, net.ErrClosed) || errors.Is(err, ErrGone) {
				t.Errorf("the end: %v", err)
			}
			if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a deadline: %v", err)
			}
			eventually(t, "the server has no allocation", func() bool {
				return s.Stats().Tenants == 0
			})
			allocate(t, s, "127.0.1.1", transport)
		})
	}
}

func TestReadDeadline(t *testing.T) {
	a := allocate(t, serve(t, nil), "127.0.1.1", UDP)
	_ = a.SetReadDeadline(time.Now().Add(-time.Second))
	_, _, err := a.ReadFrom(make([]byte, 100))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("reading after the deadline: %v", err)
	}
	_ = a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, _, err = a.ReadFrom(make([]byte, 100)); !errors.As(err, &timeout) {
		t.Errorf("reading until the deadline: %v", err)
	}
}

// The end of a server is found out at once where the system reports it, and within four
// seconds elsewhere.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		transport Transport
		shared    bool
		most      time.Duration
	}{
		{"UDP", UDP, false, 2 * time.Second},
		{"TCP", TCP, false, 2 * time.Second},
		{"a shared port", UDP, true, 4 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil)
			cfg := configFor(s, netip.MustParseAddr("127.0.1.1"), c.transport)
			if c.shared {
				m := udpmux.New(socket(t, "127.0.1.1"))
				defer m.Close()
				cfg.Shared = Share(m)
			}
			a, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			letIn(t, a, "127.0.2.1")
			peer := netip.MustParseAddrPort("127.0.2.1:6881")
			send(t, a, "", peer)
			s.Close()
			start := time.Now()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for a.Err() == nil && time.Since(start) < patience {
				_, _ = a.WriteToUDPAddrPort(packet(""), peer)
				<-tick.C
			}
			// Twice the time, for a machine that is busy.
			if took := time.Since(start); !errors.Is(ended(t, a), ErrGone) || took > 2*c.most {
				t.Errorf("%v after %v", a.Err(), took)
			}
		})
	}
}

func TestWrongCredentials(t *testing.T) {
	s := serve(t, nil)
	ip := netip.MustParseAddr("127.0.1.1")
	for _, c := range []struct {
		name   string
		change func(*Config)
	}{
		{"another password", func(c *Config) { c.Server.Password += "x" }},
		{"another user", func(c *Config) { c.Server.User = "1" }},
		{"no user", func(c *Config) { c.Server.User, c.Server.Password = "", "" }},
		{"from another address", func(c *Config) { c.Local = netip.MustParseAddr("127.0.1.2") }},
	} {
		for _, transport := range []Transport{UDP, TCP, Auto} {
			cfg := configFor(s, ip, transport)
			c.change(&cfg)
			a, err := Dial(t.Context(), cfg)
			if err == nil {
				a.Close()
			}
			if !errors.Is(err, ErrCredentials) {
				t.Errorf("%s, transport %d: %v", c.name, transport, err)
			}
		}
	}
	if got := s.Stats(); got.Denied == 0 || got.Admitted != 0 {
		t.Errorf("%+v", got)
	}
}

// Where UDP gets no answer, TCP is tried.
func TestOverTCPWithoutUDP(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	// A server whose UDP port is closed: a forwarder of TCP alone.
	var n *egress.Net
	l, err := n.ListenTCP(t.Context(), netip.MustParseAddrPort("127.0.4.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		to, err := n.DialTCP(t.Context(), netip.MustParseAddr("127.0.1.1"), s.Addrs()[0])
		if err != nil {
			return
		}
		defer to.Close()
		go io.Copy(conn, to)
		io.Copy(to, conn)
	}()
	cfg := configFor(s, netip.MustParseAddr("127.0.1.1"), Auto)
	cfg.Server.Host, cfg.Server.Port = "127.0.4.1", addrPortOf(l.Addr()).Port()
	a, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
}

// A port serves the DHT, uTP and allocations on several servers at the same time.
func TestShared(t *testing.T) {
	m := udpmux.New(socket(t, "127.0.1.1"))
	defer m.Close()
	shared := Share(m)
	uTP := make(chan string, 1)
	m.Handle(udpmux.ClassUTP, func(batch []udpmux.Datagram) { uTP <- string(batch[0].Data[20:]) })
	peer := socket(t, "127.0.2.1")
	var all []*Allocation
	for range 2 {
		s := serve(t, nil)
		cfg := configFor(s, netip.MustParseAddr("127.0.1.1"), UDP)
		cfg.Shared = shared
		a, err := Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if a.Mapped() != m.AddrPort() {
			t.Errorf("mapped to %v, the port is %v", a.Mapped(), m.AddrPort())
		}
		if _, err := Dial(t.Context(), cfg); !errors.Is(err, errSameServer) {
			t.Errorf("a second allocation on one server: %v", err)
		}
		letIn(t, a, "127.0.2.1")
		all = append(all, a)
	}
	for i := range 10 {
		a := all[i%2]
		send(t, a, "out", addrPortOf(peer.LocalAddr()))
		if got, from := receive(t, peer); got != "out" || from != a.AddrPort() {
			t.Errorf("the peer got %q of %v", got, from)
		}
		send(t, peer, "in", a.AddrPort())
		if got, _ := receive(t, a); got != "in" {
			t.Errorf("got %q", got)
		}
	}
	send(t, peer, "direct", m.AddrPort())
	if got := <-uTP; got != "direct" {
		t.Errorf("uTP got %q", got)
	}
	// Nobody but a server gives an allocation data.
	forged := appendChannel(nil, channelFirst, packet("forged"), false)
	if _, err := peer.WriteToUDPAddrPort(forged, m.AddrPort()); err != nil {
		t.Fatal(err)
	}
	send(t, peer, "true", all[0].AddrPort())
	if got, _ := receive(t, all[0]); got != "true" {
		t.Errorf("got %q", got)
	}
}

// A node that has crashed gets an allocation for the same port at once.
func TestStartedAgain(t *testing.T) {
	s := serve(t, func(c *ServerConfig) {
		c.Users = map[string]string{"before": "secret", "after": "secret"}
	})
	m := udpmux.New(socket(t, "127.0.1.1"))
	defer m.Close()
	cfg := configFor(s, netip.MustParseAddr("127.0.1.1"), UDP)
	cfg.Shared = Share(m)
	cfg.Server.User, cfg.Server.Password = "before", "secret"
	crashed, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	crashed.fail(ErrGone) // without a word to the server
	crashed.Close()
	if n := s.Stats().Tenants; n != 1 {
		t.Fatalf("%d allocations before the start", n)
	}
	cfg.Server.User = "after"
	a, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	letIn(t, a, "127.0.2.1")
	if n := s.Stats().Tenants; n != 1 {
		t.Errorf("%d allocations after the start", n)
	}
}

// IPv6 is relayed as well, and a server may be known by name.
func TestIPv6(t *testing.T) {
	here := netip.IPv6Loopback()
	var n *egress.Net
	if pc, err := n.ListenUDP(t.Context(), netip.AddrPortFrom(here, 0)); err != nil {
		t.Skip("no IPv6: ", err)
	} else {
		pc.Close()
	}
	s := serve(t, func(c *ServerConfig) {
		c.Listen, c.Lend = []netip.AddrPort{netip.AddrPortFrom(here, 0)}, []Lent{{Public: here}}
	})
	for _, transport := range []Transport{UDP, TCP} {
		a, err := Dial(t.Context(), configFor(s, here, transport))
		if err != nil {
			t.Fatal(err)
		}
		letIn(t, a, "::1")
		peer := socket(t, "::1")
		for range 5 {
			send(t, a, "out", addrPortOf(peer.LocalAddr()))
			if got, from := receive(t, peer); got != "out" || from != a.AddrPort() {
				t.Errorf("the peer got %q of %v", got, from)
			}
			send(t, peer, "in", a.AddrPort())
			if got, _ := receive(t, a); got != "in" {
				t.Errorf("got %q", got)
			}
		}
		a.Close()
		eventually(t, "the allocation has ended", func() bool { return s.Stats().Tenants == 0 })
	}
}

func TestServerByName(t *testing.T) {
	s := serve(t, nil)
	cfg := configFor(s, netip.MustParseAddr("127.0.1.1"), UDP)
	cfg.Server.Host = "localhost"
	a, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	cfg.Server.Host = "nobody.invalid"
	if a, err := Dial(t.Context(), cfg); err == nil {
		a.Close()
		t.Error("a server without an address")
	}
}

// A datagram on a channel costs no allocation.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := serve(t, func(c *ServerConfig) { c.Limits = Limits{Rate: 1 << 30, TenantRate: 1 << 30} })
	a := allocate(t, s, "127.0.1.1", UDP)
	peer := socket(t, "127.0.2.1")
	letIn(t, a, "127.0.2.1")
	at := addrPortOf(peer.LocalAddr())
	eventually(t, "a channel", func() bool {
		_, _ = a.WriteToUDPAddrPort(packet(""), at)
		n, _, _ := a.peers.way(a.now(), at)
		return n != 0
	})
	b := packet("payload")
	if n := testing.AllocsPerRun(100, func() { _, _ = a.WriteToUDPAddrPort(b, at) }); n >= 1 {
		t.Errorf("%v allocations for each datagram sent", n)
	}
	channel := appendChannel(nil, channelFirst, b, false)
	buf := make([]byte, 2000)
	for range inboxMax {
		a.arrived(channel)
	}
	for range inboxMax {
		_, _, _ = a.ReadFromUDPAddrPort(buf)
	}
	if n := testing.AllocsPerRun(100, func() {
		a.arrived(channel)
		if n, _, err := a.ReadFromUDPAddrPort(buf); n != len(b) || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations for each datagram received", n)
	}
}

// Whatever a server sends, the client survives it and takes nothing for data that is not.
func FuzzArrived(f *testing.F) {
	f.Add(appendChannel(nil, channelFirst, packet("x"), false))
	f.Add(append([]byte{0, 0x17, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...))
	f.Add([]byte("\x00\x17\x00\x14\x21\x12\xa4\x42abcdefghijkl\x00\x12\x00\x08\x00\x01" +
		"\x3b\xf3\x2a\x12\xa4\x43\x00\x13\x00\x04data"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := newAllocation(&Config{}, netip.MustParseAddrPort("11.0.0.99:3478"))
		host := hostN(1)
		a.peers.granted(1, []netip.Addr{host})
		for range routeWorth {
			a.peers.way(1, netip.AddrPortFrom(host, 6881))
		}
		a.peers.unbound(1)
		a.arrived(b)
		a.arrived(b)
		for range a.in.held {
			buf := make([]byte, 4096)
			n, from, err := a.ReadFromUDPAddrPort(buf)
			if err != nil || n > len(b) || from.Addr() != host {
				t.Errorf("%x: %d bytes of %v, %v", b, n, from, err)
			}
		}
	})
}
