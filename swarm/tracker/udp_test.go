package tracker

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// The offsets of BEP 15, "announce".
func TestAppendAnnounce(t *testing.T) {
	r := Request{
		InfoHash: hashA, PeerID: [20]byte([]byte("-SN0100-peerpeerpeer")), Port: 0x1AE1,
		Uploaded: 3, Downloaded: 1, Left: 2, Event: Stopped, Want: -1, Key: 0xABCD,
	}
	b := appendAnnounce(nil, 0x1122334455667788, 0x99AABBCC, &r, "")
	if len(b) != 98 {
		t.Fatalf("%d bytes, want 98", len(b))
	}
	be := binary.BigEndian
	for name, got := range map[string][2]uint64{
		"connection id":  {be.Uint64(b), 0x1122334455667788},
		"action":         {uint64(be.Uint32(b[8:])), 1},
		"transaction id": {uint64(be.Uint32(b[12:])), 0x99AABBCC},
		"downloaded":     {be.Uint64(b[56:]), 1},
		"left":           {be.Uint64(b[64:]), 2},
		"uploaded":       {be.Uint64(b[72:]), 3},
		"event":          {uint64(be.Uint32(b[80:])), 3},
		"address":        {uint64(be.Uint32(b[84:])), 0},
		"key":            {uint64(be.Uint32(b[88:])), 0xABCD},
		"number wanted":  {uint64(be.Uint32(b[92:])), 0xFFFFFFFF},
		"port":           {uint64(be.Uint16(b[96:])), 0x1AE1},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %#x, want %#x", name, got[0], got[1])
		}
	}
	if string(b[16:36]) != string(hashA[:]) || string(b[36:56]) != "-SN0100-peerpeerpeer" {
		t.Errorf("hash and peer id: %q", b[16:56])
	}
}

// BEP 41, "URLData": parts of at most 255 bytes.
func TestURLData(t *testing.T) {
	for raw, want := range map[string]string{
		"udp://x:1":               "",
		"udp://x:1/":              "",
		"udp://x:1/announce":      "\x02\x09/announce\x00",
		"udp://x:1/dir?a=b&c=d#f": "\x02\x0c/dir?a=b&c=d\x00",
		"udp://x:1/?" + strings.Repeat("q", 300): "\x02\xff/?" + strings.Repeat("q", 253) +
			"\x02\x2f" + strings.Repeat("q", 47) + "\x00",
		"udp://x:1/" + strings.Repeat("q", 800): "",
	} {
		b := appendAnnounce(nil, 0, 0, &Request{}, urlData(parse(t, raw, true).url))
		if got := string(b[announceSize:]); got != want {
			t.Errorf("%.40s: got %q, want %q", raw, got, want)
		}
	}
}

func TestParsePackets(t *testing.T) {
	v4, v6 := netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2001:db8::9")
	head := "\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x07\x08\x00\x00\x00\x02\x00\x00\x00\x03"
	r, err := parseAnnounceUDP([]byte(head+"\x05\x06\x07\x08\x00\x50\x05\x06"), v4)
	want := Response{Interval: 30 * time.Minute, Leeches: 2, Seeds: 3, Completed: -1,
		Peers: addrs("5.6.7.8:80")}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, %v, want %+v", r, err, want)
	}
	ip6 := "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	r, err = parseAnnounceUDP([]byte(head+ip6+"\x00\x50"), v6)
	if err != nil || !reflect.DeepEqual(r.Peers, addrs("[2001:db8::1]:80")) {
		t.Errorf("over IPv6: got %v, %v", r.Peers, err)
	}
	var f *Failure
	if _, err := parseAnnounceUDP([]byte("\x00\x00\x00\x03\x00\x00\x00\x07no\nway"),
		v4); !errors.As(err, &f) || f.Reason != "no way" {
		t.Errorf("a refusal: %v", err)
	}
	for _, b := range []string{"", "\x00\x00\x00\x01", head[:19], "\x00\x00\x00\x02" + head[4:]} {
		if _, err := parseAnnounceUDP([]byte(b), v4); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: got %v, want ErrAnswer", b, err)
		}
	}
	if _, err := parseConnect([]byte("\x00\x00\x00\x00\x00\x00\x00\x07short")); !errors.Is(err,
		ErrAnswer) {
		t.Errorf("a short connect: %v", err)
	}
	if _, err := parseScrapeUDP(
		[]byte("\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"),
		2); !errors.Is(err, ErrAnswer) {
		t.Errorf("a scrape of two that answers one: %v", err)
	}
}

// tracked runs handle for each datagram that a fake tracker receives.
func tracked(t *testing.T, handle func(b []byte) [][]byte) Tracker {
	t.Helper()
	p, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, packetMax)
		for {
			n, from, err := p.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, answer := range handle(b[:n]) {
				p.WriteToUDPAddrPort(answer, from)
			}
		}
	}()
	t.Cleanup(func() { p.Close(); <-done })
	return parse(t, "udp://"+p.LocalAddr().String(), true)
}

// Datagrams of another transaction are not the answer, whatever they say.
func TestStrayDatagrams(t *testing.T) {
	be := binary.BigEndian
	tr := tracked(t, func(b []byte) [][]byte {
		transaction := be.Uint32(b[12:])
		stray := appendConnect(be.AppendUint64(nil, uint64(actionError)<<32|uint64(transaction+1)),
			0)
		if be.Uint32(b[8:]) == actionConnect {
			return [][]byte{stray, {1}, be.AppendUint64(be.AppendUint64(nil, uint64(transaction)),
				42)}
		}
		if be.Uint64(b) != 42 {
			return nil
		}
		answer := be.AppendUint64(nil, uint64(actionAnnounce)<<32|uint64(transaction))
		return [][]byte{stray,
			append(answer, "\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x01\x05\x06\x07\x08\x00\x50"...)}
	})
	r, err := newClient(t).Announce(t.Context(), tr, Request{InfoHash: hashA, Port: 1}, guard.Any)
	if err != nil || r.Interval != time.Minute || !reflect.DeepEqual(r.Peers, addrs("5.6.7.8:80")) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestUDPFlood(t *testing.T) {
	tr := tracked(t, func(b []byte) [][]byte { return make([][]byte, 2*straysMax) })
	if _, err := newClient(t).Announce(t.Context(), tr, Request{}, guard.Any); !errors.Is(err,
		ErrAnswer) {
		t.Errorf("got %v, want ErrAnswer", err)
	}
}

func TestUDPNobody(t *testing.T) {
	p, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tr := parse(t, "udp://"+p.LocalAddr().String(), false)
	p.Close()
	if _, err := newClient(t).Announce(t.Context(), tr, Request{}, guard.Any); err == nil {
		t.Error("an answer from nobody")
	}
}

func FuzzParseAnnounce(f *testing.F) {
	f.Add([]byte("d8:completei5e10:incompletei7e8:intervali1800e5:peers6:\x01\x02\x03\x04\x1a\xe16:peers60:e"))
	f.Add([]byte("d5:peersld2:ip7:1.2.3.44:porti80eeee"))
	f.Add([]byte("d14:failure reason4:none8:retry in5:nevere"))
	f.Add([]byte("d11:external ip4:\x01\x02\x03\x0410:tracker id2:ide"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseAnnounce(b)
		if err != nil && len(r.Peers) > 0 {
			t.Error("peers beside an error")
		}
		if len(r.Peers) > PeersMax || r.Interval < 0 || r.Interval > intervalMax ||
			len(r.Warning) > 4*textMax || len(r.TrackerID) > trackerIDMax {
			t.Errorf("out of bounds: %+v", r)
		}
		if _, err := parseScrape(b, []metainfo.Hash{hashA}); err == nil && len(b) == 0 {
			t.Error("a scrape out of nothing")
		}
	})
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x07\x08\x00\x00\x00\x02\x00\x00\x00\x03\x05\x06\x07\x08\x00\x50"))
	f.Add([]byte("\x00\x00\x00\x03\x00\x00\x00\x07no way"))
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, ip := range []string{"1.2.3.4", "2001:db8::1"} {
			if r, err := parseAnnounceUDP(b, netip.MustParseAddr(ip)); err == nil &&
				(len(r.Peers) > PeersMax || len(b) < announceAnswerSize) {
				t.Errorf("%d peers of %d bytes", len(r.Peers), len(b))
			}
		}
		if counts, err := parseScrapeUDP(b, 1); err == nil && len(counts) != 1 {
			t.Errorf("%d counts", len(counts))
		}
		parseConnect(b)
	})
}

// No input breaks a server, and its answer to an unproven address is never longer than
// the request.
func FuzzServer(f *testing.F) {
	f.Add(appendConnect(nil, 7), false)
	f.Add(appendAnnounce(nil, 0, 7, &Request{InfoHash: hashA, Port: 1, Want: -1}, "/announce"),
		true)
	f.Add(appendScrape(nil, 0, 7, []metainfo.Hash{hashA, hashB}), true)
	f.Add([]byte("info_hash=aaaaaaaaaaaaaaaaaaaa&port=1&left=0&compact=0&numwant=5&event=completed"), false)
	f.Add([]byte("info_hash=%FF%zz&info_hash=&&=&port=-1"), false)
	s := NewServer(ServerConfig{PeersMax: 64})
	s.rate, s.connectRate = nil, nil // all of this is one source's
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	f.Fuzz(func(t *testing.T, b []byte, proven bool) {
		now := time.Now()
		if b = slices.Clone(b); proven && len(b) >= 8 {
			binary.BigEndian.PutUint64(b, s.ids.id(from.Addr(), s.ids.epoch(now)))
		}
		if out := s.answerPacket(now, nil, b, from); !proven && len(out) > len(b) {
			t.Errorf("%d bytes answer %d of an unproven address", len(out), len(b))
		}
		if _, err := parseAnnounce(s.answerAnnounce(now, string(b), from.Addr())); errors.Is(err,
			ErrAnswer) {
			t.Errorf("the answer to %q cannot be read: %v", b, err)
		}
		if _, err := parseScrape(s.answerScrape(string(b)), nil); errors.Is(err, ErrAnswer) {
			t.Errorf("the scrape of %q cannot be read: %v", b, err)
		}
	})
}
