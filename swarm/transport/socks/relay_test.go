package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/internal/socksserver"
)

// echoUDP sends datagrams back to where they come from, from a free port of 127.0.0.1.
func echoUDP(t *testing.T) netip.AddrPort {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			pc.WriteTo(b[:n], from)
		}
	}()
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

// newPacketConn returns a PacketConn, and a channel of what it notifies.
func newPacketConn(t *testing.T, c *Client) (*PacketConn, <-chan error) {
	t.Helper()
	news := make(chan error, 100)
	p := c.PacketConn(func(err error) { news <- err })
	t.Cleanup(func() { p.Close() })
	return p, news
}

func TestPacketConn(t *testing.T) {
	to := echoUDP(t)
	s := socksserver.Start(t, socksserver.Options{User: "u", Password: "p",
		Hosts: map[string]string{"node.example": "127.0.0.1"}})
	p, news := newPacketConn(t, client(t, s.URL()))
	if err := <-news; err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := p.WriteToUDPAddrPort([]byte("one"), to); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if n, from, err := p.ReadFromUDPAddrPort(b); string(b[:n]) != "one" || from != to ||
		err != nil {
		t.Errorf("got %q from %v, %v", b[:n], from, err)
	}
	if n, err := p.WriteToHost([]byte("two"), "node.example", to.Port()); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if n, from, err := p.ReadFrom(b); string(b[:n]) != "two" || from.String() != to.String() ||
		err != nil {
		t.Errorf("got %q from %v, %v", b[:n], from, err)
	}
	// What there is no room for is cut off, as by a socket.
	if _, err := p.WriteTo([]byte("three"), net.UDPAddrFromAddrPort(to)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := p.ReadFrom(b[:2]); string(b[:n]) != "th" || err != nil {
		t.Errorf("got %q, %v", b[:n], err)
	}
	// Nothing else is: the longest datagram that loopback takes comes whole.
	long := make([]byte, 60_000)
	if _, err := p.WriteToUDPAddrPort(long, to); err != nil {
		t.Fatal(err)
	}
	if n, _, err := p.ReadFrom(make([]byte, 1<<16)); n != len(long) || err != nil {
		t.Errorf("%d bytes of %d, %v", n, len(long), err)
	}
	if _, err := p.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
		t.Error("a datagram to a TCP address was sent")
	}
	if _, err := p.WriteTo(make([]byte, datagramMax), net.UDPAddrFromAddrPort(to)); err == nil {
		t.Error("a datagram longer than all was sent")
	}
	if _, err := p.WriteToHost(nil, "", 1); !errors.Is(err, ErrName) {
		t.Errorf("a datagram to no name: %v", err)
	}
	if _, err := p.WriteToUDPAddrPort(nil, netip.AddrPort{}); !errors.Is(err, ErrName) {
		t.Errorf("a datagram to nobody: %v", err)
	}
}

func TestDatagramsCostNoMemory(t *testing.T) {
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() { // a relay that leads back to us
		b := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			pc.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	udp, err := client(t, "socks5://127.0.0.1:1").dialUDP(t.Context(),
		pc.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	control, other := net.Pipe()
	defer other.Close()
	r := newRelay(control, udp)
	defer r.Close()
	p := &PacketConn{changed: make(chan struct{})}
	p.set(r)
	out, in := make([]byte, 1400), make([]byte, 1500)
	to := netip.MustParseAddrPort("[2001:db8::1]:6881")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := p.WriteToUDPAddrPort(out, to); err != nil {
			t.Fatal(err)
		}
		if n, from, err := p.ReadFromUDPAddrPort(in); n != len(out) || from != to || err != nil {
			t.Fatal(n, from, err)
		}
	}); n != 0 {
		t.Errorf("a datagram there and back costs %v allocations", n)
	}
}

func TestDeadlines(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{})
	up, news := newPacketConn(t, client(t, s.URL()))
	if err := <-news; err != nil {
		t.Fatal(err)
	}
	gone := socksserver.Start(t, socksserver.Options{})
	gone.Stop()
	down, news := newPacketConn(t, client(t, gone.URL()))
	if err := <-news; err == nil {
		t.Fatal("a relay of nobody")
	}
	for name, p := range map[string]*PacketConn{"with a relay": up, "without one": down} {
		if p.Up() != (p == up) {
			t.Errorf("%s: Up is %v", name, p.Up())
		}
		read := make(chan error)
		reader := func() {
			_, _, err := p.ReadFrom(make([]byte, 10))
			read <- err
		}
		p.SetReadDeadline(time.Unix(1, 0))
		go reader()
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", name, err)
		}
		p.SetDeadline(time.Time{})
		go reader()
		p.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", name, err)
		}
		p.SetReadDeadline(time.Time{})
		go reader()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want net.ErrClosed", name, err)
		}
		if _, err := p.WriteToUDPAddrPort([]byte("x"), s.Addr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: a write to a closed connection: %v", name, err)
		}
		if p.Close() == nil || p.SetReadDeadline(time.Time{}) == nil {
			t.Errorf("%s: it closes twice", name)
		}
	}
}

// When the proxy goes, reads wait and writes fail until it is back.
func TestRelayIsReplaced(t *testing.T) {
	to := echoUDP(t)
	s := socksserver.Start(t, socksserver.Options{})
	p, news := newPacketConn(t, client(t, s.URL()))
	if err := <-news; err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b := make([]byte, 100)
		for {
			n, _, err := p.ReadFrom(b)
			if err != nil {
				close(got)
				return
			}
			got <- string(b[:n])
		}
	}()
	s.Stop()
	var server *ServerError
	if err := <-news; !errors.As(err, &server) {
		t.Fatalf("the relay has ended: %v", err)
	}
	if _, err := p.WriteToUDPAddrPort([]byte("x"), to); !errors.Is(err, ErrDown) {
		t.Errorf("a write without a relay: %v", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	for err := range news {
		if err == nil {
			break
		}
	}
	if _, err := p.WriteToUDPAddrPort([]byte("again"), to); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "again" {
		t.Errorf("got %q", text)
	}
	p.Close()
	if text, ok := <-got; ok {
		t.Errorf("got %q from a closed connection", text)
	}
}

// A proxy that is away is asked again after pauses that grow up to a bound, and is told of
// once. One that relays nothing is left in peace.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		c := New(Config{Dial: func(context.Context, string, uint16) (net.Conn, error) {
			asked = append(asked, time.Now())
			return nil, syscall.ECONNREFUSED
		}})
		p, news := newPacketConn(t, c)
		time.Sleep(time.Hour)
		p.Close()
		if len(news) != 1 {
			t.Errorf("%d notices, want 1", len(news))
		}
		for i := 1; i < len(asked); i++ {
			if pause := asked[i].Sub(asked[i-1]); pause < again/2 || pause > againMax {
				t.Errorf("pause %d is %v", i, pause)
			}
		}
		if n := len(asked); n < int(time.Hour/againMax) || n > 2*int(time.Hour/againMax)+10 {
			t.Errorf("asked %d times in an hour", n)
		}
	})
	zero := "\x00\x01\x00\x00\x00\x00\x00\x00"
	for name, answer := range map[string]string{"reply 7": "\x05\x07" + zero,
		"reply 2": "\x05\x02" + zero, "hang up": ""} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int32
			c := hostile(func(c net.Conn) {
				asked.Add(1)
				say(c, greetingBytes, "\x05\x00")
				say(c, requestBytes, answer)
			})
			p, news := newPacketConn(t, c)
			time.Sleep(time.Hour)
			p.Close()
			if err := <-news; !errors.Is(err, ErrNoUDP) || len(news) > 0 {
				t.Errorf("%s: %v, and %d more", name, err, len(news))
			}
			if n := asked.Load(); n > int32(2*time.Hour/againNoUDP)+1 {
				t.Errorf("%s: asked %d times in an hour", name, n)
			}
		})
	}
}

// A proxy that talks on the control connection is not listened to for long.
func TestChatter(t *testing.T) {
	ours, theirs := net.Pipe()
	udp, other := net.Pipe()
	defer other.Close()
	r := newRelay(ours, udp)
	n, err := io.WriteString(theirs, strings.Repeat("x", 1<<20))
	if err == nil || n > 2*chatterMax {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	<-r.Done()
	if _, _, err := r.Read(nil); err == nil {
		t.Error("the relay goes on")
	}
}

func TestRelayAddress(t *testing.T) {
	proxy := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, tt := range []struct{ bound, proxy, want string }{
		{"203.0.113.9", "198.51.100.1:1080", "203.0.113.9:9999"},
		{"0.0.0.0", "198.51.100.1:1080", "198.51.100.1:9999"},
		{"::", "198.51.100.1:1080", "198.51.100.1:9999"},
		{"::", "[2001:db8::1]:1080", "[2001:db8::1]:9999"},
		{"172.17.0.2", "198.51.100.1:1080", "198.51.100.1:9999"}, // behind an address translation
		{"127.0.0.1", "198.51.100.1:1080", "198.51.100.1:9999"},
		{"172.17.0.2", "172.17.0.1:1080", "172.17.0.2:9999"},
		{"192.0.2.7", "127.0.0.1:1080", "192.0.2.7:9999"},
		{"224.0.0.1", "198.51.100.1:1080", "198.51.100.1:9999"},
		{"relay.example", "198.51.100.1:1080", "198.51.100.1:9999"},
	} {
		got, err := relayAddress(mustAddr(tt.bound, 9999), proxy(tt.proxy))
		if err != nil || got.String() != tt.want {
			t.Errorf("bound to %s at %s: %v, %v, want %s", tt.bound, tt.proxy, got, err, tt.want)
		}
	}
	if _, err := relayAddress(address{ip: netip.MustParseAddr("192.0.2.1")},
		proxy("192.0.2.1:1080")); !errors.Is(err, ErrProtocol) {
		t.Errorf("port 0: %v", err)
	}
	if _, err := relayAddress(mustAddr("192.0.2.1", 1), nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("a proxy without an address: %v", err)
	}
}

// Only what the relay sends counts, and only what is whole.
func TestStrangersAreNotHeard(t *testing.T) {
	relay, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	at := relay.LocalAddr().(*net.UDPAddr).AddrPort()
	udp, err := client(t, "socks5://127.0.0.1:1").dialUDP(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	control, other := net.Pipe()
	defer other.Close()
	r := newRelay(control, udp)
	defer r.Close()
	stranger, err := net.DialUDP("udp4", nil, udp.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	good := string(appendHeader(nil, mustAddr("192.0.2.1", 6881)))
	io.WriteString(stranger, good+"forged")
	for _, each := range []string{"", "\x00", good[:9], "\x00\x00\x01" + good[3:] + "fragment",
		good + "true"} {
		if _, err := relay.WriteTo([]byte(each), udp.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 100)
	n, from, err := r.Read(b)
	if string(b[:n]) != "true" || from.String() != "192.0.2.1:6881" || err != nil {
		t.Errorf("got %q from %v, %v", b[:n], from, err)
	}
}

func TestDialUDP(t *testing.T) {
	to, other := echoUDP(t), echoUDP(t)
	s := socksserver.Start(t, socksserver.Options{
		Hosts: map[string]string{"tracker.example": "127.0.0.1"}})
	c := client(t, s.URL())
	for _, host := range []string{"127.0.0.1", "tracker.example"} {
		conn, err := c.DialUDP(t.Context(), host, to.Port())
		if err != nil {
			t.Fatal(err)
		}
		// An answer from another port is not one.
		if _, err := conn.(*udpConn).relay.Write([]byte("other"), other); err != nil {
			t.Fatal(err)
		}
		if host != "127.0.0.1" && conn.RemoteAddr().String() !=
			(Name{host, to.Port()}).String() {
			t.Errorf("the remote address is %v before an answer", conn.RemoteAddr())
		}
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if n, err := conn.Read(b); string(b[:n]) != "hello" || err != nil {
			t.Errorf("%s: got %q, %v", host, b[:n], err)
		}
		if conn.RemoteAddr().String() != to.String() {
			t.Errorf("%s: the remote address is %v, want %v", host, conn.RemoteAddr(), to)
		}
		conn.SetReadDeadline(time.Unix(1, 0))
		if _, err := conn.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", host, err)
		}
		conn.Close()
		if _, err := conn.Read(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: a read of a closed connection: %v", host, err)
		}
	}
	if _, err := c.DialUDP(t.Context(), "", 1); !errors.Is(err, ErrName) {
		t.Errorf("no name: %v", err)
	}
	none := socksserver.Start(t, socksserver.Options{NoUDP: true})
	if _, err := client(t, none.URL()).DialUDP(t.Context(), "192.0.2.1", 1); !errors.Is(err,
		ErrNoUDP) {
		t.Errorf("a proxy without UDP: %v", err)
	}
}
