package udpmux

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// patience bounds what has to happen soon.
const patience = 20 * time.Second

// raceEnabled reports whether the race detector is on.
var raceEnabled bool

// listen returns a UDP socket on loopback.
func listen(t testing.TB, network, addr string) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Skipf("%s: %v", network, err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc.(*net.UDPConn)
}

// newMux returns a Mux on loopback.
func newMux(t testing.TB) *Mux {
	t.Helper()
	m := New(listen(t, "udp4", "127.0.0.1:0"))
	t.Cleanup(func() { m.Close() })
	return m
}

// packet returns a datagram of a class with text at its end.
func packet(c Class, text string) []byte {
	b := make([]byte, headerSize, headerSize+len(text))
	switch c {
	case ClassDHT:
		b[0] = 'd'
	case ClassUTP:
		b[0] = 0x01
	case ClassSTUN:
		copy(b, "\x01\x01\x00\x00\x21\x12\xa4\x42")
	}
	return append(b, text...)
}

func TestClassOf(t *testing.T) {
	header := func(first byte) []byte { return append([]byte{first}, make([]byte, 19)...) }
	stun := packet(ClassSTUN, "")
	for _, c := range []struct {
		name string
		b    []byte
		want Class
	}{
		{"nothing", nil, ClassNone},
		{"a query", []byte("d1:q4:pinge"), ClassDHT},
		{"d alone", []byte("d"), ClassDHT},
		{"ST_DATA", header(0x01), ClassUTP},
		{"ST_FIN", header(0x11), ClassUTP},
		{"ST_STATE", header(0x21), ClassUTP},
		{"ST_RESET", header(0x31), ClassUTP},
		{"ST_SYN", header(0x41), ClassUTP},
		{"type 5", header(0x51), ClassNone},
		{"version 0", header(0x50), ClassNone},
		{"a channel", header(0x40), ClassSTUN},
		{"a short message of a channel", header(0x40)[:4], ClassSTUN},
		{"less than that", header(0x40)[:3], ClassNone},
		{"version 2", header(0x42), ClassNone},
		{"a short header", header(0x41)[:19], ClassNone},
		{"a binding success", stun, ClassSTUN}, // its first byte is that of ST_DATA
		{"a short binding success", stun[:19], ClassNone},
		{"text", []byte("GET / HTTP/1.1\r\n\r\n and more"), ClassNone},
	} {
		if got := ClassOf(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Each datagram reaches the side of its class alone, whole and with its sender.
func TestSorting(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			addr := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]
			m := New(listen(t, network, addr))
			defer m.Close()
			from := listen(t, network, addr)
			type arrival struct {
				class Class
				text  string
				from  netip.AddrPort
			}
			arrivals := make(chan arrival, 10)
			for _, c := range []Class{ClassUTP, ClassSTUN} {
				m.Handle(c, func(batch []Datagram) {
					for _, d := range batch {
						arrivals <- arrival{c, string(d.Data[headerSize:]), d.From}
					}
				})
			}
			dht := m.DHT()
			for i, c := range []Class{ClassUTP, ClassNone, ClassSTUN, ClassDHT} {
				_, err := from.WriteToUDPAddrPort(packet(c, fmt.Sprint(i)), m.AddrPort())
				if err != nil {
					t.Fatal(err)
				}
			}
			at := addrPortOf(from.LocalAddr())
			for _, want := range []arrival{{ClassUTP, "0", at}, {ClassSTUN, "2", at}} {
				select {
				case got := <-arrivals:
					if got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				case <-time.After(patience):
					t.Fatalf("%v has not come", want)
				}
			}
			b := make([]byte, 100)
			dht.SetReadDeadline(time.Now().Add(patience))
			n, sender, err := dht.ReadFrom(b)
			if err != nil || string(b[headerSize:n]) != "3" || addrPortOf(sender) != at {
				t.Errorf("the DHT got %q from %v, %v", b[:n], sender, err)
			}
			if s := m.Stats(ClassNone); s != (Stats{1, 1}) {
				t.Errorf("unknown: %+v, want one received and dropped", s)
			}
		})
	}
}

// What is sent by any side comes from the one port.
func TestSending(t *testing.T) {
	m, peer := newMux(t), listen(t, "udp4", "127.0.0.1:0")
	peer.SetReadDeadline(time.Now().Add(patience))
	to := addrPortOf(peer.LocalAddr())
	dht := m.DHT()
	if n, err := dht.WriteTo([]byte("d0"), peer.LocalAddr()); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := m.WriteTo([]byte("one"), to); err != nil {
		t.Fatal(err)
	}
	mapped := netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	sent, err := m.Send([]Outgoing{
		{To: to, Data: []byte("aaabbbcc"), Segment: 3},
		{To: to, Data: []byte("probe"), Whole: true},
		{To: mapped, Data: []byte("dd"), Segment: 2},
		{To: to},
	})
	if sent != 4 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	b := make([]byte, 100)
	for _, want := range []string{"d0", "one", "aaa", "bbb", "cc", "probe", "dd", ""} {
		n, from, err := peer.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != want || from != m.AddrPort() {
			t.Errorf("got %q from %v, %v; want %q", b[:n], from, err, want)
		}
	}
	if _, err := dht.WriteTo(nil, &net.UnixAddr{Name: "x"}); !errors.Is(err, errNoAddress) {
		t.Errorf("to a path: %v", err)
	}
}

// A datagram that cannot be sent does not keep the others.
func TestSendingGoesOnAfterAFault(t *testing.T) {
	m, peer := newMux(t), listen(t, "udp4", "127.0.0.1:0")
	peer.SetReadDeadline(time.Now().Add(patience))
	to := addrPortOf(peer.LocalAddr())
	sent, err := m.Send([]Outgoing{
		{To: to, Data: []byte("1")},
		{To: to, Data: make([]byte, 70000)},
		{To: netip.MustParseAddrPort("[::1]:9"), Data: []byte("x")},
		{To: netip.AddrPort{}, Data: []byte("x")},
		{To: to, Data: []byte("2")},
	})
	if sent != 5 || err == nil {
		t.Errorf("sent %d, %v; want all, and an error", sent, err)
	}
	b := make([]byte, 100)
	for _, want := range []string{"1", "2"} {
		if n, err := peer.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v; want %q", b[:n], err, want)
		}
	}
}

// Another call of DHT takes over, with what comes from then on.
func TestDHTIsTakenOver(t *testing.T) {
	m, from := newMux(t), listen(t, "udp4", "127.0.0.1:0")
	first := m.DHT()
	ended := make(chan error)
	go func() {
		_, _, err := first.ReadFrom(make([]byte, 100))
		ended <- err
	}()
	second := m.DHT()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the first ended with %v", err)
	}
	if _, err := first.WriteTo([]byte("d"), from.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write of the first: %v", err)
	}
	if err := first.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline of the first: %v", err)
	}
	if err := first.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	from.WriteToUDPAddrPort([]byte("d1"), m.AddrPort())
	second.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	if n, _, err := second.ReadFrom(b); err != nil || string(b[:n]) != "d1" {
		t.Errorf("the second got %q, %v", b[:n], err)
	}
	m.Close()
	if _, _, err := second.ReadFrom(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, _, err := m.DHT().ReadFrom(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a side of a closed Mux: %v", err)
	}
	if err := m.WriteTo(b, m.AddrPort()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write of a closed Mux: %v", err)
	}
}

// The queue is bounded, drops what is new, and takes datagrams again once it was read.
func TestQueueOfTheDHT(t *testing.T) {
	m := newMux(t)
	c := m.DHT().(*dhtConn)
	at := netip.MustParseAddrPort("127.0.0.1:1")
	for round := range 3 {
		for i := range queueMax + 10 {
			took := c.queue(Datagram{From: at, Data: fmt.Appendf(nil, "d%d", i)})
			if want := i < queueMax; took != want {
				t.Fatalf("round %d: datagram %d was taken: %v", round, i, took)
			}
		}
		b := make([]byte, 100)
		for i := range queueMax {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if want := fmt.Sprintf("d%d", i); string(b[:n]) != want || from != at || err != nil {
				t.Fatalf("got %q from %v, %v; want %q", b[:n], from, err, want)
			}
		}
	}
	c.queue(Datagram{From: at, Data: bytes.Repeat([]byte("d"), 3*queuedSizeMax)})
	if n, _, _ := c.ReadFromUDPAddrPort(make([]byte, 4*queuedSizeMax)); n != queuedSizeMax {
		t.Errorf("%d bytes of a long datagram, want %d", n, queuedSizeMax)
	}
	b, q := make([]byte, 8), []byte("d1:q")
	if n := testing.AllocsPerRun(100, func() {
		c.queue(Datagram{From: at, Data: q})
		c.take(b)
	}); n > 0 {
		t.Errorf("%v allocations for a datagram", n)
	}
}

func TestDeadlinesOfTheDHT(t *testing.T) {
	m := newMux(t)
	dht := m.DHT()
	b := make([]byte, 10)
	expect := func(want error) {
		t.Helper()
		if _, _, err := dht.ReadFrom(b); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	dht.SetReadDeadline(time.Now().Add(time.Millisecond))
	expect(os.ErrDeadlineExceeded)
	expect(os.ErrDeadlineExceeded)
	dht.SetDeadline(time.Time{})
	ended := make(chan error)
	go func() {
		_, _, err := dht.ReadFrom(b)
		ended <- err
	}()
	dht.SetReadDeadline(time.Unix(1, 0)) // ends a read that runs
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read ended with %v", err)
	}
	dht.SetReadDeadline(time.Now().Add(patience))
	m.DHT().WriteTo([]byte("d"), dht.LocalAddr())
	expect(net.ErrClosed)
}

// Everything at once: readers that change, senders, and Close in the midst.
func TestStorm(t *testing.T) {
	m, from := newMux(t), listen(t, "udp4", "127.0.0.1:0")
	m.Handle(ClassUTP, func(batch []Datagram) {
		m.WriteTo(packet(ClassDHT, ""), m.AddrPort())
		m.Send([]Outgoing{{To: batch[0].From, Data: batch[0].Data, Segment: 7}})
	})
	var storm sync.WaitGroup
	for range 4 {
		storm.Go(func() {
			for range 50 {
				c := m.DHT()
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				c.ReadFrom(make([]byte, 100))
				from.WriteToUDPAddrPort(packet(ClassUTP, "x"), m.AddrPort())
			}
		})
	}
	storm.Go(func() { m.Handle(ClassSTUN, func([]Datagram) {}); m.Handle(ClassSTUN, nil) })
	storm.Wait()
	for range 2 {
		storm.Go(func() { m.Close() })
	}
	storm.Wait()
}

// brokenConn fails every read until it is closed.
type brokenConn struct {
	net.PacketConn
	mu     sync.Mutex
	reads  int
	closed bool
}

func (c *brokenConn) LocalAddr() net.Addr { return &net.UnixAddr{Name: "broken", Net: "unixgram"} }
func (c *brokenConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}
func (c *brokenConn) ReadFrom([]byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads++; c.closed {
		return 0, nil, net.ErrClosed
	}
	return 0, nil, os.ErrInvalid
}

// Reads that fail for ever cost little, and do not keep Close.
func TestBrokenSocket(t *testing.T) {
	c := new(brokenConn)
	m := New(c)
	began := time.Now()
	m.Close()
	rounds := int(time.Since(began)/readPause) + 2
	if c.reads > rounds*readFaultsMax {
		t.Errorf("%d reads", c.reads)
	}
	if m.AddrPort().IsValid() {
		t.Errorf("it is at %v", m.AddrPort())
	}
}
