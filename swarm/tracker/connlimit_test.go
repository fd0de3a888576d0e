package tracker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"swarmnode/metainfo/bencode"
)

// A limitBench is a connLimit on loopback whose connections come from where the test
// says.
type limitBench struct {
	t       *testing.T
	l       net.Listener
	limit   *connLimit
	limited atomic.Uint64
	origins map[netip.AddrPort]netip.Addr // by the address on loopback
}

func newLimitBench(t *testing.T, openMax int) *limitBench {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &limitBench{t: t, l: l, origins: make(map[netip.AddrPort]netip.Addr)}
	b.limit = newConnLimit(l, openMax, &b.limited)
	b.limit.addrOf = func(c net.Conn) netip.Addr {
		return b.origins[c.RemoteAddr().(*net.TCPAddr).AddrPort()]
	}
	t.Cleanup(func() { b.limit.Close() })
	return b
}

// visit connects from ip, and returns both ends of the connection.
func (b *limitBench) visit(ip string) (net.Conn, *limitedConn) {
	b.t.Helper()
	c, err := net.Dial("tcp", b.l.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	b.origins[c.LocalAddr().(*net.TCPAddr).AddrPort()] = netip.MustParseAddr(ip)
	v, err := b.limit.Accept()
	if err != nil {
		b.t.Fatal(err)
	}
	b.check()
	return c, v.(*limitedConn)
}

// check compares what the connLimit counts with what is open.
func (b *limitBench) check() {
	b.t.Helper()
	g := b.limit
	g.mu.Lock()
	defer g.mu.Unlock()
	sources, networks := make(map[netip.Addr]connCount), make(map[network]connCount)
	for i, v := range g.open {
		s, n := sources[v.host], networks[v.net]
		s.open, n.open = s.open+1, n.open+1
		if v.waits {
			s.waiting, n.waiting = s.waiting+1, n.waiting+1
		}
		sources[v.host], networks[v.net] = s, n
		if v.slot != i || v.gone {
			b.t.Fatalf("a limitedConn is out of place")
		}
	}
	if len(sources) != len(g.sources) || len(networks) != len(g.networks) ||
		len(g.open) > g.openMax {
		b.t.Fatalf("%d sources of %d, %d networks of %d, %d open",
			len(g.sources), len(sources), len(g.networks), len(networks), len(g.open))
	}
	for host, c := range sources {
		if *g.sources[host] != c {
			b.t.Fatalf("%v: %+v, counted as %+v", host, c, *g.sources[host])
		}
	}
	for net, c := range networks {
		if *g.networks[net] != c {
			b.t.Fatalf("%v: %+v, counted as %+v", net, c, *g.networks[net])
		}
	}
}

// request records that v has sent a whole request, as the handler does.
func request(v *limitedConn) {
	ctx := withLimitedConn(context.Background(), v)
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	onComplete(r)
}

// When all places are taken, a newcomer is accepted all the same. Of the network with the
// most connections without a request, the one that has waited longest is closed.
func TestConnLimit(t *testing.T) {
	b := newLimitBench(t, 8)
	b.limit.sourceMax = 8
	var here []*limitedConn
	for _, ip := range []string{
		"192.0.2.1", "2001:db8:6:1::1", "2001:db8:6:1::2", "2001:db8:6:2::1",
		"2001:db8:7::1", "2001:db8:6:1::3", "198.51.100.1", "192.0.2.1",
	} {
		_, v := b.visit(ip)
		here = append(here, v)
	}
	request(here[1]) // of the /48 that has most, but served
	for i, next := range []struct {
		from string
		gone int // index in here
	}{
		{"203.0.113.1", 2}, // the oldest of the /64 that has most of the /48 that has most
		{"203.0.114.1", 0}, // two of the /24, two of the /48 are left; the oldest of these
		{"203.0.115.1", 3}, // only the /48 has more than one left
		{"203.0.116.1", 4}, // all have one
	} {
		_, v := b.visit(next.from)
		here = append(here, v)
		for j, v := range here {
			gone := false
			for _, n := range []int{2, 0, 3, 4}[:i+1] {
				gone = gone || n == j
			}
			if v.gone != gone {
				t.Fatalf("newcomer %d: limitedConn %d gone is %v", i, j, v.gone)
			}
		}
	}
	if n := b.limited.Load(); n != 4 {
		t.Errorf("%d are counted, want 4", n)
	}
	onState(here[1], http.StateIdle)
	b.check()
	here[1].Close()
	here[1].Close() // gives one place back, not two
	b.check()
	b.visit("203.0.117.1")
	if n := b.limited.Load(); n != 4 {
		t.Errorf("a connection was closed though there was room")
	}
}

// Connections whose requests are being answered are closed only if there are no others,
// and then for newcomers of other sources.
func TestConnLimitAllServed(t *testing.T) {
	b := newLimitBench(t, 4)
	b.limit.sourceMax = 3
	var here []*limitedConn
	for _, ip := range []string{"192.0.2.1", "198.51.100.1", "198.51.100.1", "198.51.100.1"} {
		_, v := b.visit(ip)
		request(v)
		here = append(here, v)
	}
	if _, v := b.visit("198.51.100.1"); !v.gone {
		t.Error("one of a source that has too many took the place of one that is served")
	}
	if _, v := b.visit("203.0.113.1"); v.gone || !here[1].gone || here[0].gone {
		t.Errorf("newcomer gone %v, the one of the crowd %v, the other %v", v.gone, here[1].gone,
			here[0].gone)
	}
}

// A source with too many connections makes room for its own newcomers: its silent
// connections are closed.
func TestConnLimitOfOneSource(t *testing.T) {
	b := newLimitBench(t, 8*connectionsPerSource)
	var silent []net.Conn
	for i := range connectionsPerSource {
		c, _ := b.visit(fmt.Sprintf("2001:db8:6:1::%x", i+1))
		silent = append(silent, c)
	}
	b.visit("192.0.2.1")
	if n := b.limited.Load(); n != 0 {
		t.Fatalf("%d were closed", n)
	}
	_, v := b.visit("2001:db8:6:1::ffff")
	if v.gone || b.limited.Load() != 1 {
		t.Errorf("the newcomer is gone: %v, %d were closed", v.gone, b.limited.Load())
	}
	if _, err := silent[0].Read(make([]byte, 1)); err == nil {
		t.Error("the oldest is open")
	}
}

// When the process has no descriptors left, silent connections make room too.
func TestConnLimitWithoutDescriptors(t *testing.T) {
	b := newLimitBench(t, 100)
	full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	failures := 0
	b.limit.Listener = acceptFunc(func() (net.Conn, error) {
		if failures > 0 {
			failures--
			return nil, full
		}
		return b.l.Accept()
	})
	_, first := b.visit("2001:db8:6:1::1")
	_, second := b.visit("2001:db8:6:2::1")
	_, other := b.visit("192.0.2.1")
	failures = 1
	_, v := b.visit("198.51.100.1")
	if !first.gone || second.gone || other.gone || v.gone || b.limited.Load() != 1 {
		t.Errorf("%v %v %v %v are gone, %d counted", first.gone, second.gone, other.gone, v.gone,
			b.limited.Load())
	}
	failures = 100
	if _, err := b.limit.Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("with nobody to close: %v", err)
	}
}

func TestConnLimitCloses(t *testing.T) {
	b := newLimitBench(t, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := b.limit.Accept()
		ended <- err
	}()
	b.limit.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Slow requests come from a whole /48, several times as many as there are places, and each
// connection is opened again as soon as it is closed. Every honest announce is answered
// all the same.
func TestSlowRequests(t *testing.T) {
	const places, subnets, each = 64, 32, 8
	for name, words := range map[string]string{
		"nothing":     "",
		"half a line": "GET /announce?info_hash=aaaa",
		"half a head": "GET /announce HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"no body":     "GET /announce HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
		"a chunk of a body": "GET /announce HTTP/1.1\r\nHost: x\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
		"a request, and no other": "GET /scrape?info_hash=aaaaaaaaaaaaaaaaaaaa " +
			"HTTP/1.1\r\nHost: x\r\n\r\n",
		"TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(ServerConfig{ConnectionsMax: places})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			limited := newConnLimit(l, places, &s.limited)
			// 127.6.SUBNET.HOST stands for 2001:db8:6:SUBNET::HOST.
			limited.addrOf = func(c net.Conn) netip.Addr {
				ip := remoteAddr(c)
				if b := ip.As4(); b[1] == 6 {
					return netip.MustParseAddr(fmt.Sprintf("2001:db8:6:%x::%x", b[2], b[3]))
				}
				return ip
			}
			web := s.webServer()
			ended := make(chan error, 1)
			go func() { ended <- web.Serve(limited) }()
			defer func() {
				web.Close()
				if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			}()
			ctx, stop := context.WithCancel(t.Context())
			slow := holdOpen(ctx, l.Addr().String(), subnets, each, words)
			for range 2 {
				for i := range 3 {
					slow.await(t, 2*places)
					announceFrom(t, l.Addr().String(), byte(i))
				}
			}
			stop()
			slow.wait()
			if s.Stats().Limited == 0 {
				t.Error("the slow ones found room")
			}
		})
	}
}

// A slowCrowd is a set of connections that send part of a request and wait to be closed.
type slowCrowd struct {
	opened chan struct{}
	ended  chan struct{}
}

// holdOpen keeps each connections open from every one of that many subnets.
func holdOpen(ctx context.Context, to string, subnets, each int, words string) *slowCrowd {
	s := &slowCrowd{opened: make(chan struct{}), ended: make(chan struct{})}
	running := make(chan struct{})
	for i := range subnets * each {
		from := net.IPv4(127, 6, byte(i/each), byte(i%each+1))
		go func() {
			defer func() { running <- struct{}{} }()
			for ctx.Err() == nil {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
				c, err := d.DialContext(ctx, "tcp", to)
				if err != nil {
					continue
				}
				unhook := context.AfterFunc(ctx, func() { c.Close() })
				io.WriteString(c, words)
				select {
				case s.opened <- struct{}{}:
				case <-ctx.Done():
				}
				io.Copy(io.Discard, c) // until it is closed
				unhook()
				c.Close()
			}
		}()
	}
	go func() {
		for range subnets * each {
			<-running
		}
		close(s.ended)
	}()
	return s
}

// await waits until n more connections have been opened.
func (s *slowCrowd) await(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-s.opened:
		case <-t.Context().Done():
			t.Fatal("the slow ones do not connect")
		}
	}
}

func (s *slowCrowd) wait() { <-s.ended }

// announceFrom announces once from an address of its own.
func announceFrom(t *testing.T, to string, host byte) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, host, 1)}}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /announce?info_hash=bbbbbbbbbbbbbbbbbbbb&port=7&left=0 "+
		"HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("an honest announce has no answer: %v", err)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	r := bencode.NewReader(body, bencode.Limits{})
	if err != nil || r.Kind() != bencode.Dict || answer.StatusCode != http.StatusOK {
		t.Errorf("an honest announce: status %d, %q, %v", answer.StatusCode, body, err)
	}
}
