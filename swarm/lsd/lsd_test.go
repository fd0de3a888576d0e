package lsd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
)

var (
	hashA = metainfo.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	hashB = metainfo.Hash([]byte("bbbbbbbbbbbbbbbbbbbb"))
)

// The packet of BEP 14.
func TestAppendSearch(t *testing.T) {
	got := string(appendSearch(nil, &search{host: group4.String(), port: 6881, cookie: "c",
		hashes: []metainfo.Hash{hashA, hashB}}))
	want := "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n" +
		"Infohash: 6161616161616161616161616161616161616161\r\nInfohash: " +
		"6262626262626262626262626262626262626262\r\n" +
		"cookie: c\r\n\r\n\r\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := group6.String(); got != "[ff15::efc0:988f]:6771" {
		t.Errorf("the group of IPv6 is %s", got)
	}
	most := appendSearch(nil, &search{host: group6.String(), port: 65535,
		cookie: strings.Repeat("c", 13), hashes: make([]metainfo.Hash, hashesMax)})
	if len(most) > packetMax {
		t.Errorf("%d hashes make a packet of %d bytes", hashesMax, len(most))
	}
}

func TestParseSearch(t *testing.T) {
	a := "6161616161616161616161616161616161616161"
	for _, c := range []struct {
		name, packet string
		want         search
	}{
		{"libtorrent", "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: " +
			"6881\r\nInfohash: " + a + "\r\ncookie: 1f\r\n\r\n\r\n",
			search{host: "239.192.152.143:6771", port: 6881, cookie: "1f",
				hashes: []metainfo.Hash{hashA}}},
		{"upper case, bare line ends, no cookie", "BT-SEARCH * HTTP/1.0\nPORT:1\nINFOHASH:  " +
			strings.ToUpper(a) + "  \n\n",
			search{port: 1, hashes: []metainfo.Hash{hashA}}},
		{"two hashes, and one that is none",
			"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: xx\r\nInfohash: " + a + "\r\nInfohash: " +
				strings.Repeat("62", 20) + "\r\n\r\n",
			search{port: 1, hashes: []metainfo.Hash{hashA, hashB}}},
		{"no end", "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + a,
			search{port: 1, hashes: []metainfo.Hash{hashA}}},
		{"a long cookie", "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\ncookie: " + strings.Repeat("x", 500) +
			"\r\nInfohash: " + a + "\r\n",
			search{port: 1, cookie: strings.Repeat("x", cookieMax),
				hashes: []metainfo.Hash{hashA}}},
	} {
		got, err := parseSearch([]byte(c.packet))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
	for name, packet := range map[string]string{
		"nothing":    "",
		"SSDP":       "M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + a + "\r\n",
		"no port":    "BT-SEARCH * HTTP/1.1\r\nInfohash: " + a + "\r\n",
		"port 0":     "BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: " + a + "\r\n",
		"port 65536": "BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: " + a + "\r\n",
		"no hash":    "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n",
		"no header":  "BT-SEARCH * HTTP/1.1\r\nPort 1\r\nInfohash: " + a + "\r\n",
		"too long": "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + a + "\r\nx: " +
			strings.Repeat("y", packetMax),
	} {
		if got, err := parseSearch([]byte(packet)); !errors.Is(err, errSearch) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func FuzzParseSearch(f *testing.F) {
	f.Add(appendSearch(nil, &search{host: group4.String(), port: 6881, cookie: "c",
		hashes: []metainfo.Hash{hashA, hashB}}))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\nPort:1\nInfohash:zz\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSearch(b)
		if err != nil {
			return
		}
		if s.port == 0 || len(s.hashes) == 0 || len(s.hashes) > linesMax ||
			len(s.cookie) > cookieMax {
			t.Fatalf("out of bounds: %+v", s)
		}
		if strings.ContainsAny(s.host+s.cookie, "\r\n") {
			return // a carriage return in the middle of a line
		}
		again, err := parseSearch(appendSearch(nil,
			&s)[:min(packetMax, len(appendSearch(nil, &s)))])
		if err != nil || again.port != s.port {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

// A lan is a network in memory: what one sends, all hear, itself included.
type lan struct {
	mu     sync.Mutex
	start  time.Time
	conns  map[*lanConn]bool
	log    []string // who announced what, and when
	muted  bool
	failed error // of opening
}

type lanConn struct {
	lan    *lan
	addr   netip.AddrPort
	in     chan []byte
	from   chan netip.AddrPort
	closed chan struct{}
	once   sync.Once
}

func newLAN() *lan { return &lan{start: time.Now(), conns: make(map[*lanConn]bool)} }

func (c *lanConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-c.in:
		return copy(b, p), <-c.from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *lanConn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	c.lan.mu.Lock()
	defer c.lan.mu.Unlock()
	s, err := parseSearch(b)
	if err != nil {
		return 0, err
	}
	c.lan.log = append(c.lan.log, fmt.Sprintf("%v %v %d hashes",
		time.Since(c.lan.start).Round(time.Second), c.addr.Addr(), len(s.hashes)))
	if !c.lan.muted {
		c.lan.spread(b, c.addr)
	}
	return len(b), nil
}

// spread gives a packet to everybody. l.mu is held.
func (l *lan) spread(b []byte, from netip.AddrPort) {
	for other := range l.conns {
		select {
		case other.in <- append([]byte(nil), b...):
			other.from <- from
		default:
		}
	}
}

func (c *lanConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.lan.mu.Lock()
		delete(c.lan.conns, c)
		c.lan.mu.Unlock()
	})
	return nil
}

func (l *lan) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.log
	l.log = nil
	return log
}

// node starts a Service with one address on a lan; what it returns changes the
// address.
func (l *lan) node(t *testing.T, ip string) (*Service, func(ip string)) {
	s := newService(Config{})
	var mu sync.Mutex
	now := ip
	current := func() string {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	s.places = func() map[linkKey]place {
		if current() == "" {
			return nil
		}
		return map[linkKey]place{{index: 1,
			name: "eth0"}: {addrs: []netip.Prefix{netip.MustParsePrefix(current() + "/24")}}}
	}
	s.open = func(linkKey, *net.Interface) (packetConn, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.failed != nil {
			return nil, l.failed
		}
		addr := netip.AddrPortFrom(netip.MustParseAddr(current()), port)
		c := &lanConn{lan: l, addr: addr, in: make(chan []byte, 1024),
			from: make(chan netip.AddrPort, 1024), closed: make(chan struct{})}
		l.conns[c] = true
		return c, nil
	}
	s.wait.Go(s.run)
	return s, func(ip string) {
		mu.Lock()
		defer mu.Unlock()
		now = ip
	}
}

// peers collects what a node finds, until the returned function is called.
func peers(t *testing.T, s *Service, ih metainfo.Hash,
	port uint16) (found func() string, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var list []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a := range s.Peers(ctx, ih, port, false) {
			mu.Lock()
			list = append(list, a.String())
			mu.Unlock()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		out := strings.Join(list, " ")
		list = nil
		return out
	}, func() { cancel(); <-done }
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Whoever comes second finds the first, and is found, within a second.
func TestBothOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		foundA, stopA := peers(t, a, hashA, 1001)
		defer stopA()
		time.Sleep(time.Minute)
		expect(t, "alone", foundA(), "")
		l.take()

		b, _ := l.node(t, "192.168.1.2")
		defer b.Close()
		other, stopOther := peers(t, b, hashB, 1002)
		defer stopOther()
		foundB, stopB := peers(t, b, hashA, 1002)
		defer stopB()
		time.Sleep(200 * time.Millisecond)
		expect(t, "the first", foundA(), "192.168.1.2:1002")
		expect(t, "the second", foundB(), "192.168.1.1:1001")
		expect(t, "of another torrent", other(), "")
		expect(t, "packets", fmt.Sprint(l.take()),
			"[1m0s 192.168.1.2 2 hashes 1m0s 192.168.1.1 1 hashes]")
	})
}

// An announce is repeated once, and then comes every five minutes; nobody
// answers it again.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		b, _ := l.node(t, "192.168.1.2")
		defer b.Close()
		_, stopA := peers(t, a, hashA, 1001)
		defer stopA()
		_, stopB := peers(t, b, hashA, 1002)
		defer stopB()
		time.Sleep(30 * time.Second)
		if log := l.take(); len(log) < 4 || len(log) > 6 {
			t.Errorf("in the first half minute: %q", log)
		}
		time.Sleep(time.Hour)
		// Each 12 times less what the tenth at random takes.
		if log := l.take(); len(log) < 20 || len(log) > 24 {
			t.Errorf("in an hour: %d packets: %q", len(log), log)
		}
	})
}

// A torrent that comes and goes, or always wants more, is announced every ten
// seconds at the most.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		for range 600 {
			_, stop := peers(t, a, hashA, 1001)
			time.Sleep(100 * time.Millisecond)
			stop()
		}
		if log := l.take(); len(log) < 6 || len(log) > 7 {
			t.Errorf("in a minute: %q", log)
		}
		time.Sleep(time.Minute)
		if log := l.take(); len(log) != 0 {
			t.Errorf("after the end: %q", log)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.torrents) != 0 {
			t.Errorf("%d torrents are remembered", len(a.torrents))
		}
	})
}

// Strangers by the thousand are yielded as far as there is room, and cost one
// answer per ten seconds. If all come from one sender, a neighbour is heard beside them,
// and remembered.
func TestFlood(t *testing.T) {
	const neighbour = "192.168.1.2:7777"
	for _, v := range []struct {
		name      string
		from      func(i int) string
		perSecond int
		known     int
	}{
		{"one sender", func(int) string { return "192.168.1.66:6771" }, packetsPerSource,
			perSenderMax},
		{"one /64", func(i int) string { return fmt.Sprintf("[fd00:1:2:3::%x]:6771", i) },
			packetsPerSource, perSenderMax},
		{"all of a link", func(i int) string { return fmt.Sprintf("[fe80::%x]:6771", i) },
			packetsPerSecond, knownMax},
		{"all of a network", func(i int) string {
			return fmt.Sprintf("10.0.%d.%d:6771", i>>8, i&255)
		}, packetsPerSecond, knownMax},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLAN()
			a, _ := l.node(t, "192.168.1.1")
			defer a.Close()
			found, stop := peers(t, a, hashA, 1001)
			defer stop()
			time.Sleep(15 * time.Second)
			l.take()
			say := func(from, cookie string, port uint16) {
				s := search{port: port, cookie: cookie, hashes: []metainfo.Hash{hashA, hashB}}
				l.mu.Lock()
				l.spread(appendSearch(nil, &s), netip.MustParseAddrPort(from))
				l.mu.Unlock()
			}
			for i := range 20_000 {
				say(v.from(i), "x", uint16(1+i))
				if i%1000 == 900 {
					say(neighbour, "n", 7777)
				}
				time.Sleep(time.Millisecond)
			}
			all := strings.Fields(found())
			heard := 0
			for _, addr := range all {
				if addr == neighbour {
					heard++
				}
			}
			if n := len(all) - heard; n == 0 || n > 21*v.perSecond {
				t.Errorf("%s: %d peers in 20 s, want at most %d a second", v.name, n, v.perSecond)
			}
			if log := l.take(); len(log) < 2 || len(log) > 3 {
				t.Errorf("%s: %d answers in 20 s: %q", v.name, len(log), log)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			known := len(a.torrents[hashA].known)
			if v.perSecond == packetsPerSource {
				if heard != 20 {
					t.Errorf("%s: a neighbour is heard %d times of 20", v.name, heard)
				}
				known-- // the neighbour
			}
			if known != v.known {
				t.Errorf("%s: %d peers are remembered, want %d", v.name, known, v.known)
			}
		})
	}
}

// A neighbour that floods does not keep us from hearing another.
func TestFloodOfOneNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		found, stop := peers(t, a, hashA, 1001)
		defer stop()
		time.Sleep(15 * time.Second)
		found()
		tell := func(ip string, port uint16, ih metainfo.Hash) {
			s := search{port: port, cookie: ip, hashes: []metainfo.Hash{ih}}
			l.mu.Lock()
			l.spread(appendSearch(nil, &s), netip.AddrPortFrom(netip.MustParseAddr(ip), 6771))
			l.mu.Unlock()
			synctest.Wait()
		}
		for i := range 1500 {
			tell("192.168.1.66", 7, hashB)
			if i%500 == 499 {
				tell(fmt.Sprintf("192.168.1.%d", 70+i/500), 7, hashA)
			}
		}
		if got := found(); got != "192.168.1.70:7 192.168.1.71:7 192.168.1.72:7" {
			t.Errorf("heard %q beside the flood", got)
		}
	})
}

// Multicast does not come from the internet.
func TestSenders(t *testing.T) {
	l := &link{addrs: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/24")}}
	for ip, want := range map[string]bool{
		"203.0.113.9": true, "203.0.114.9": false, "10.0.0.1": true, "192.168.7.7": true,
		"169.254.1.1":  true,
		"fe80::1%eth0": true, "127.0.0.1": true, "8.8.8.8": false, "0.0.0.0": false,
		"255.255.255.255": false, "2001:db8::1": false,
	} {
		if got := l.local(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v, want %v", ip, got, want)
		}
	}
}

// What is announced is where we can be reached.
func TestSources(t *testing.T) {
	lan4 := []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24"),
		netip.MustParsePrefix("192.168.1.2/24")}
	lan6 := []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("fd00::1/64")}
	for _, c := range []struct {
		bound        string
		want4, want6 string
	}{
		{"", "[invalid IP]", "[invalid IP]"}, // the system chooses
		{"0.0.0.0", "[invalid IP]", "[]"},
		{"::", "[]", "[invalid IP]"},
		{"0.0.0.0 ::", "[invalid IP]", "[invalid IP]"},
		{"192.168.1.2", "[192.168.1.2]", "[]"},
		{"::ffff:192.168.1.2 192.168.1.2", "[192.168.1.2]", "[]"},
		{"192.168.1.2 192.168.1.1 10.0.0.1 127.0.0.1", "[192.168.1.2 192.168.1.1]", "[]"},
		{"fe80::1%eth0 0.0.0.0", "[invalid IP]", "[fe80::1]"},
		{"fd00::1", "[]", "[fd00::1]"},
		{"10.0.0.1 fd00::7", "[]", "[]"},
	} {
		var bound []netip.Addr
		for _, a := range strings.Fields(c.bound) {
			bound = append(bound, netip.MustParseAddr(a))
		}
		expect(t, c.bound+", IPv4", fmt.Sprint(sources(bound, lan4, false)), c.want4)
		expect(t, c.bound+", IPv6", fmt.Sprint(sources(bound, lan6, true)), c.want6)
	}
}

// A network that comes later, or another address, is announced on at once.
func TestAddressChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		b, _ := l.node(t, "192.168.1.2")
		defer b.Close()
		foundB, stopB := peers(t, b, hashA, 1002)
		defer stopB()
		a, move := l.node(t, "")
		defer a.Close()
		foundA, stopA := peers(t, a, hashA, 1001)
		defer stopA()
		time.Sleep(time.Minute)
		expect(t, "without a network", foundB(), "")
		move("192.168.1.1")
		time.Sleep(scanEvery + 100*time.Millisecond)
		expect(t, "the one that was there", foundB(), "192.168.1.1:1001")
		expect(t, "the new one", foundA(), "192.168.1.2:1002")
		time.Sleep(time.Minute)
		foundB()
		move("192.168.1.3")
		time.Sleep(scanEvery + 100*time.Millisecond)
		expect(t, "after a move", foundB(), "192.168.1.3:1001")
		l.mu.Lock()
		l.failed = errors.New("no such device")
		l.mu.Unlock()
		move("192.168.1.4")
		time.Sleep(time.Minute)
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.links) != 0 {
			t.Error("a link that cannot be")
		}
	})
}

// Who asks later is told who is known.
func TestKnownPeersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		b, _ := l.node(t, "192.168.1.2")
		defer b.Close()
		_, stopB := peers(t, b, hashA, 1002)
		defer stopB()
		_, stop := peers(t, a, hashA, 1001)
		time.Sleep(time.Second)
		stop()
		l.mu.Lock()
		l.muted = true
		l.mu.Unlock()
		found, stop := peers(t, a, hashA, 1001)
		defer stop()
		synctest.Wait()
		expect(t, "again", found(), "192.168.1.2:1002")
	})
}

func TestManyTorrents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		a, _ := l.node(t, "192.168.1.1")
		defer a.Close()
		const n = 3*23 + 1
		for i := range n {
			_, stop := peers(t, a, metainfo.Hash{byte(i)}, 1001)
			defer stop()
		}
		time.Sleep(time.Second)
		hashes := 0
		log := l.take()
		for _, line := range log {
			var k int
			var at, ip string
			fmt.Sscanf(line, "%s %s %d", &at, &ip, &k)
			hashes += k
		}
		if hashes != n || len(log) != (n+hashesMax-1)/hashesMax {
			t.Errorf("%d hashes in %d packets, want %d in %d", hashes, len(log), n,
				(n+hashesMax-1)/hashesMax)
		}
	})
}

func BenchmarkParseSearch(b *testing.B) {
	packet := appendSearch(nil, &search{host: group4.String(), port: 6881, cookie: "c",
		hashes: make([]metainfo.Hash, hashesMax)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseSearch(packet); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan is a look at the interfaces when nothing has changed.
func BenchmarkScan(b *testing.B) {
	s := newService(Config{})
	b.ReportAllocs()
	for b.Loop() {
		s.places()
	}
}
