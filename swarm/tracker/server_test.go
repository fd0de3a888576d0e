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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// Our client announces to our server over both protocols and families: a peer that came
// by one protocol is named to those who ask by the other.
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
			want := Response{Interval: serverInterval, MinInterval: serverMinInterval, Seeds: 1,
				ExternalIP: addr, Peers: []netip.AddrPort{}}
			if err != nil || r.Seeds != 1 || r.Leeches != 0 || len(r.Peers) != 0 ||
				r.ExternalIP != addr || r.MinInterval != want.MinInterval {
				t.Fatalf("first: got %+v, %v; want %+v", r, err, want)
			}
			r, err = c.Announce(t.Context(), udp, leech, guard.Any)
			if err != nil || r.Seeds != 1 || r.Leeches != 1 ||
				!slices.Equal(r.Peers, []netip.AddrPort{netip.AddrPortFrom(addr, 1001)}) {
				t.Fatalf("over UDP: got %+v, %v", r, err)
			}
			leech.Left, leech.Event = 0, Completed
			if r, err = c.Announce(t.Context(), web, leech, guard.Any); err != nil ||
				r.Seeds != 2 || len(r.Peers) != 0 {
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
			if want := (ServerStats{AnnouncesHTTP: 2, AnnouncesUDP: 2, ScrapesHTTP: 1,
				ScrapesUDP: 1, Swarms: 1, Peers: 1}); st != want {
				t.Errorf("stats %+v, want %+v", st, want)
			}
			seed.Event = Stopped
			if _, err := c.Announce(t.Context(), web, seed, guard.Any); err != nil {
				t.Fatal(err)
			}
			st = s.Stats()
			st.Connects = 0
			if want := (ServerStats{AnnouncesHTTP: 3, AnnouncesUDP: 2, ScrapesHTTP: 1,
				ScrapesUDP: 1}); st != want {
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
		"port=3&info_hash=" + escaped +
			"&left=1&numwant=0": "d8:completei1e11:external " +
			"ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min intervali60e5:peers0:e",
		"port=3&info_hash=" + escaped +
			"&left=1": "d8:completei1e11:external " +
			"ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min " +
			"intervali60e5:peers6:\xc6\x33\x64\x01\x00\x01" +
			"6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x02e",
		"port=3&info_hash=" + escaped +
			"&left=1&compact=0": "d8:completei1e11:external " +
			"ip4:\x01\x02\x03\x0410:incompletei2e8:intervali1800e12:min intervali60e5:peers" +
			"ld2:ip12:198.51.100.14:porti1eed2:ip11:2001:db8::24:porti2eeee",
		"port=3":                               "d14:failure reason12:no info_hashe",
		"info_hash=" + escaped:                 "d14:failure reason7:no porte",
		"info_hash=" + escaped + "&port=70000": "d14:failure reason7:no porte",
		"info_hash=abc&port=3": "d14:failure reason30:info_hash is not 20 " +
			"bytes longe",
		"": "d14:failure reason12:no info_hashe",
	} {
		if got := string(s.answerAnnounce(now, query,
			netip.MustParseAddr("1.2.3.4"))); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", query, got, want)
		}
	}
	if got := string(s.answerScrape(
		"")); got != "d14:failure reason48:scrapes have to name their torrents by info_hashe" {
		t.Errorf("a scrape of everything: %q", got)
	}
	if got, want := string(s.answerScrape("info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash="+escaped+
		"&info_hash="+escaped)),
		"d5:filesd20:"+string(hashB[:])+
			"d8:completei1e10:downloadedi0e10:incompletei2eeee"; got != want {
		t.Errorf("scrape:\ngot  %q\nwant %q", got, want)
	}
}

// Trackers have many paths, from which the scrape paths are derived (BEP 48).
func TestServerPages(t *testing.T) {
	s, at := startServer(t, ServerConfig{}, "127.0.0.1")
	const query = "?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&left=1"
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + at.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	const key = "0123456789abcdef0123456789abcdef"
	for _, path := range []string{
		"/announce", "/announce/", "/", "//announce", "/" + key + "/announce",
		"/" + key + "/announce/",
		"/announce/" + key, "/announce.php", "/tracker/" + key + "/announce.php",
		"/x/y/z/announce/" + key + "/",
		"/scrapers/announce", "", "/announce%2F", "/%61nnounce",
	} {
		if code, body := get(path + query); code != http.StatusOK ||
			!strings.Contains(body, "8:intervali1800e") {
			t.Errorf("%s: status %d, %q", path, code, body)
		}
	}
	for _, path := range []string{
		"/scrape", "/scrape/", "/" + key + "/scrape", "/" + key + "/scrape/", "/scrape/" + key,
		"/scrape.php",
		"/tracker/" + key + "/scrape.php",
	} {
		if code, body := get(path + query); code != http.StatusOK ||
			!strings.HasPrefix(body, "d5:filesd20:aaaaaaaaaaaaaaaaaaaad") {
			t.Errorf("%s: status %d, %q", path, code, body)
		}
	}
	refused := s.Stats().Refused
	pages := []string{"/", "/stats" + query, "/favicon.ico", "/robots.txt", "/" + key + query,
		"/xannounce" + query}
	for _, path := range pages {
		if code, body := get(path); code != http.StatusNotFound ||
			!strings.Contains(body, "this is a tracker") {
			t.Errorf("%s: status %d, %q", path, code, body)
		}
	}
	r, err := http.Post("http://"+at.String()+"/announce", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if n := s.Stats().Refused - refused; r.StatusCode != http.StatusMethodNotAllowed ||
		n != uint64(len(pages))+1 {
		t.Errorf("a POST: status %d, %d refused", r.StatusCode, n)
	}
}

// Of an unproven address only connects are answered, and no answer is longer than its
// request.
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
		"expired": s.answerPacket(now.Add(2*idEpoch+time.Second), nil, announce(id),
			from),
		"scrape": s.answerPacket(now, nil, appendScrape(nil, id+1, 7, []metainfo.Hash{hashA}),
			from),
		"short": s.answerPacket(now, nil, []byte{1, 2, 3}, from),
		"no port": s.answerPacket(now, nil, appendConnect(nil, 7),
			netip.AddrPortFrom(from.Addr(), 0)),
	} {
		if len(got) != 0 {
			t.Errorf("%s: %d bytes in answer", name, len(got))
		}
	}
	// A connection id is valid for at least two minutes (BEP 15).
	now = now.Add(idEpoch)
	if got := s.answerPacket(now, nil, announce(id), from); len(got) == 0 {
		t.Error("a connection id of two minutes is refused")
	}
	if _, err := parseAnnounceUDP(s.answerPacket(now, nil, announce(id)[:97], from),
		from.Addr()); err == nil {
		t.Error("a short announce was answered")
	}
	noPort := appendAnnounce(nil, id, 7, &Request{InfoHash: hashA}, "")
	var f *Failure
	if _, err := parseAnnounceUDP(s.answerPacket(now, nil, noPort, from),
		from.Addr()); !errors.As(err, &f) {
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
			s.store.announce(now, &announcement{hash: hashA, addr: netip.AddrPortFrom(ip, 1)}, nil,
				nil)
		}
	}
	for ip, want := range map[string]int{"192.0.2.1": 20 + 200*6, "2001:db8:9::1": 20 + 70*18} {
		from := netip.AddrPortFrom(netip.MustParseAddr(ip), 1)
		b := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)),
			7, &Request{InfoHash: hashA, Port: 1, Left: 1, Want: 500}, "")
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
		s.answerAnnounce(time.Now(), "info_hash=aaaaaaaaaaaaaaaaaaaa&port=1",
			netip.MustParseAddr("1.2.3.4"))
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

// Serve returns an error if a socket fails, but not if its context ends, whatever the
// cause.
func TestServeEnds(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		accept func(cancel context.CancelCauseFunc) error
		want   error
	}{
		"ended with a cause": {func(cancel context.CancelCauseFunc) error {
			cancel(errors.New("interrupted"))
			return refused
		}, nil},
		"ended without a cause": {func(cancel context.CancelCauseFunc) error {
			cancel(nil)
			return refused
		}, nil},
		"failed": {func(context.CancelCauseFunc) error { return refused }, refused},
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

func TestRateOfOneSource(t *testing.T) {
	s := NewServer(ServerConfig{Rate: 1})
	now := time.Now()
	noisy, quiet := netip.MustParseAddrPort("192.0.2.1:5000"),
		netip.MustParseAddrPort("192.0.2.2:5000")
	announce := func(from netip.AddrPort) bool {
		b := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)),
			7, &Request{InfoHash: hashA, Port: 1}, "")
		return len(s.answerPacket(now, nil, b, from)) > 0
	}
	connect := func(from netip.AddrPort) bool {
		return len(s.answerPacket(now, nil, appendConnect(nil, 7), from)) > 0
	}
	for _, c := range []struct {
		ask   func(netip.AddrPort) bool
		burst int
	}{{announce, rateBurst}, {connect, connectFactor * rateBurst}} {
		answered := 0
		for range 2 * c.burst {
			if c.ask(noisy) {
				answered++
			}
		}
		if answered < c.burst || answered > c.burst+1 {
			t.Errorf("%d answers, want %d", answered, c.burst)
		}
		if !c.ask(quiet) {
			t.Error("another source has no answer")
		}
	}
	if n := s.Stats().Limited; n < (1+connectFactor)*rateBurst-2 {
		t.Errorf("%d are counted", n)
	}
	// Connects may be forged. They shut out the owner of the address no longer than
	// they come, and do not limit its announces at all.
	now = now.Add(time.Second)
	if !connect(noisy) || !announce(noisy) {
		t.Error("the owner of the address has no answer a second later")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, &http.Request{Method: http.MethodGet, RemoteAddr: noisy.String(),
		URL: &url.URL{Path: "/announce"}})
	var f *Failure
	if _, err := parseAnnounce(w.Body.Bytes()); w.Code != http.StatusTooManyRequests ||
		!errors.As(err, &f) {
		t.Errorf("over HTTP: status %d, %v", w.Code, err)
	}
}

func TestParams(t *testing.T) {
	type pair struct{ name, value string }
	var got []pair
	for name, value := range params("a=1&b&&c=%41+%zz&d=%2B+=&=x") {
		got = append(got, pair{name, value})
	}
	want := []pair{{"a", "1"}, {"b", ""}, {"", ""}, {"c", "%41+%zz"}, {"d", "%2B+="}, {"", "x"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for value, want := range map[string]string{
		"%2B+=": "+ =", "%20+%2b": " ++", "%41": "A", "": "", "a+b+%2F": "a b /",
	} {
		if got, err := unescape(value); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
	if got, err := unescape("%zz"); err == nil {
		t.Errorf("%q was read from an invalid escape", got)
	}
}

// An info-hash with both a blank and a plus, as clients write it: known clients escape
// both, encoders of forms write the blank as a plus.
func TestPlusInHash(t *testing.T) {
	hash := metainfo.Hash([]byte("a b+c&d%e=f?g#h/i;j:k"[:20]))
	form := url.Values{"info_hash": {string(hash[:])}, "port": {"1"}, "left": {"0"}}.Encode()
	for name, query := range map[string]string{
		"escaped": "port=1&left=0&info_hash=" +
			string(appendEscaped(nil, string(hash[:]))),
		"a form":             form,
		"a form, lower case": strings.ReplaceAll(form, "%2B", "%2b"),
		"a plus that is not escaped": "port=1&left=0&info_hash=" +
			strings.ReplaceAll(string(appendEscaped(nil, string(hash[:]))), "%2B", "+"),
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(ServerConfig{})
			q := s.parseQuery(query, netip.MustParseAddr("192.0.2.1"))
			if q.hash != hash || q.fault != "" {
				t.Fatalf("%s: hash %q, fault %q", query, q.hash[:], q.fault)
			}
			s.answerAnnounce(time.Now(), query, netip.MustParseAddr("192.0.2.1"))
			if _, known := s.store.scrape(hash); !known {
				t.Errorf("%s: the peer is not of %q", query, hash[:])
			}
			if got := string(s.answerScrape(query)); !strings.Contains(got, "20:"+string(hash[:])) {
				t.Errorf("scrape: %q", got)
			}
		})
	}
}

// A bare plus is ambiguous. It is read in the way that gives a known swarm, else as a
// blank.
func TestPlusOfKnownSwarm(t *testing.T) {
	const bare = "aaaaaaaaa+aaaaaaaaaa"
	plus, blank := metainfo.Hash([]byte(bare)),
		metainfo.Hash([]byte(strings.ReplaceAll(bare, "+", " ")))
	for _, c := range []struct {
		name  string
		known []metainfo.Hash
		want  metainfo.Hash
	}{
		{"neither", nil, blank},
		{"plus", []metainfo.Hash{plus}, plus},
		{"blank", []metainfo.Hash{blank}, blank},
		{"both", []metainfo.Hash{plus, blank}, blank},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewServer(ServerConfig{})
			ip := netip.MustParseAddr("192.0.2.1")
			for _, h := range c.known {
				s.answerAnnounce(time.Now(), "port=9&info_hash="+
					string(appendEscaped(nil, string(h[:]))), ip)
			}
			if q := s.parseQuery("port=1&info_hash="+bare, ip); q.fault != "" || q.hash != c.want {
				t.Errorf("got %q, fault %q, want %q", q.hash[:], q.fault, c.want[:])
			}
			got := string(s.answerScrape("info_hash=" + bare))
			if known := len(c.known) > 0; strings.Contains(got, "20:"+string(c.want[:])) != known {
				t.Errorf("scrape: %q", got)
			}
		})
	}
}

func BenchmarkServerUDP(b *testing.B) {
	s := NewServer(ServerConfig{})
	s.rate = nil
	now := time.Now()
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	packet := appendAnnounce(nil, s.ids.id(from.Addr(), s.ids.epoch(now)), 7,
		&Request{Want: -1, Left: 1}, "")
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
			r, err := web.Get(
				fmt.Sprintf("http://%v/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=%d&left=1",
					at, i%50000+1))
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
