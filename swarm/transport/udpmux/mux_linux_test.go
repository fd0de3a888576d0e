package udpmux

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control calls f with the descriptor of the socket of m.
func (p *batchPort) control(t testing.TB, f func(fd int)) {
	t.Helper()
	if err := p.raw.Control(func(fd uintptr) { f(int(fd)) }); err != nil {
		t.Fatal(err)
	}
}

// A run of datagrams arrives as it was sent, whoever splits it: the kernel, we, or we after
// the kernel has refused.
func TestRuns(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		addr := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]
		for _, by := range []string{"kernel", "us", "us after a refusal"} {
			t.Run(network+"/"+by, func(t *testing.T) {
				from, to := New(listen(t, network, addr)), New(listen(t, network, addr))
				defer from.Close()
				defer to.Close()
				p := from.port.(*batchPort)
				switch {
				case by == "us":
					p.joins.Store(false)
				case !p.joins.Load():
					t.Skip("the kernel does not split datagrams")
				case by != "kernel":
					p.control(t, func(fd int) { // which UDP_SEGMENT cannot do
						unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
					})
				}
				const size, count = 1000, 150
				arrived := make(chan []byte, count)
				to.Handle(ClassUTP, func(batch []Datagram) {
					for _, d := range batch {
						arrived <- append([]byte(nil), d.Data...)
					}
				})
				run := make([]byte, size*count-7)
				for i := range count {
					run[i*size] = 0x01
					binary.BigEndian.PutUint16(run[i*size+headerSize:], uint16(i))
				}
				sent, err := from.Send([]Outgoing{{To: to.AddrPort(), Data: run, Segment: size}})
				if sent != 1 || err != nil {
					t.Fatalf("sent %d, %v", sent, err)
				}
				for i := range count {
					select {
					case got := <-arrived:
						want := run[i*size : min((i+1)*size, len(run))]
						if string(got) != string(want) {
							t.Fatalf("datagram %d: %d bytes, want %d", i, len(got), len(want))
						}
					case <-time.After(patience):
						t.Fatalf("datagram %d of %d has not come", i, count)
					}
				}
			})
		}
	}
}

// More elements than one call takes go out all the same.
func TestManyElements(t *testing.T) {
	from, to := newMux(t), newMux(t)
	const count = 3*messagesMax + 5
	arrived := make(chan int, count)
	to.Handle(ClassUTP, func(batch []Datagram) {
		for _, d := range batch {
			arrived <- int(d.Data[headerSize])
		}
	})
	var batch []Outgoing
	for i := range count {
		b := packet(ClassUTP, string([]byte{byte(i)}))
		batch = append(batch, Outgoing{To: to.AddrPort(), Data: b, Whole: i%3 == 0})
	}
	if sent, err := from.Send(batch); sent != count || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	for i := range count {
		select {
		case got := <-arrived:
			if got != i%256 {
				t.Fatalf("got %d, want %d", got, i%256)
			}
		case <-time.After(patience):
			t.Fatalf("datagram %d has not come", i)
		}
	}
}

// Datagrams that must stay whole go out so, and others of that size do not.
func TestWhole(t *testing.T) {
	for _, c := range []struct {
		network, addr string
		level, option int
	}{
		{"udp4", "127.0.0.1:0", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
		{"udp6", "[::1]:0", unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER},
	} {
		m := New(listen(t, c.network, c.addr))
		defer m.Close()
		p := m.port.(*batchPort)
		for _, send := range []struct {
			size  int
			whole bool
			want  int
		}{
			{100, false, unix.IP_PMTUDISC_WANT}, // as it is by default
			{1400, false, unix.IP_PMTUDISC_DONT},
			{1400, true, unix.IP_PMTUDISC_PROBE},
			{100, false, unix.IP_PMTUDISC_PROBE}, // no link cuts it
			{1400, false, unix.IP_PMTUDISC_DONT},
			{100, true, unix.IP_PMTUDISC_PROBE},
		} {
			_, err := m.Send([]Outgoing{{To: m.AddrPort(), Data: make([]byte, send.size),
				Whole: send.whole}})
			if err != nil {
				t.Fatal(err)
			}
			p.control(t, func(fd int) {
				if got, _ := unix.GetsockoptInt(fd, c.level, c.option); got != send.want {
					t.Errorf("%s, %+v: the option is %d", c.network, send, got)
				}
			})
		}
	}
}

// An element for which there is no room is reported, and so is what comes after it.
func TestSendIsFull(t *testing.T) {
	m := newMux(t)
	s := newSender(m.port.(*batchPort))
	to := netip.MustParseAddrPort("127.0.0.1:9")
	for i := range 3 {
		if _, full, err := s.add(i, &Outgoing{To: to, Data: []byte("abcdef"), Segment: 4}); full ||
			err != nil {
			t.Fatal(full, err)
		}
	}
	m.pc.Close()
	if at, full, err := s.flush(); at != 0 || !full || err == nil {
		t.Errorf("at %d, full %v, %v", at, full, err)
	}
	if sent, err := m.Send([]Outgoing{{To: to}, {To: to}}); sent != 0 || err == nil {
		t.Errorf("sent %d, %v", sent, err)
	}
}

func TestSockaddr(t *testing.T) {
	z := zones{}
	for _, c := range []struct {
		addr, want string
		six        bool
	}{
		{"192.0.2.1:80", "192.0.2.1:80", false},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1:80", false},
		{"192.0.2.1:80", "192.0.2.1:80", true},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535", true},
		{"[2001:db8::1]:1", "", false},
		{"[fe80::1%lo]:7", "[fe80::1%lo]:7", true},
		{"[fe80::1%99999]:7", "[fe80::1%99999]:7", true},
		{"[fe80::1%no such interface]:7", "[fe80::1]:7", true},
	} {
		s := sockaddr{}
		for i := range s {
			s[i] = 0xaa // of the last one
		}
		n := s.set(netip.MustParseAddrPort(c.addr), c.six)
		if c.want == "" {
			if n != 0 {
				t.Errorf("%s: %d bytes for a socket of IPv4", c.addr, n)
			}
			continue
		}
		if got := s.addrPort(&z); got.String() != c.want || n == 0 {
			t.Errorf("%s became %v, %d bytes", c.addr, got, n)
		}
	}
	if n := new(sockaddr).set(netip.AddrPort{}, true); n != 0 {
		t.Errorf("%d bytes of no address", n)
	}
	for i := range uint32(3 * zonesMax) {
		z.name(1_000_000 + i)
	}
	if len(z.names) > zonesMax {
		t.Errorf("%d names are remembered", len(z.names))
	}
}

// A socket that is bound to all addresses answers from the one that it was asked at, both the
// DHT and others, by single datagrams and by runs.
func TestAnswersComeFromWhereTheyWereAsked(t *testing.T) {
	m := New(listen(t, "udp4", "0.0.0.0:0"))
	defer m.Close()
	m.Handle(ClassUTP, func(batch []Datagram) {
		for _, d := range batch {
			m.Send([]Outgoing{{To: d.From, Data: []byte("abc"), Segment: 2, From: d.To}})
		}
	})
	dht := m.DHT().(*dhtConn)
	peer := listen(t, "udp4", "127.0.0.1:0")
	peer.SetReadDeadline(time.Now().Add(patience))
	dht.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	heard := func(what, want string, at netip.AddrPort) {
		t.Helper()
		n, from, err := peer.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != want || from != at {
			t.Errorf("%s: got %q from %v, %v; want %q from %v", what, b[:n], from, err, want, at)
		}
	}
	for _, ip := range []string{"127.0.0.7", "127.0.0.1", "127.0.1.9"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), m.AddrPort().Port())
		for _, joined := range []bool{true, false} {
			m.port.(*batchPort).joins.Store(joined)
			if _, err := peer.WriteToUDPAddrPort(packet(ClassUTP, ""), at); err != nil {
				t.Fatal(err)
			}
			heard("uTP", "ab", at)
			heard("uTP", "c", at)
		}
		peer.WriteToUDPAddrPort([]byte("d?"), at)
		_, from, err := dht.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		dht.WriteToUDPAddrPort([]byte("d!"), from)
		heard("the DHT", "d!", at)
	}
	// An address that is gone does not keep the DHT from sending.
	m.ways.note(addrPortOf(peer.LocalAddr()), netip.MustParseAddr("192.0.2.77"))
	if _, err := dht.WriteTo([]byte("d+"), peer.LocalAddr()); err != nil {
		t.Error(err)
	}
	heard("after an address has gone", "d+",
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), m.AddrPort().Port()))
	for i := range 2 * waysMax {
		m.ways.note(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i)), m.local.Addr())
	}
	if len(m.ways.ours) > waysMax {
		t.Errorf("%d ways are remembered", len(m.ways.ours))
	}
}

// Whatever the bytes are, parsing control messages ends, and what was appended is read again.
func TestControl(t *testing.T) {
	for _, ip := range []string{"192.0.2.1", "2001:db8::7"} {
		addr := netip.MustParseAddr(ip)
		c := control{}
		n := c.source(0, addr, addr.Is6())
		n = c.segment(n, 1400)
		h := (*unix.Cmsghdr)(unsafe.Pointer(&c.bytes()[n-unix.CmsgSpace(2)]))
		h.Type = unix.UDP_GRO // as the kernel says it
		h.SetLen(unix.CmsgLen(4))
		if size, to := c.parse(n); size != 1400 || to != addr {
			t.Errorf("%s: size %d to %v", ip, size, to)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		c := control{}
		for i := range c {
			c[i] = rng.Uint64() >> (rng.IntN(8) * 8)
		}
		c.parse(rng.IntN(200))
	}
}

// TestNoAllocations: neither sending nor receiving allocates for a datagram.
func TestNoAllocations(t *testing.T) {
	m := newMux(t)
	arrived := make(chan struct{}, 100)
	m.Handle(ClassUTP, func(batch []Datagram) {
		for range batch {
			arrived <- struct{}{}
		}
	})
	dht := m.DHT().(*dhtConn)
	b, d, out := packet(ClassUTP, "x"), packet(ClassDHT, "y"), make([]byte, 100)
	batch := []Outgoing{{To: m.AddrPort(), Data: b, Whole: true}}
	once := func() {
		m.Send(batch)
		<-arrived
		dht.WriteToUDPAddrPort(d, m.AddrPort())
		dht.ReadFromUDPAddrPort(out)
	}
	for range queueMax { // every place of the queue has a buffer then
		once()
	}
	// A pool is emptied by the garbage collector, and at random with the race detector.
	if n := testing.AllocsPerRun(200, once); n >= 1 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRuns sends datagrams of 1,400 bytes from one Mux to another: each iteration is a
// run of 45.
func BenchmarkRuns(b *testing.B) {
	for _, joined := range []bool{true, false} {
		name := map[bool]string{true: "kernel", false: "us"}[joined]
		b.Run(name, func(b *testing.B) {
			from, to := newMux(b), newMux(b)
			from.port.(*batchPort).joins.Store(joined)
			var got atomic.Int64
			to.Handle(ClassUTP, func(batch []Datagram) { got.Add(int64(len(batch))) })
			const size, count = 1400, 45
			run := make([]byte, size*count)
			for i := range count {
				run[i*size] = 1
			}
			batch := []Outgoing{{To: to.AddrPort(), Data: run, Segment: size}}
			b.SetBytes(int64(len(run)))
			b.ReportAllocs()
			for b.Loop() {
				from.Send(batch)
			}
			b.ReportMetric(100*float64(got.Load())/float64(b.N*count), "%arrived")
		})
	}
}

// BenchmarkDHTBesideFlood counts the queries of a DHT that are lost while uTP floods the
// port from another process's point of view: as fast as one sender can.
func BenchmarkDHTBesideFlood(b *testing.B) {
	m, flooder := newMux(b), newMux(b)
	m.Handle(ClassUTP, func([]Datagram) {})
	dht := m.DHT().(*dhtConn)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		run := make([]byte, 1400*45)
		for i := 0; i < len(run); i += 1400 {
			run[i] = 1
		}
		batch := []Outgoing{{To: m.AddrPort(), Data: run, Segment: 1400}}
		for {
			select {
			case <-stop:
				return
			default:
				flooder.Send(batch)
			}
		}
	}()
	asker := listen(b, "udp4", "127.0.0.1:0")
	query, reply := packet(ClassDHT, "ping"), make([]byte, 100)
	lost := 0
	var longest time.Duration
	for b.Loop() {
		asker.WriteToUDPAddrPort(query, m.AddrPort())
		dht.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		began := time.Now()
		if _, _, err := dht.ReadFromUDPAddrPort(reply); err != nil {
			lost++
		} else {
			longest = max(longest, time.Since(began))
		}
	}
	close(stop)
	<-ended
	b.ReportMetric(100*float64(lost)/float64(b.N), "%lost")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
}
