package tracker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// The sentences of BEP 3, 7, 12, 15, 23, 24, 31, 41 and 48, each held by a test.

var (
	peerOne = netip.MustParseAddr("198.51.100.1")
	peerTwo = netip.MustParseAddr("198.51.100.2")
	peerSix = netip.MustParseAddr("2001:db8::6")
)

// tell announces over HTTP, and returns the answer.
func tell(t *testing.T, s *Server, ip netip.Addr, query string) Response {
	t.Helper()
	body := s.answerAnnounce(time.Now(), "info_hash=aaaaaaaaaaaaaaaaaaaa&"+query, ip)
	r, err := parseAnnounce(body)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r
}

// BEP 3, "event": "started is sent when a download first begins, and one using completed
// is sent when the download is complete. No completed is sent if the file was complete
// when started." A server counts a completed download once, and only of a known peer.
func TestBEP3Completed(t *testing.T) {
	s := NewServer(ServerConfig{})
	completed := func() int {
		counts, _ := s.store.scrape(hashA)
		return counts.Completed
	}
	for _, step := range []struct {
		ip    netip.Addr
		query string
		want  int
	}{
		{peerOne, "port=1&left=9&event=started", 0},
		{peerOne, "port=1&left=0&event=completed", 1},
		{peerOne, "port=1&left=0&event=completed", 1}, // a repeated datagram, say
		{peerOne, "port=1&left=0", 1},
		{peerTwo, "port=1&left=0&event=completed", 1}, // unknown before: no download was seen
		{peerTwo, "port=2&left=5&event=started", 1},
		{peerTwo, "port=2&left=0&event=completed", 2},
	} {
		if tell(t, s, step.ip, step.query); completed() != step.want {
			t.Errorf("after %s of %v: %d completed, want %d", step.query, step.ip, completed(),
				step.want)
		}
	}
}

// BEP 3, "event": "stopped is sent when the downloader ceases downloading."
func TestBEP3Stopped(t *testing.T) {
	s := NewServer(ServerConfig{})
	tell(t, s, peerOne, "port=1&left=9")
	tell(t, s, peerOne, "port=2&left=0")
	if r := tell(t, s, peerOne, "port=1&left=9&event=stopped"); len(r.Peers) != 0 {
		t.Errorf("one that stops gets the peers %v", r.Peers)
	}
	r := tell(t, s, peerTwo, "port=3&left=9")
	if r.Seeds != 1 || r.Leeches != 1 || len(r.Peers) != 1 || r.Peers[0].Port() != 2 {
		t.Errorf("after a stop: %+v, want the other port alone", r)
	}
	tell(t, s, peerTwo, "port=9&left=9&event=stopped") // nobody knows this port
	if r := tell(t, s, peerTwo, "port=3&left=9"); r.Seeds != 1 || r.Leeches != 1 {
		t.Errorf("a stop of a stranger: %+v", r)
	}
}

// BEP 3, "ip" is optional: a peer is where its request comes from, whatever it says.
func TestBEP3PeersAreWhereTheyCome(t *testing.T) {
	s := NewServer(ServerConfig{})
	for _, lie := range []string{"ip=203.0.113.9", "ipv4=203.0.113.9:80", "ipv6=2001:db8::9"} {
		tell(t, s, peerOne, "port=1&left=9&"+lie)
	}
	r := tell(t, s, peerTwo, "port=2&left=9")
	if len(r.Peers) != 1 || r.Peers[0] != netip.AddrPortFrom(peerOne, 1) {
		t.Errorf("peers %v, want %v:1", r.Peers, peerOne)
	}
}

// BEP 7: "peers6" has the IPv6 peers, 18 bytes each, and "peers" the others.
func TestBEP7Peers6(t *testing.T) {
	s := NewServer(ServerConfig{})
	tell(t, s, peerOne, "port=1&left=9")
	tell(t, s, peerSix, "port=6&left=9")
	body := string(s.answerAnnounce(time.Now(), "info_hash=aaaaaaaaaaaaaaaaaaaa&port=3&left=1",
		peerTwo))
	four := appendCompact(nil, netip.AddrPortFrom(peerOne, 1))
	six := appendCompact(nil, netip.AddrPortFrom(peerSix, 6))
	want := fmt.Sprintf("5:peers6:%s6:peers618:%s", four, six)
	if len(four) != 6 || len(six) != 18 || !strings.Contains(body, want) {
		t.Errorf("answer %q, want %q in it", body, want)
	}
}

// BEP 12: "If a connection with a tracker is successful, it will be moved to the front
// of the tier." A tracker that fails stays where it is.
func TestBEP12SuccessMovesToTheFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(tracker string, _ Request) (Response, error) {
			if strings.HasPrefix(tracker, "1.1.1.3") {
				return Response{Interval: time.Minute, MinInterval: time.Minute}, nil
			}
			return Response{}, errors.New("down")
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1", "1.1.1.2", "1.1.1.3"})
		_, stop := collect(t, a, 7, false)
		n.sleepUntil(time.Second)
		first := n.take()
		if len(first) == 0 || !strings.Contains(first[len(first)-1], "1.1.1.3") {
			t.Fatalf("trackers were told %q, want 1.1.1.3 last", first)
		}
		n.sleepUntil(70 * time.Second)
		for _, line := range n.take() {
			if !strings.Contains(line, "1.1.1.3") {
				t.Errorf("%q: want only the tracker that answered", line)
			}
		}
		stop()
		a.Close()
	})
}

// BEP 15, "Connect", "IPv4 announce" and "Scrape": the offsets of each answer.
func TestBEP15Answers(t *testing.T) {
	s := NewServer(ServerConfig{Interval: 1234 * time.Second})
	now := time.Now()
	be := binary.BigEndian
	one, two := netip.AddrPortFrom(peerOne, 5000), netip.AddrPortFrom(peerTwo, 5000)

	// Offset 0: the protocol id; 8: action 0; 12: a transaction id.
	connect := []byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x01\x02\x03\x04")
	answer := s.answerPacket(now, nil, connect, one)
	if len(answer) != 16 || be.Uint32(answer) != 0 || be.Uint32(answer[4:]) != 0x01020304 {
		t.Fatalf("connect: %x", answer)
	}
	id := be.Uint64(answer[8:])
	if other := s.answerPacket(now, nil, connect, two); be.Uint64(other[8:]) == id {
		t.Error("two addresses have one connection id")
	}
	if again := s.answerPacket(now, nil, connect, one); be.Uint64(again[8:]) != id {
		t.Error("a repeated connect has another id within its epoch")
	}

	r := Request{InfoHash: hashA, Port: 0x1234, Left: 5, Want: -1}
	answer = s.answerPacket(now, nil, appendAnnounce(nil, id, 0xA, &r, ""), one)
	want := "\x00\x00\x00\x01\x00\x00\x00\x0a\x00\x00\x04\xd2\x00\x00\x00\x01\x00\x00\x00\x00"
	if string(answer) != want { // action, transaction, interval, leechers, seeders
		t.Errorf("announce: %x, want %x", answer, want)
	}
	id2 := be.Uint64(s.answerPacket(now, nil, connect, two)[8:])
	r.Left = 0
	answer = s.answerPacket(now, nil, appendAnnounce(nil, id2, 0xB, &r, ""), two)
	want = "\x00\x00\x00\x01\x00\x00\x00\x0b\x00\x00\x04\xd2\x00\x00\x00\x01\x00\x00\x00\x01" +
		"\xc6\x33\x64\x01\x12\x34"
	if string(answer) != want {
		t.Errorf("the second announce: %x, want %x", answer, want)
	}

	// Each torrent: seeders, completed, leechers.
	hashes := []metainfo.Hash{hashB, hashA}
	answer = s.answerPacket(now, nil, appendScrape(nil, id, 0xC, hashes), one)
	want = "\x00\x00\x00\x02\x00\x00\x00\x0c" + strings.Repeat("\x00", 12) +
		"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"
	if string(answer) != want {
		t.Errorf("scrape: %x, want %x", answer, want)
	}

	unknown := be.AppendUint32(be.AppendUint32(be.AppendUint64(nil, id), 9), 0xD)
	answer = s.answerPacket(now, nil, unknown, one)
	if len(answer) < 8 || be.Uint32(answer) != 3 || be.Uint32(answer[4:]) != 0xD {
		t.Errorf("an unknown action: %x, want action 3 and the transaction", answer)
	}
}

// BEP 15, "IPv6": over IPv6 the peers of an answer are IPv6 peers.
func TestBEP15IPv6(t *testing.T) {
	s := NewServer(ServerConfig{})
	now := time.Now()
	tell(t, s, peerOne, "port=1&left=9")
	tell(t, s, peerSix, "port=6&left=9")
	from := netip.MustParseAddrPort("[2001:db8::7]:5000")
	id, err := parseConnect(s.answerPacket(now, nil, appendConnect(nil, 1), from))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{InfoHash: hashA, Port: 7, Left: 5, Want: 50}
	got, err := parseAnnounceUDP(s.answerPacket(now, nil, appendAnnounce(nil, id, 2, &r, ""), from),
		from.Addr())
	if err != nil || len(got.Peers) != 1 || got.Peers[0] != netip.AddrPortFrom(peerSix, 6) {
		t.Errorf("peers %v, %v; want [%v]:6", got.Peers, err, peerSix)
	}
}

// BEP 15, "num_want": -1 is the default; the server bounds what anybody gets.
func TestBEP15NumWant(t *testing.T) {
	s := NewServer(ServerConfig{})
	for i := range 400 {
		ip := netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1})
		tell(t, s, ip, "port=1&left=9")
	}
	for want, most := range map[int]int{-1: serverWant, 0: 0, 10: 10, 10_000: serverWantMax} {
		r := tell(t, s, peerOne, fmt.Sprintf("port=1&left=9&numwant=%d", want))
		if len(r.Peers) != most {
			t.Errorf("%d peers for one that wants %d, want %d", len(r.Peers), want, most)
		}
	}
}

// BEP 23: an answer is compact unless the client asks for the other form.
func TestBEP23Compact(t *testing.T) {
	s := NewServer(ServerConfig{})
	tell(t, s, peerOne, "port=1&left=9")
	for param, compact := range map[string]bool{"": true, "&compact=1": true, "&compact=0": false} {
		body := string(s.answerAnnounce(time.Now(),
			"info_hash=aaaaaaaaaaaaaaaaaaaa&port=2&left=1"+param, peerTwo))
		if got := strings.Contains(body, "5:peers6:"); got != compact {
			t.Errorf("%q: compact %v, want %v: %q", param, got, compact, body)
		}
		r, err := parseAnnounce([]byte(body))
		if err != nil || len(r.Peers) != 1 || r.Peers[0] != netip.AddrPortFrom(peerOne, 1) {
			t.Errorf("%q: our client reads %v, %v", param, r.Peers, err)
		}
	}
}

// Compact peers come back as they were, and a cut one is left out.
func TestBEP23CompactRoundTrip(t *testing.T) {
	for _, list := range []string{"1.2.3.4:1 255.255.255.255:65535 5.6.7.8:80",
		"[2001:db8::1]:1 [::2]:65535"} {
		var want []netip.AddrPort
		var b []byte
		for s := range strings.FieldsSeq(list) {
			want = append(want, netip.MustParseAddrPort(s))
			b = appendCompact(b, want[len(want)-1])
		}
		size := len(b) / len(want)
		for cut := range size {
			got := parseCompact(nil, b[:len(b)-cut], size)
			whole := len(want)
			if cut > 0 {
				whole--
			}
			if fmt.Sprint(got) != fmt.Sprint(want[:whole]) {
				t.Errorf("%d bytes cut: %v, want %v", cut, got, want[:whole])
			}
		}
	}
}

// BEP 24: "external ip" has the address that the request came from, 4 or 16 bytes.
func TestBEP24ExternalIP(t *testing.T) {
	s := NewServer(ServerConfig{})
	for _, ip := range []netip.Addr{peerOne, peerSix} {
		if r := tell(t, s, ip, "port=1&left=9"); r.ExternalIP != ip {
			t.Errorf("%v is told that it is %v", ip, r.ExternalIP)
		}
	}
}

// BEP 41: "NOP: this option has no length", "EndOfOptions", and a URL in parts. A server
// that needs none of them takes the announce all the same.
func TestBEP41OptionsAreIgnored(t *testing.T) {
	s := NewServer(ServerConfig{})
	now, from := time.Now(), netip.AddrPortFrom(peerOne, 5000)
	id, err := parseConnect(s.answerPacket(now, nil, appendConnect(nil, 1), from))
	if err != nil {
		t.Fatal(err)
	}
	plain := appendAnnounce(nil, id, 2, &Request{InfoHash: hashA, Port: 7, Left: 5}, "")
	for _, options := range []string{"", "\x00", "\x01\x01\x00", "\x02\x0c/dir?a=b&c=d\x00",
		"\x02\xff", "\xff\xff\xff", strings.Repeat("\x01", 3000)} {
		packet := append(plain[:announceSize:announceSize], options...)
		answer := s.answerPacket(now, nil, packet, from)
		if _, err := parseAnnounceUDP(answer, from.Addr()); err != nil {
			t.Errorf("options %.20q: %v", options, err)
		}
	}
	if counts, _ := s.store.scrape(hashA); counts.Leeches != 1 {
		t.Errorf("%d peers, want one", counts.Leeches)
	}
}

// BEP 48: an answer has "complete", "downloaded" and "incomplete" for each torrent that
// the tracker knows, and none for the others, of which our client says that it does not
// know.
func TestBEP48Scrape(t *testing.T) {
	s := NewServer(ServerConfig{})
	tell(t, s, peerOne, "port=1&left=9&event=started")
	tell(t, s, peerTwo, "port=1&left=0&event=started")
	tell(t, s, peerOne, "port=1&left=0&event=completed")
	var query []byte
	hashes := []metainfo.Hash{hashB, hashA}
	for _, h := range hashes {
		query = append(appendEscaped(append(query, "&info_hash="...), string(h[:])), "&x=y"...)
	}
	counts, err := parseScrape(s.answerScrape(string(query)), hashes)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{-1, -1, -1}); counts[0] != want {
		t.Errorf("an unknown torrent: %+v, want %+v", counts[0], want)
	}
	if want := (Counts{Seeds: 2, Completed: 1}); counts[1] != want {
		t.Errorf("a known torrent: %+v, want %+v", counts[1], want)
	}
}

// A scrape names as many torrents as fit a datagram, and more are not looked up.
func TestBEP48ScrapeIsBounded(t *testing.T) {
	s := NewServer(ServerConfig{})
	from := netip.AddrPortFrom(peerOne, 5000)
	id, err := parseConnect(s.answerPacket(time.Now(), nil, appendConnect(nil, 1), from))
	if err != nil {
		t.Fatal(err)
	}
	hashes := make([]metainfo.Hash, ScrapeMax+50)
	answer := s.answerPacket(time.Now(), nil, appendScrape(nil, id, 2, hashes), from)
	if want := scrapeAnswerSize + ScrapeMax*countsSize; len(answer) != want {
		t.Errorf("%d bytes in answer, want %d", len(answer), want)
	}
	c := newClient(t)
	tr := parse(t, "http://127.0.0.1:1/announce", false)
	for _, n := range []int{0, ScrapeMax + 1} {
		if _, err := c.Scrape(t.Context(), tr, hashes[:n]...); err == nil ||
			!strings.Contains(err.Error(), "want 1 to") {
			t.Errorf("a scrape of %d torrents: %v", n, err)
		}
	}
}

// BEP 15, "Time outs": the wait is 15 * 2 ^ n seconds. A closed client asks nobody.
func TestBEP15TimeOuts(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		u.silent = true
		if err := announce(t, c, "1.1.1.1"); !errors.Is(err, errSilent) {
			t.Errorf("a silent tracker: %v", err)
		}
		if got, want := time.Since(u.start), (15+30)*time.Second; got != want {
			t.Errorf("given up after %v, want %v", got, want)
		}
		u.expect(t, "0s connect", "15s connect")
		c.Close()
		if err := announce(t, c, "1.1.1.1"); err == nil {
			t.Error("a closed client has asked")
		}
		u.expect(t)
	})
}

// A connection id is valid for one address, in this epoch and the next.
func TestConnectionIDs(t *testing.T) {
	ids := newConnectionIDs()
	at := func(d time.Duration) time.Time { return ids.start.Add(d) }
	for _, c := range []struct {
		made, used time.Duration
		want       bool
	}{
		{0, 0, true},
		{0, idEpoch, true},
		{idEpoch - 1, 2*idEpoch - 1, true},
		{0, 2 * idEpoch, false},
		{idEpoch, 0, false}, // from the future
		{5 * idEpoch, 6 * idEpoch, true},
		{5 * idEpoch, 8 * idEpoch, false},
	} {
		id := ids.id(peerOne, ids.epoch(at(c.made)))
		if got := ids.good(id, peerOne, at(c.used)); got != c.want {
			t.Errorf("made after %v, used after %v: %v, want %v", c.made, c.used, got, c.want)
		}
		if ids.good(id, peerTwo, at(c.made)) || ids.good(id+1, peerOne, at(c.made)) {
			t.Errorf("made after %v: valid elsewhere or altered", c.made)
		}
	}
	other := newConnectionIDs()
	if other.good(ids.id(peerOne, 0), peerOne, other.start) {
		t.Error("the id of one server is valid at another")
	}
}

// BEP 7: a tracker by name is asked in both families, one by address in its own.
func TestBEP7Families(t *testing.T) {
	for host, want := range map[string]string{
		"tracker.example": "[IPv4 IPv6]", "1.2.3.4": "[any]", "[2001:db8::1]": "[any]",
	} {
		state := trackerState{tracker: parse(t, "http://"+host+"/announce", true)}
		var got []string
		for _, f := range state.families() {
			got = append(got, familyName(f))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s is asked in %v, want %s", host, got, want)
		}
	}
}

func familyName(f guard.Family) string {
	return map[guard.Family]string{guard.Any: "any", guard.IPv4: "IPv4", guard.IPv6: "IPv6"}[f]
}
