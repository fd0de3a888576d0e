//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"swarmnode/internal/realclient"
)

// packetWait bounds the wait for a packet that is sure to come.
const packetWait = time.Minute

// A natLab is a lab with two public hosts, of which the first has two ports.
type natLab struct {
	*Lab
	x, y       *Host
	x1, x2, y1 *net.UDPConn
}

// TestRouters: real packets see the NAT that a router is said to have.
func TestRouters(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l := &natLab{Lab: OpenModelled(t)}
	l.x = must(l.Modelled("x", Way{}, Way{}))(t)
	l.y = must(l.Modelled("y", Way{}, Way{}))(t)
	l.x1, l.x2, l.y1 = udp(t, l.x, 0), udp(t, l.x, 0), udp(t, l.y, 0)
	for _, m := range kinds {
		for _, f := range kinds {
			nat := NAT{Mapping: m, Filtering: f}
			t.Run(fmt.Sprintf("%v mapping, %v filtering", m, f), func(t *testing.T) {
				l.behaves(t, nat)
			})
		}
	}
	t.Run("ports are preserved", l.preserves)
	t.Run("hairpin", l.hairpins)
	t.Run("idle mappings end", l.idles)
	t.Run("mappings are forgotten", l.forgets)
	t.Run("NAT behind NAT", l.nests)
	t.Run("ICMP", l.reports)
	t.Run("IPv6", l.firewalls)
	if _, err := l.x.Inside("nobody"); err == nil {
		t.Error("a public host takes hosts inside")
	}
	for _, cfg := range []RouterConfig{{Behind: l.x}, {IPv6: true, Behind: l.x}} {
		if _, err := l.Router("nobody", cfg); err == nil {
			t.Errorf("%+v makes a router", cfg)
		}
	}
}

var kinds = []Dependence{EndpointIndependent, AddressDependent, AddressAndPortDependent}

// inside adds a router and a host behind it.
func (l *natLab) inside(t *testing.T, cfg RouterConfig) *Host {
	t.Helper()
	name := fmt.Sprintf("home%d", l.hosts)
	router := must(l.Router(name, cfg))(t)
	return must(router.Inside(name + "-a"))(t)
}

// udp opens a socket on a host.
func udp(t *testing.T, h *Host, port uint16) *net.UDPConn {
	t.Helper()
	return udpAt(t, h, netip.AddrPortFrom(h.Addr, port))
}

func udpAt(t *testing.T, h *Host, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	if err := h.Do(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func endpoint(c interface{ LocalAddr() net.Addr }) netip.AddrPort {
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

func send(t *testing.T, from *net.UDPConn, to netip.AddrPort, text string) {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next datagram and its sender.
func receive(t *testing.T, c *net.UDPConn) (text string, from netip.AddrPort) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(packetWait)); err != nil {
		t.Fatal(err)
	}
	var buf [packetBytes]byte
	n, from, err := c.ReadFromUDPAddrPort(buf[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// seen returns the endpoint that a public socket sees of one inside.
func seen(t *testing.T, inside, public *net.UDPConn) netip.AddrPort {
	t.Helper()
	send(t, inside, endpoint(public), "hello")
	_, from := receive(t, public)
	return from
}

func tally(t *testing.T, h *Host) NATTally {
	t.Helper()
	return must(h.NAT())(t)
}

// behaves checks the mapping and the filtering of a router, with UDP and with TCP.
func (l *natLab) behaves(t *testing.T, nat NAT) {
	in := l.inside(t, RouterConfig{NAT: nat})
	l.behavesUDP(t, in, nat)
	l.behavesTCP(t, in, nat)
}

func (l *natLab) behavesUDP(t *testing.T, in *Host, nat NAT) {
	s := udp(t, in, 0)
	checkMapping(t, in, nat.Mapping, endpoint(s).Port(), seen(t, s, l.x1), seen(t, s, l.x2),
		seen(t, s, l.y1))

	s = udp(t, in, 0)
	at := seen(t, s, l.x1)
	before := tally(t, in)
	send(t, l.y1, at, "other host")
	send(t, l.x2, at, "other port")
	send(t, l.x1, at, "same port")
	var after NATTally
	await(t, "verdict on three packets", func() bool {
		after = tally(t, in)
		return after.Passed-before.Passed+after.Filtered-before.Filtered == 3
	})
	var came []string
	for range after.Passed - before.Passed {
		text, _ := receive(t, s)
		came = append(came, text)
	}
	slices.Sort(came)
	want := []string{"other host", "other port", "same port"}[nat.Filtering:]
	if !slices.Equal(came, want) {
		t.Errorf("UDP: %q came in, want %q", came, want)
	}
}

// checkMapping compares what three public sockets saw of one socket inside.
func checkMapping(t *testing.T, in *Host, want Dependence, local uint16, x1, x2,
	y netip.AddrPort) {
	t.Helper()
	got := AddressDependent
	switch {
	case x1 == x2 && x1 == y:
		got = EndpointIndependent
	case x1 != x2 && x1 != y && x2 != y:
		got = AddressAndPortDependent
	case x1 != x2:
		t.Errorf("the mappings are %v, %v and %v", x1, x2, y)
	}
	if got != want {
		t.Errorf("the mapping is %v: %v, %v and %v; want %v", got, x1, x2, y, want)
	}
	for _, at := range []netip.AddrPort{x1, x2, y} {
		if at.Addr() != in.home.Addr || at.Port() == local {
			t.Errorf("port %d inside is %v outside, want another port of %v", local, at,
				in.home.Addr)
		}
	}
}

// shared lets sockets have one port.
func shared(_, _ string, raw syscall.RawConn) error {
	var err error
	return errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}), err)
}

// listen opens a TCP port on a host.
func listen(t *testing.T, h *Host) net.Listener {
	t.Helper()
	var ln net.Listener
	if err := h.Do(func() (err error) {
		lc := net.ListenConfig{Control: shared}
		ln, err = lc.Listen(t.Context(), "tcp", netip.AddrPortFrom(h.Addr, 0).String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// dial connects from a port of a host, or from any if it is 0.
func dial(ctx context.Context, h *Host, port uint16, to netip.AddrPort) (c net.Conn, err error) {
	return c, h.Do(func() error {
		d := net.Dialer{Control: shared,
			LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.Addr, port))}
		c, err = d.DialContext(ctx, "tcp", to.String())
		return err
	})
}

// connect makes a connection from a port inside to a public listener.
func connect(t *testing.T, in *Host, port uint16, to net.Listener) (near, far net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), packetWait)
	defer cancel()
	near, err := dial(ctx, in, port, netip.MustParseAddrPort(to.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = to.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

func remote(c net.Conn) netip.AddrPort { return netip.MustParseAddrPort(c.RemoteAddr().String()) }

func (l *natLab) behavesTCP(t *testing.T, in *Host, nat NAT) {
	x1, x2, y := listen(t, l.x), listen(t, l.x), listen(t, l.y)
	own := listen(t, in)
	port := netip.MustParseAddrPort(own.Addr().String()).Port()
	near, far := connect(t, in, port, x1)
	echo(t, near, far)
	_, far2 := connect(t, in, port, x2)
	_, far3 := connect(t, in, port, y)
	checkMapping(t, in, nat.Mapping, port, remote(far), remote(far2), remote(far3))

	own = listen(t, in)
	port = netip.MustParseAddrPort(own.Addr().String()).Port()
	_, far = connect(t, in, port, x1)
	at := remote(far)
	// The mapping towards x1 lets in whom the filter allows.
	for _, c := range []struct {
		from *Host
		pass bool
	}{
		{l.x, nat.Filtering != AddressAndPortDependent},
		{l.y, nat.Filtering == EndpointIndependent},
	} {
		before := tally(t, in).Filtered
		ctx, cancel := context.WithTimeout(t.Context(), packetWait)
		done := make(chan error, 1)
		go func() {
			conn, err := dial(ctx, c.from, 0, at)
			if err == nil {
				conn.Close()
			}
			done <- err
		}()
		if c.pass {
			conn, err := own.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		} else {
			await(t, "refused SYN", func() bool { return tally(t, in).Filtered > before })
			cancel()
		}
		if err := <-done; (err == nil) != c.pass {
			t.Errorf("TCP from %s: %v; want it to pass: %v", c.from.Name, err, c.pass)
		}
		cancel()
	}
}

// echo moves more than a window of data through a NAT and back.
func echo(t *testing.T, near, far net.Conn) {
	t.Helper()
	const size = 256 << 10
	sent := make(chan error, 2)
	go func() {
		_, err := io.CopyN(far, far, size)
		sent <- err
	}()
	go func() {
		_, err := near.Write(make([]byte, size))
		sent <- err
	}()
	if _, err := io.CopyN(io.Discard, near, size); err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-sent, <-sent); err != nil {
		t.Error(err)
	}
}

func (l *natLab) preserves(t *testing.T) {
	in := l.inside(t, RouterConfig{NAT: NAT{Mapping: AddressAndPortDependent, Preserve: true}})
	second := must(in.home.Inside("second"))(t)
	s := udp(t, in, 0)
	port := endpoint(s).Port()
	if at := seen(t, s, l.x1); at.Port() != port {
		t.Errorf("the first mapping of port %d is %v", port, at)
	}
	if at := seen(t, s, l.x2); at.Port() == port {
		t.Errorf("two mappings share %v", at)
	}
	if at := seen(t, udp(t, second, port), l.x1); at.Port() == port {
		t.Errorf("mappings of two hosts share %v", at)
	}
}

func (l *natLab) hairpins(t *testing.T) {
	for _, on := range []bool{true, false} {
		in := l.inside(t, RouterConfig{NAT: NAT{Hairpin: on}})
		second := must(in.home.Inside(in.home.Name + "-b"))(t)
		a, b := udp(t, in, 0), udp(t, second, 0)
		at := seen(t, a, l.x1)
		from := seen(t, b, l.x1)
		before := tally(t, in)
		send(t, b, at, "neighbour")
		if !on {
			await(t, "dropped packet", func() bool { return tally(t, in).Dropped > before.Dropped })
			if now := tally(t, in); now.Hairpinned != 0 || now.Passed != before.Passed {
				t.Errorf("without hairpin: %+v, before %+v", now, before)
			}
			continue
		}
		if text, who := receive(t, a); text != "neighbour" || who != from {
			t.Errorf("%q from %v, want the neighbour from %v", text, who, from)
		}
		// The local address works as on every LAN.
		came := must(in.Came())(t)
		send(t, b, endpoint(a), "local")
		if text, who := receive(t, a); text != "local" || who != endpoint(b) {
			t.Errorf("%q from %v, want it from %v", text, who, endpoint(b))
		}
		if more := must(in.Came())(t) - came; more < int64(len("local")) {
			t.Errorf("%d bytes came to the host", more)
		}
	}
}

func (l *natLab) idles(t *testing.T) {
	in := l.inside(t, RouterConfig{NAT: NAT{Idle: 50 * time.Millisecond}})
	s := udp(t, in, 0)
	old := seen(t, s, l.x1)
	await(t, "end of the mapping", func() bool { return tally(t, in).Mappings == 0 })
	send(t, l.x1, old, "late")
	await(t, "refused packet", func() bool { return tally(t, in).Unmapped == 1 })
}

func (l *natLab) forgets(t *testing.T) {
	in := l.inside(t, RouterConfig{NAT: NAT{Filtering: AddressAndPortDependent}})
	s := udp(t, in, 0)
	old := seen(t, s, l.x1)
	if err := in.Forget(); err != nil {
		t.Fatal(err)
	}
	if n := tally(t, in).Mappings; n != 0 {
		t.Errorf("%d mappings are left", n)
	}
	send(t, l.x1, old, "late")
	await(t, "refused packet", func() bool { return tally(t, in).Unmapped == 1 })
	if now := seen(t, s, l.x1); now == old || now.Addr() != old.Addr() {
		t.Errorf("the mapping is %v again, before %v", now, old)
	}
	moved := in.home.Addr.Next()
	if err := in.Readdress(moved); err != nil {
		t.Fatal(err)
	}
	now := seen(t, s, l.x1)
	if now.Addr() != moved {
		t.Errorf("the mapping is %v, want an address of %v", now, moved)
	}
	send(t, l.x1, now, "answer")
	if text, _ := receive(t, s); text != "answer" {
		t.Errorf("%q came in", text)
	}
}

// nests puts two homes behind a carrier's router.
func (l *natLab) nests(t *testing.T) {
	carrier := must(l.Router("carrier", RouterConfig{Carrier: true,
		NAT: NAT{Filtering: AddressAndPortDependent, Hairpin: true}}))(t)
	one := l.inside(t, RouterConfig{Behind: carrier})
	two := l.inside(t, RouterConfig{Behind: carrier})
	a, b := udp(t, one, 0), udp(t, two, 0)
	outA, outB := seen(t, a, l.x1), seen(t, b, l.x1)
	if outA.Addr() != carrier.Addr || outB.Addr() != carrier.Addr || outA == outB {
		t.Errorf("the homes are seen as %v and %v, want two ports of %v", outA, outB, carrier.Addr)
	}
	send(t, l.x1, outA, "answer")
	if text, _ := receive(t, a); text != "answer" {
		t.Errorf("%q came in", text)
	}
	// The carrier's filter holds for its customers too. Each opens the way for the other one.
	before := tally(t, carrier).Dropped
	send(t, b, outA, "first")
	await(t, "refused packet", func() bool { return tally(t, carrier).Dropped > before })
	send(t, a, outB, "second")
	if text, from := receive(t, b); text != "second" || from != outA {
		t.Errorf("%q from %v, want it from %v", text, from, outA)
	}
	// The way by the addresses of the carrier's network.
	if err := one.Pinhole(unix.IPPROTO_UDP, endpoint(a)); err != nil {
		t.Fatal(err)
	}
	send(t, b, netip.AddrPortFrom(one.home.Addr, endpoint(a).Port()), "near")
	if text, from := receive(t, a); text != "near" || from.Addr() != two.home.Addr {
		t.Errorf("%q from %v, want it from %v", text, from, two.home.Addr)
	}
	mobile := must(carrier.Inside("mobile"))(t)
	if at := seen(t, udp(t, mobile, 0), l.x1); at.Addr() != carrier.Addr {
		t.Errorf("a phone is seen as %v", at)
	}
	// A line of a customer fails alone.
	if err := one.Silence(true); err != nil {
		t.Fatal(err)
	}
	send(t, a, endpoint(l.x1), "lost")
	if at := seen(t, b, l.x1); at != outB {
		t.Errorf("the packet after a silence is from %v, want %v", at, outB)
	}
	if err := one.Silence(false); err != nil {
		t.Fatal(err)
	}
	seen(t, a, l.x1)
}

// reports lets echoes and errors of ICMP through.
func (l *natLab) reports(t *testing.T) {
	in := l.inside(t, RouterConfig{NAT: NAT{Filtering: AddressAndPortDependent}})
	if p := must(in.Ping(t.Context(), l.x, 200*time.Millisecond))(t); p.Lost() == len(p) {
		t.Errorf("all %d pings were lost", len(p))
	}
	refused := func(from *Host, to netip.AddrPort) {
		t.Helper()
		var c *net.UDPConn
		if err := from.Do(func() (err error) {
			at := netip.AddrPortFrom(from.Addr, 0)
			c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(at), net.UDPAddrFromAddrPort(to))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("anybody")); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(packetWait)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%s to %v: %v, want a refusal", from.Name, to, err)
		}
	}
	closed := udp(t, l.x, 0)
	closed.Close()
	refused(in, endpoint(closed))
	closed = udp(t, in, 0)
	closed.Close()
	if err := in.Pinhole(unix.IPPROTO_UDP, endpoint(closed)); err != nil {
		t.Fatal(err)
	}
	refused(l.y, netip.AddrPortFrom(in.home.Addr, endpoint(closed).Port()))
}

// firewalls checks that IPv6 is filtered, and not translated.
func (l *natLab) firewalls(t *testing.T) {
	far := must(l.Modelled("far6", Way{}, Way{}))(t)
	if err := far.AddIPv6(); err != nil {
		t.Skip("no IPv6 in namespaces: ", err)
	}
	in := l.inside(t, RouterConfig{IPv6: true, NAT: NAT{Filtering: AddressAndPortDependent}})
	at := func(h *Host) *net.UDPConn { return udpAt(t, h, netip.AddrPortFrom(h.Addr6, 0)) }
	s, first, other := at(in), at(far), at(far)
	if got := seen(t, s, first); got != endpoint(s) {
		t.Errorf("%v is seen as %v", endpoint(s), got)
	}
	send(t, other, endpoint(s), "unasked")
	await(t, "refused packet", func() bool { return tally(t, in).Filtered == 1 })
	quiet := at(in)
	send(t, other, endpoint(quiet), "unasked")
	await(t, "refused packet", func() bool { return tally(t, in).Unmapped == 1 })
	send(t, first, endpoint(s), "answer")
	if text, from := receive(t, s); text != "answer" || from != endpoint(first) {
		t.Errorf("%q from %v, want the answer", text, from)
	}
	if err := in.Pinhole(unix.IPPROTO_UDP, endpoint(quiet)); err != nil {
		t.Fatal(err)
	}
	send(t, other, endpoint(quiet), "asked")
	if text, from := receive(t, quiet); text != "asked" || from != endpoint(other) {
		t.Errorf("%q from %v, want what passes a pinhole", text, from)
	}
}
