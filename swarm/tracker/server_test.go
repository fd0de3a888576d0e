package tracker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// Our own client against our own server, over both protocols and families: a
// peer that comes by one is told to who asks by the other.
func TestClientAndServer(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			s, at := startServer(t, ServerConfig{}, ip)
			c := newClient(t)
			web := parse(t, "http://"+at.String()+"/announce", true)
			udp := parse(t, "udp://"+at.String()+"/announce", true)
			seed := Request{InfoHash: hashB, Port: 1001, Event: Started, Want: 50}
			leech := Request{InfoHash: hashB, Port: 1002, Left: 5, Event: Started, Want: 50}
			addr := netip.MustParseAddr(ip)

			r, err := c.Announce(t.Context(), web, seed, guard.Any)
			want := Response{Interval: serverInterval, MinInterval: serverMinInterval, Seeds: 1, ExternalIP: addr, Peers: []netip.AddrPort{}}
			if err != nil || r.Seeds != 1 || r.Leeches != 0 || len(r.Peers) != 0 || r.ExternalIP != addr || r.MinInterval != want.MinInterval {
				t.Fatalf("first: got %+v, %v; want %+v", r, err, want)
			}
			r, err = c.Announce(t.Context(), udp, leech, guard.Any)
			if err != nil || r.Seeds != 1 || r.Leeches != 1 || !slices.Equal(r.Peers, []netip.AddrPort{netip.AddrPortFrom(addr, 1001)}) {
				t.Fatalf("over UDP: got %+v, %v", r, err)
			}
			leech.Left, leech.Event = 0, Completed
			if r, err = c.Announce(t.Context(), web, leech, guard.Any); err != nil || r.Seeds != 2 || len(r.Peers) != 0 {
				t.Fatalf("a seed is of no use to a seed: %+v, %v", r, err)
			}
			for _, tr := range []Tracker{web, udp} {
				counts, err := c.Scrape(t.Context(), tr, hashB, hashA)
				if err != nil || counts[0] != (Counts{Seeds: 2, Completed: 1}) {
					t.Errorf("%v: scrape %+v, %v", tr, counts, err)
				}
			}
			leech.Event = Stopped
			if _, err := c.Announce(t.Context(), udp, leech, guard.Any); err != nil {
				t.Fatal(err)
			}
			st := s.Stats()
			st.Connects = 0
			if want := (ServerStats{AnnouncesHTTP: 2, AnnouncesUDP: 2, ScrapesHTTP: 1, ScrapesUDP: 1, Swarms: 1, Peers: 1}); st != want {
				t.Errorf("stats %+v, want %+v", st, want)
			}
			seed.Event = Stopped
			if _, err := c.Announce(t.Context(), web, seed, guard.Any); err != nil {
				t.Fatal(err)
			}
			st = s.Stats()
			st.Connects = 0
			if want := (ServerStats{AnnouncesHTTP: 3, AnnouncesUDP: 2, ScrapesHTTP: 1, ScrapesUDP: 1}); st != want {
				t.Errorf("stats %+v, want %+v", st, want)
			}
		})
	}
}

func TestServerHTTP(t *testing.T) {
	s := NewServer(ServerConfig{})
	now := time.Now()
	peerOne, peerTwo := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::2")
	escaped := string(appendEscaped(nil, string(hashB[:])))
	s.answerAnnounce(now, "info_hash="+escaped+"&port=1&left=0", peerOne)
	s.answerAnnounce(now, "info_hash="+escaped+"&port=2&left=9&ip=203.0.113.9", peerTwo)
	for query, want := range map[string]string{
		"port=3&info_hash=" + escaped + "&left=1&numwant=0": "d8:completei1e11:external ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min intervali60e5:peers0:e",
		"port=3&info_hash=" + escaped + "&left=1": "d8:completei1e11:external ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min intervali60e5:peers6:\xc6\x33\x64\x01\x00\x01" +
			"6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x02e",
		"port=3&info_hash=" + escaped + "&left=1&compact=0": "d8:completei1e11:external ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min intervali60e5:peers" +
			"ld2:ip12:198.51.100.14:porti1eed2:ip11:2001:db8::24:porti2eeee",
		"port=3":                               "d14:failure reason12:no info_hashe",
		"info_hash=" + escaped:                 "d14:failure reason7:no porte",
		"info_hash=" + escaped + "&port=70000": "d14:failure reason7:no porte",
		"info_hash=abc&port=3":                 "d14:failure reason30:info_hash is not 20 bytes longe",
		"":                                     "d14:failure reason12:no info_hashe",
	} {
		if got := string(s.answerAnnounce(now, query, netip.MustParseAddr("1.2.3.4"))); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", query, got, want)
		}
	}
	if got := string(s.answerScrape("")); got != "d14:failure reason48:scrapes have to name their torrents by info_hashe" {
		t.Errorf("a scrape of everything: %q", got)
	}
	if got, want := string(s.answerScrape("info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash="+escaped+"&info_hash="+escaped)),
		"d5:filesd20:"+string(hashB[:])+"d8:completei1e10:downloadedi0e10:incompletei2eeee"; got != want {
		t.Errorf("scrape:\ngot  %q\nwant %q", got, want)
	}
}

func TestServerRefusesOtherPages(t *testing.T) {
	s, at := startServer(t, ServerConfig{}, "127.0.0.1")
	for path, want := range map[string]int{"/": 404, "/stats": 404, "/announce/": 404, "/announce": 200} {
		r, err := http.Get("http://" + at.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, r.StatusCode, want)
		}
	}
	r, err := http.Post("http://"+at.String()+"/announce", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed || s.Stats().Refused != 5 {
		t.Errorf("a POST: status %d, %d refused", r.StatusCode, s.Stats().Refused)
	}
}

// Nothing that is sent to an address that has not proven itself is longer than
// what came, and only connects are answered.
func TestNoReflection(t *testing.T) {
	s := NewServer(ServerConfig{})
	now := time.Now()
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	announce := func(id uint64) []byte {
		return appendAnnounce(nil, id, 7, &Request{InfoHash: hashA, Port: 1, Want: 50}, "")
	}
	connect := s.answerPacket(now, nil, appendConnect(nil, 7), from)
	id, err := parseConnect(connect)
	if err != nil || len(connect) != connectSize {
		t.Fatalf("connect: %d bytes, %v", len(connect), err)
	}
	if got := s.answerPacket(now, nil, announce(id), from); len(got) != announceAnswerSize {
		t.Errorf("a proven address: %d bytes", len(got))
	}
	other := netip.MustParseAddrPort("192.0.2.2:5000")
	for name, got := range map[string][]byte{
		"of another address": s.answerPacket(now, nil, announce(id), other),
		"invented":           s.answerPacket(now, nil, announce(id+1), from),
		"expired":            s.answerPacket(now.Add(2*idEpoch+time.Second), nil, announce(id), from),
		"scrape":             s.answerPacket(now, nil, appendScrape(nil, id+1, 7, []metainfo.Hash{hashA}), from),
		"short":              s.answerPacket(now, nil, []byte{1, 2, 3}, from),
		"no port":            s.answerPacket(now, nil, appendConnect(nil, 7), netip.AddrPortFrom(from.Addr(), 0)),
	} {
		if len(got) != 0 {
			t.Errorf("%s: %d bytes in answer", name, len(got))
		}
	}
	// A connection id is good for two minutes at least (BEP 15).
	now = now.Add(idEpoch)
	if got := s.answerPacket(now, nil, announce(id), from); len(got) == 0 {
		t.Error("a connection id of two minutes is refused")
	}
	if _, err := parseAnnounceUDP(s.answerPacket(now, nil, announce(id)[:97], from), from.Addr()); err == nil {
		t.Error("a short announce was answered")
	}
	noPort := appendAnnounce(nil, id, 7, &Request{InfoHash: hashA}, "")
	var f *Failure
	if _, err := parseAnnounceUDP(s.answerPacket(now, nil, noPort, from), from.Addr()); !errors.As(err, &f) {
		t.Errorf("an announce of port 0: %v", err)
	}
}

func TestUDPAnswersFitDatagrams(t *testing.T) {
	s := NewServer(ServerConfig{})
	now := time.Now()
	for i := range 300 {
		for _, ip := range []netip.Addr{
			netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
			netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", i)),
		} {
			s.store.announce(now, &announcement{hash: hashA, addr: netip.AddrPortFrom(ip, 1)}, nil, nil)
		}
	}
	for ip, want := range map[string]int{"192.0.2.1": 20 + 200*6, "2001:db8:9::1": 20 + 70*18} {
		from := netip.AddrPortFrom(netip.MustParseAddr(ip), 1)
		b := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)), 7, &Request{InfoHash: hashA, Port: 1, Left: 1, Want: 500}, "")
		if got := len(s.answerPacket(now, nil, b, from)); got != want {
			t.Errorf("%s: %d bytes, want %d", ip, got, want)
		}
	}
}

func TestServerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(ServerConfig{Interval: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Serve(ctx, nil, nil) }()
		s.answerAnnounce(time.Now(), "info_hash=aaaaaaaaaaaaaaaaaaaa&port=1", netip.MustParseAddr("1.2.3.4"))
		time.Sleep(lifetimes * time.Minute)
		synctest.Wait()
		if n := s.Stats().Peers; n != 1 {
			t.Errorf("%d peers after two intervals, want 1", n)
		}
		time.Sleep(expireEvery + time.Second)
		synctest.Wait()
		if st := s.Stats(); st.Peers != 0 || st.Expired != 1 {
			t.Errorf("in the end: %+v", st)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Whatever ended the context, it is no error of the server; what fails before
// is.
func TestServeEnds(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		accept func(cancel context.CancelCauseFunc) error
		want   error
	}{
		"ended with a cause":    {func(cancel context.CancelCauseFunc) error { cancel(errors.New("interrupted")); return refused }, nil},
		"ended without a cause": {func(cancel context.CancelCauseFunc) error { cancel(nil); return refused }, nil},
		"failed":                {func(context.CancelCauseFunc) error { return refused }, refused},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		l := acceptFunc(func() (net.Conn, error) { return nil, c.accept(cancel) })
		if err := NewServer(ServerConfig{}).Serve(ctx, l, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		cancel(nil)
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), time.Now(), errors.New("late"))
	defer cancel()
	if err := NewServer(ServerConfig{}).Serve(ctx, nil, nil); err != nil {
		t.Errorf("past its deadline: %v", err)
	}
}

// An acceptFunc is the Accept of a Listener.
type acceptFunc func() (net.Conn, error)

func (f acceptFunc) Accept() (net.Conn, error) { return f() }
func (acceptFunc) Addr() net.Addr              { return &net.TCPAddr{} }
func (acceptFunc) Close() error                { return nil }

// Connections beyond the bound wait; they do not cost a goroutine each.
func TestTurnstile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gate := newTurnstile(l, 1, new(atomic.Uint64))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, err := gate.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		_, err := gate.Accept()
		second <- err
	}()
	select {
	case <-second:
		t.Fatal("a second connection was accepted beside the first")
	case <-time.After(20 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives one place back, not two
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := gate.Accept()
		second <- err
	}()
	gate.Close()
	if err := <-second; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// One source cannot keep the others out, neither by connections that say
// nothing nor by requests.
func TestTurnstileIsFair(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var limited atomic.Uint64
	gate := newTurnstile(l, 2*connectionsPerHost, &limited)
	defer gate.Close()
	from := func(ip byte) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, ip)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var held []net.Conn
	for range connectionsPerHost {
		from(1)
		c, err := gate.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	tooMany := from(1)
	from(2)
	other, err := gate.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if ip := sourceOf(other); ip != netip.MustParseAddr("127.0.0.2") || limited.Load() != 1 {
		t.Errorf("%v came in, %d had to stay out", ip, limited.Load())
	}
	if _, err := tooMany.Read(make([]byte, 1)); err == nil {
		t.Error("one too many is open")
	}
	held[0].Close()
	from(1)
	if _, err := gate.Accept(); err != nil || limited.Load() != 1 {
		t.Errorf("after one has gone: %v, %d had to stay out", err, limited.Load())
	}
}

func TestRateOfOneSource(t *testing.T) {
	s := NewServer(ServerConfig{Rate: 1})
	now := time.Now()
	noisy, quiet := netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("192.0.2.2:5000")
	announce := func(from netip.AddrPort) bool {
		b := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)), 7, &Request{InfoHash: hashA, Port: 1}, "")
		return len(s.answerPacket(now, nil, b, from)) > 0
	}
	connect := func(from netip.AddrPort) bool {
		return len(s.answerPacket(now, nil, appendConnect(nil, 7), from)) > 0
	}
	for _, ask := range []func(netip.AddrPort) bool{announce, connect} {
		answered := 0
		for range 2 * rateBurst {
			if ask(noisy) {
				answered++
			}
		}
		if answered < rateBurst || answered > rateBurst+1 {
			t.Errorf("%d answers, want %d", answered, rateBurst)
		}
		if !ask(quiet) {
			t.Error("another source has no answer")
		}
	}
	if n := s.Stats().Limited; n < 2*rateBurst-2 {
		t.Errorf("%d are counted", n)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, &http.Request{Method: http.MethodGet, RemoteAddr: noisy.String(), URL: &url.URL{Path: "/announce"}})
	var f *Failure
	if _, err := parseAnnounce(w.Body.Bytes()); w.Code != http.StatusTooManyRequests || !errors.As(err, &f) {
		t.Errorf("over HTTP: status %d, %v", w.Code, err)
	}
}

func TestParams(t *testing.T) {
	type pair struct{ name, value string }
	var got []pair
	for name, value := range params("a=1&b&&c=%41+%zz&d=%2B+=&=x") {
		got = append(got, pair{name, value})
	}
	if want := []pair{{"a", "1"}, {"b", ""}, {"", ""}, {"d", "++="}, {"", "x"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkServerUDP(b *testing.B) {
	s := NewServer(ServerConfig{})
	s.rate = nil
	now := time.Now()
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	packet := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)), 7, &Request{Want: -1, Left: 1}, "")
	out := make([]byte, 0, packetMax)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint16(packet[16:], uint16(i%1000)) // the hash
		binary.BigEndian.PutUint16(packet[96:], uint16(i%50000+1))
		out = s.answerPacket(now, out[:0], packet, from)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "announces/s")
}

func BenchmarkServerHTTP(b *testing.B) {
	s := NewServer(ServerConfig{})
	s.rate = nil
	at := serve(b, s, "127.0.0.1")
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			r, err := web.Get(fmt.Sprintf("http://%v/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=%d&left=1", at, i%50000+1))
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
	})
	b.ReportMetric(float64(s.Stats().AnnouncesHTTP)/b.Elapsed().Seconds(), "announces/s")
}
