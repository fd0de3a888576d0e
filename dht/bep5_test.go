package dht

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The sentences of BEP 5, each held by a test: its examples, the states of a contact,
// the refreshing of buckets, and the rules of tokens and transactions.

// bep5ID is the id of the querying node in the examples of BEP 5.
var bep5ID = ID([]byte("abcdefghij0123456789"))

// TestBEP5Queries compares our queries with the examples of BEP 5, "DHT Queries", which
// lack only our version, and their transaction.
func TestBEP5Queries(t *testing.T) {
	infoHash := ID([]byte("mnopqrstuvwxyz123456"))
	for _, c := range []struct {
		req  request
		want string
	}{
		{request{method: methodPing},
			"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"},
		{request{method: methodFindNode, target: infoHash},
			"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node" +
				"1:t2:aa1:y1:qe"},
		{request{method: methodGetPeers, target: infoHash},
			"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers" +
				"1:t2:aa1:y1:qe"},
		{request{method: methodAnnounce, target: infoHash, implied: true, port: 6881,
			token: []byte("aoeusnth")},
			"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:" +
				"mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer" +
				"1:t2:aa1:y1:qe"},
	} {
		got := string(appendQuery(nil, 0x61616161, bep5ID, false, &c.req))
		got = strings.Replace(got, "1:t4:aaaa1:v4:"+clientVersion, "1:t2:aa", 1)
		if got != c.want {
			t.Errorf("%s:\n%q, want\n%q", methodNames[c.req.method], got, c.want)
		}
	}
}

// TestBEP5Answers compares our answers with the examples of BEP 5, "DHT Queries".
func TestBEP5Answers(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.f.id = ID([]byte("mnopqrstuvwxyz123456"))
	ask := func(query string) string {
		got := string(b.ask(askAddr, query))
		got = strings.Replace(got, "2:ip6:"+string(appendAddr(nil, askAddr)), "", 1)
		return strings.Replace(got, "1:v4:"+clientVersion, "", 1)
	}
	const ping = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"
	if got, want := ask(ping), "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"; got != want {
		t.Errorf("ping: %q, want %q", got, want)
	}
	const unknown = "d1:ad2:id20:abcdefghij0123456789e1:q5:steal1:t2:aa1:y1:qe"
	if got, want := ask(unknown), "d1:eli204e14:Method Unknowne1:t2:aa1:y1:ee"; got != want {
		t.Errorf("an unknown method: %q, want %q", got, want)
	}
	token := b.tokenFor(askAddr, someHash)
	announce := "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:" +
		string(someHash[:]) + "4:porti6881e5:token8:" + token + "e1:q13:announce_peer1:t2:aa1:y1:qe"
	if got, want := ask(announce), "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"; got != want {
		t.Errorf("announce_peer: %q, want %q", got, want)
	}
	// "values" of strings, each in compact format, and a token.
	got := ask(queryPacket("get_peers", target("info_hash", someHash)))
	want := "6:valuesl6:" + string(appendAddr(nil, askAddr)) + "e"
	if !strings.Contains(got, want) {
		t.Errorf("get_peers: %q, want %q in it", got, want)
	}
	if !strings.Contains(got, "5:token8:") {
		t.Errorf("get_peers: %q has no token", got)
	}
}

// "The transaction ID should be encoded as a short string of binary numbers", and an
// answer echoes it, whatever it is.
func TestBEP5TransactionIsEchoed(t *testing.T) {
	b := newBench(t, coreConfig{})
	for _, tid := range []string{"a", "aa", "\x00\xff", "e1:y1:q", strings.Repeat("t", tidMax)} {
		packet := fmt.Sprintf("d1:ad2:id20:%se1:q4:ping1:t%d:%s1:y1:qe", otherID[:], len(tid), tid)
		if m := parsed(t, b.ask(askAddr, packet)); string(m.tid) != tid {
			t.Errorf("transaction %q comes back as %q", tid, m.tid)
		}
	}
}

// "A good node is a node has responded to one of our queries within the last 15 minutes.
// A node is also good if it has ever responded to one of our queries and has sent us a
// query within the last 15 minutes. After 15 minutes of inactivity, a node becomes
// questionable. Nodes become bad when they fail to respond to multiple queries in a row."
func TestBEP5GoodNodes(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		why                  string
		answered, asked, now time.Duration // since the start; asked -1: never
		fails                int
		good, bad            bool
	}{
		{"answered just now", 0, -1, 0, 0, true, false},
		{"answered 14 minutes ago", 0, -1, 14 * minute, 0, true, false},
		{"answered 15 minutes ago", 0, -1, 15 * minute, 0, false, false},
		{"answered long ago, asked 14 minutes ago", 0, 60 * minute, 74 * minute, 0, true, false},
		{"answered long ago, asked 15 minutes ago", 0, 60 * minute, 75 * minute, 0, false, false},
		{"left one query unanswered", 0, -1, 1 * minute, 1, true, false},
		{"left two queries unanswered", 0, -1, 1 * minute, 2, false, true},
		{"asks, but does not answer", 0, 1 * minute, 1 * minute, 2, false, true},
	} {
		node := contact{answered: clockStart + c.answered, fails: uint8(c.fails)}
		if c.asked >= 0 {
			node.asked = clockStart + c.asked
		}
		if got := node.good(clockStart + c.now); got != c.good || node.bad() != c.bad {
			t.Errorf("%s: good %v, bad %v; want %v, %v", c.why, got, node.bad(), c.good, c.bad)
		}
	}
}

// A query of a contact keeps it good; one of a stranger does not make it one.
func TestBEP5QueriesKeepContactsGood(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.f.table.answered(b.now, otherID, askAddr, time.Millisecond)
	b.now += 14 * time.Minute
	b.ask(askAddr, queryPacket("ping", ""))
	b.now += 14 * time.Minute
	if c := b.f.table.find(&otherID, askAddr); c == nil || !c.good(b.now) {
		t.Errorf("contact %+v is not good 14 minutes after its query", c)
	}
	b.now += 2 * time.Minute
	if c := b.f.table.find(&otherID, askAddr); c == nil || c.good(b.now) {
		t.Errorf("contact %+v is good 16 minutes after its query", c)
	}
	b.ask(otherAddr, strings.Replace(queryPacket("ping", ""), string(otherID[:]),
		string(someHash[:]), 1))
	if b.f.table.find(&someHash, otherAddr) != nil {
		t.Error("a query alone has made a contact")
	}
}

// "Buckets that have not been changed in 15 minutes should be refreshed. This is done by
// picking a random ID in the range of the bucket and performing a find_nodes search on
// it."
func TestBEP5Refresh(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(1000)
	f := b.f
	f.joined, f.joining = true, true // no lookups of our own id
	for depth := range f.table.buckets {
		f.table.buckets[depth].changed = b.now
		f.table.buckets[depth].fills, f.table.buckets[depth].filled = 8, b.now
	}
	stale := 2
	f.table.buckets[stale].changed = b.now - refreshAge + time.Second
	for i := range f.table.buckets[stale].contacts { // none of them is due for a ping
		f.table.buckets[stale].contacts[i].answered = b.now
	}
	f.sent = b.now
	if f.upkeep(b.now); b.core.stats.Lookups != 0 {
		t.Fatal("a bucket is refreshed before its time")
	}
	b.now += time.Second
	b.sent = nil
	f.upkeep(b.now)
	if b.core.stats.Lookups != 1 || len(b.sent) == 0 {
		t.Fatalf("%d lookups with %d packets, want one", b.core.stats.Lookups, len(b.sent))
	}
	for _, p := range b.sent {
		m := parsed(t, p.data)
		if m.method != methodFindNode || commonBits(&m.target, &f.id) != stale {
			t.Errorf("%s for a target that shares %d bits with our id, want find_node and %d",
				methodNames[m.method], commonBits(&m.target, &f.id), stale)
		}
	}
	if f.upkeep(b.now); b.core.stats.Lookups != 1 {
		t.Error("the bucket is refreshed twice")
	}
}

// "Upon inserting the first node into its routing table and when starting up thereafter,
// the node should attempt to find the closest nodes in the DHT to itself."
func TestBEP5FindsItself(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.f.setHosts(b.now, []netip.AddrPort{askAddr})
	b.core.tick(b.now)
	if len(b.sent) != 1 {
		t.Fatalf("%d packets at start, want one", len(b.sent))
	}
	m := parsed(t, b.sent[0].data)
	if m.method != methodFindNode || m.target != b.f.id || b.sent[0].to != askAddr {
		t.Errorf("%s for %v to %v, want find_node for our id %v to %v", methodNames[m.method],
			m.target, b.sent[0].to, b.f.id, askAddr)
	}
	b.answerTo(b.sent[0], "")
	if !b.f.joined || b.f.table.count != 1 {
		t.Errorf("joined %v with %d contacts after the first answer", b.f.joined, b.f.table.count)
	}
}

// "values" and "nodes" hold the formats of BEP 5, "Contact Encoding": 4 or 16 bytes of
// address and 2 of port, in network byte order.
func TestBEP5ContactEncoding(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"1.2.3.4:258", "\x01\x02\x03\x04\x01\x02"},
		{"[2001:db8::1]:65535", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
			"\xff\xff"},
	} {
		addr := netip.MustParseAddrPort(c.addr)
		got := appendAddr(nil, addr)
		if string(got) != c.want {
			t.Errorf("%s is encoded as %x, want %x", c.addr, got, c.want)
		}
		if back, ok := parseAddr(got); !ok || back != addr {
			t.Errorf("%x is decoded as %v, %v", got, back, ok)
		}
		for n := range got {
			if _, ok := parseAddr(got[:n]); ok && n != compactAddr4 {
				t.Errorf("%d bytes are an address", n)
			}
		}
	}
}

// A peer that does not announce for peerLife is forgotten; one that does is not.
func TestBEP5AnnouncesAreRepeated(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.announce(askAddr, someHash, "i1e")
	for range 5 {
		b.now += 15 * time.Minute
		b.core.tick(b.now)
		b.announce(askAddr, someHash, "i1e")
		if peers, _ := b.peersOf(someHash, ""); len(peers) != 1 {
			t.Fatalf("peers %v, want the one that announces every 15 minutes", peers)
		}
	}
	b.now += peerLife
	if peers, _ := b.peersOf(someHash, ""); len(peers) != 0 {
		t.Errorf("peers %v after the last announce", peers)
	}
}
