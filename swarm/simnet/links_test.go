package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// packets returns two sockets of hosts with the given links.
func packets(t *testing.T, a, b Link) (pa, pb *PacketConn, ha, hb *Host) {
	t.Helper()
	n := New(1)
	ha, hb = n.Host(addrA, a), n.Host(addrB, b)
	pa, err := ha.ListenPacket(1000)
	if err != nil {
		t.Fatal(err)
	}
	pb, err = hb.ListenPacket(2000)
	if err != nil {
		t.Fatal(err)
	}
	return pa, pb, ha, hb
}

// TestTakenAddresses: an address belongs to one host or NAT; behind two NATs the same
// private one may be used twice.
func TestTakenAddresses(t *testing.T) {
	n := New(1)
	public, private := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.168.1.2")
	n.Host(addrA, Link{})
	nat, other := n.NAT(public), n.NAT(netip.MustParseAddr("192.0.2.2"))
	if h := nat.Host(private, Link{}); h.Addr() != private {
		t.Errorf("the host has address %v", h.Addr())
	}
	other.Host(private, Link{})
	for name, take := range map[string]func(){
		"a host's address":         func() { n.Host(addrA, Link{}) },
		"a NAT's address":          func() { n.Host(public, Link{}) },
		"a second NAT":             func() { n.NAT(public) },
		"a NAT in place of a host": func() { n.NAT(addrA) },
		"inside":                   func() { nat.Host(private, Link{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken twice", name)
				}
			}()
			take()
		}()
	}
}

func TestPorts(t *testing.T) {
	n := New(1)
	h := n.Host(addrA, Link{})
	seen := map[uint16]bool{}
	for range 100 {
		c, err := h.ListenPacket(0)
		if err != nil {
			t.Fatal(err)
		}
		port := c.addr.Port()
		if port < ephemeral || seen[port] {
			t.Errorf("port %d was given, want a free one from %d on", port, ephemeral)
		}
		seen[port] = true
	}
	c, err := h.ListenPacket(53)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ListenPacket(53); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a taken port: %v", err)
	}
	if l, err := h.Listen(53); err != nil {
		t.Errorf("the port of that number for streams: %v", err)
	} else if l.Addr().String() != "10.0.0.1:53" {
		t.Errorf("it listens on %v", l.Addr())
	}
	c.Close()
	c.Close() // twice is once
	if _, err := h.ListenPacket(53); err != nil {
		t.Errorf("a port that was given back: %v", err)
	}
}

// TestPacketLatency: a datagram takes the latencies of both links, and at most their
// jitters more.
func TestPacketLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := Link{Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond}
		a, b, _, hb := packets(t, link, link)
		p := make([]byte, 10)
		once := func() time.Duration {
			start := time.Now()
			a.WriteTo([]byte("x"), b.LocalAddr())
			if _, _, err := b.ReadFrom(p); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		var least, most time.Duration = time.Hour, 0
		for range 200 {
			d := once()
			least, most = min(least, d), max(most, d)
		}
		if least < 40*time.Millisecond || most >= 50*time.Millisecond ||
			most-least < 5*time.Millisecond {
			t.Errorf("datagrams took %v to %v, want 40 to 50 ms", least, most)
		}
		hb.SetLink(Link{Latency: time.Second})
		if d := once(); d < time.Second+20*time.Millisecond ||
			d >= time.Second+25*time.Millisecond {
			t.Errorf("over a link that was changed it took %v", d)
		}
	})
}

// TestRateIsShared: what goes out over one uplink goes one after the other, whatever
// it is and whomever it is for.
func TestRateIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _ := packets(t, Link{Up: 10_000}, Link{})
		start := time.Now()
		for range 10 {
			a.WriteTo(make([]byte, 1000), b.LocalAddr())
		}
		p := make([]byte, 2000)
		for i := range 10 {
			if n, _, err := b.ReadFrom(p); n != 1000 || err != nil {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if d, want := time.Since(start), time.Duration(i+1)*100*time.Millisecond; d != want {
				t.Errorf("datagram %d came after %v, want %v", i, d, want)
			}
		}
	})
}

// TestUnreadPacketsAreLost: a socket holds a bounded number of datagrams, and the
// part of a datagram that does not fit a reader's buffer is lost.
func TestUnreadPacketsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _ := packets(t, Link{}, Link{})
		for range packetsMax + 10 {
			a.WriteTo([]byte("abc"), b.LocalAddr())
		}
		b.SetDeadline(time.Now().Add(time.Second))
		got := 0
		for p := make([]byte, 2); ; got++ {
			n, _, err := b.ReadFromUDPAddrPort(p)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil || string(p[:n]) != "ab" {
				t.Fatalf("%q, %v", p[:n], err)
			}
		}
		if got != packetsMax {
			t.Errorf("%d datagrams were kept, want %d", got, packetsMax)
		}
	})
}

// TestPacketsToNobody: nothing tells a sender that its datagram arrived nowhere.
func TestPacketsToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, ha, hb := packets(t, Link{}, Link{})
		for _, to := range []string{"10.9.9.9:1", "10.0.0.2:1", "[2001:db8::1]:1"} {
			n, err := a.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort(to))
			if n != 1 || err != nil {
				t.Errorf("to %s: %d, %v", to, n, err)
			}
		}
		mapped := netip.AddrPortFrom(netip.AddrFrom16(addrB.As16()), 2000)
		a.WriteToUDPAddrPort([]byte("y"), mapped)
		p := make([]byte, 1)
		if _, from, err := b.ReadFromUDPAddrPort(p); err != nil || from.Addr() != ha.Addr() ||
			p[0] != 'y' {
			t.Errorf("to an IPv4 address in IPv6 form: %q from %v, %v", p, from, err)
		}
		if _, err := a.WriteTo(p, &net.TCPAddr{}); !errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Errorf("to an address of another kind: %v", err)
		}
		if err := b.SetWriteDeadline(time.Now()); err != nil {
			t.Error(err)
		}
		a.Close()
		if _, err := a.WriteTo(p, b.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("from a closed socket: %v", err)
		}
		if hb.Addr() != addrB {
			t.Errorf("the host has address %v", hb.Addr())
		}
	})
}

// TestStreamKeepsOrder: segments that jitter and loss delay do not overtake.
func TestStreamKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := Link{Latency: 5 * time.Millisecond, Jitter: 50 * time.Millisecond, Loss: 0.2}
		a, b := pair(t, link, Link{})
		go func() {
			for i := range 500 {
				a.Write([]byte{byte(i)})
			}
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if err != nil || len(got) != 500 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		for i, c := range got {
			if c != byte(i) {
				t.Fatalf("byte %d is %d", i, c)
			}
		}
	})
}

// TestBacklog: a listener that accepts nothing holds a bounded number of streams, and
// refuses the next one. Its end closes those that it held.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b := n.Host(addrA, Link{}), n.Host(addrB, Link{})
		l, err := b.Listen(6881)
		if err != nil {
			t.Fatal(err)
		}
		var first net.Conn
		for i := range backlogMax {
			c, err := a.Dial(t.Context(), l.AddrPort())
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			if first == nil {
				first = c
			}
		}
		if _, err := a.Dial(t.Context(), l.AddrPort()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("one stream more: %v", err)
		}
		l.Close()
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a stream that was not accepted reads %v, want EOF", err)
		}
		if _, err := a.Dial(t.Context(), l.AddrPort()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestDialIsCancelled while the answer is under way.
func TestDialIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a, b := n.Host(addrA, Link{Latency: time.Second}), n.Host(addrB, Link{})
		l, _ := b.Listen(6881)
		for _, after := range []time.Duration{time.Second / 2, 3 * time.Second / 2} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			start := time.Now()
			_, err := a.Dial(ctx, l.AddrPort())
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != after {
				t.Errorf("got %v after %v, want the end of the context after %v", err,
					time.Since(start), after)
			}
			cancel()
		}
		// The other side had taken the second one: it is gone again.
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the abandoned stream reads %v, want EOF", err)
		}
	})
}

// TestBehindOneNAT: hosts behind the same NAT reach each other directly.
func TestBehindOneNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		nat := n.NAT(netip.MustParseAddr("192.0.2.1"))
		a := nat.Host(netip.MustParseAddr("192.168.1.2"), Link{})
		b := nat.Host(netip.MustParseAddr("192.168.1.3"), Link{})
		l, _ := b.Listen(80)
		c, err := a.Dial(t.Context(), l.AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		far, _ := l.Accept()
		if got := far.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); got != a.Addr() {
			t.Errorf("the stream comes from %v, want the private address", got)
		}
		c.Close()
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read %v, want EOF", err)
		}
	})
}

// TestTwoNATsArePunched: each side sends to the other's public address; the first
// datagram is lost and opens the way for the answer.
func TestTwoNATsArePunched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		server := n.Host(addrA, Link{})
		behind := func(public string) *PacketConn {
			nat := n.NAT(netip.MustParseAddr(public))
			c, err := nat.Host(netip.MustParseAddr("192.168.0.2"), Link{}).ListenPacket(6881)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a, b := behind("192.0.2.1"), behind("192.0.2.2")
		srv, _ := server.ListenPacket(80)
		p := make([]byte, 10)
		seen := func(c *PacketConn) netip.AddrPort {
			c.WriteTo([]byte("?"), srv.LocalAddr())
			_, from, err := srv.ReadFromUDPAddrPort(p)
			if err != nil {
				t.Fatal(err)
			}
			return from
		}
		atA, atB := seen(a), seen(b)
		a.WriteToUDPAddrPort([]byte("first"), atB)
		b.WriteToUDPAddrPort([]byte("second"), atA)
		a.SetReadDeadline(time.Now().Add(time.Second))
		b.SetReadDeadline(time.Now().Add(time.Second))
		if k, from, err := a.ReadFromUDPAddrPort(p); err != nil || string(p[:k]) != "second" ||
			from != atB {
			t.Errorf("got %q from %v, %v", p[:k], from, err)
		}
		if _, _, err := b.ReadFromUDPAddrPort(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the first datagram came through: %v", err)
		}
		a.WriteToUDPAddrPort([]byte("third"), atB)
		b.SetReadDeadline(time.Now().Add(time.Second))
		if k, _, err := b.ReadFromUDPAddrPort(p); err != nil || string(p[:k]) != "third" {
			t.Errorf("got %q, %v", p[:k], err)
		}
	})
}

// TestSeedDecides: the same seed loses the same datagrams.
func TestSeedDecides(t *testing.T) {
	arrived := func(seed uint64) (got []byte) {
		synctest.Test(t, func(t *testing.T) {
			n := New(seed)
			a, _ := n.Host(addrA, Link{Loss: 0.5}).ListenPacket(0)
			b, _ := n.Host(addrB, Link{}).ListenPacket(1)
			for i := range 100 {
				a.WriteTo([]byte{byte(i)}, b.LocalAddr())
			}
			b.SetReadDeadline(time.Now().Add(time.Second))
			for p := make([]byte, 1); ; {
				if _, _, err := b.ReadFrom(p); err != nil {
					return
				}
				got = append(got, p[0])
			}
		})
		return got
	}
	one, again, other := arrived(1), arrived(1), arrived(2)
	if string(one) != string(again) || string(one) == string(other) {
		t.Errorf("seed 1 lets %v and %v through, seed 2 %v", one, again, other)
	}
}
