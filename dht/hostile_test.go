package dht

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo/bencode"
)

// bench is one core with a scripted world around it.
type bench struct {
	t    testing.TB
	now  instant
	core *core
	f    *family
	sent []sentPacket
}

type sentPacket struct {
	to   netip.AddrPort
	data []byte
}

var (
	askAddr  = netip.MustParseAddrPort("28.2.2.2:1000")
	otherID  = ID{0xaa, 1, 2}
	someHash = ID{0x55, 5, 5}
)

func newBench(t testing.TB, cfg coreConfig) *bench {
	b := &bench{t: t, now: clockStart}
	cfg.limits = cfg.limits.withDefaults(cfg.router)
	cfg.rng = rand.New(rand.NewPCG(1, 2))
	cfg.send = func(to netip.AddrPort, p []byte) {
		b.sent = append(b.sent, sentPacket{to, bytes.Clone(p)})
	}
	cfg.joined, cfg.lost = func(int) {}, func(int) {}
	b.core = newCore(b.now, cfg)
	b.f = b.core.addFamily(b.now, v4, ID{1})
	return b
}

// ask delivers a packet and returns the answer to it, or nil.
func (b *bench) ask(from netip.AddrPort, packet string) []byte {
	b.t.Helper()
	b.sent = nil
	b.core.receive(b.now, from, []byte(packet))
	for _, p := range b.sent {
		if p.to == from && (bytes.HasSuffix(p.data, []byte("1:y1:re")) ||
			bytes.HasSuffix(p.data, []byte("1:y1:ee"))) {
			return p.data
		}
	}
	return nil
}

// queryPacket returns a query. Body holds its bencoded arguments after the id.
func queryPacket(name, body string) string {
	return fmt.Sprintf("d1:ad2:id20:%s%se1:q%d:%s1:t2:aa1:y1:qe", otherID[:], body, len(name), name)
}

func target(key string, id ID) string { return fmt.Sprintf("%d:%s20:%s", len(key), key, id[:]) }

// parsed scans an answer.
func parsed(t testing.TB, packet []byte) *message {
	t.Helper()
	var r bencode.Reader
	m := new(message)
	if err := m.parse(&r, packet); err != nil {
		t.Fatalf("answer %q: %v", packet, err)
	}
	return m
}

// tokenFor fetches a token.
func (b *bench) tokenFor(from netip.AddrPort, id ID) string {
	b.t.Helper()
	m := parsed(b.t, b.ask(from, queryPacket("get_peers", target("info_hash", id))))
	if len(m.token) != tokenLen {
		b.t.Fatalf("token %q", m.token)
	}
	return string(m.token)
}

// answerTo sends the answer body to the last query of the core.
func (b *bench) answerTo(p sentPacket, body string) {
	m := parsed(b.t, p.data)
	b.core.receive(b.now, p.to, []byte(fmt.Sprintf("d1:rd2:id20:%s%se1:t%d:%s1:y1:re", otherID[:],
		body, len(m.tid), m.tid)))
}

// TestHostilePackets sends packets that made other implementations crash, answer
// nonsense or allocate without bound. The node must drop or refuse each, and answer the
// next packet.
func TestHostilePackets(t *testing.T) {
	long := strings.Repeat("x", 1900)
	tests := []struct {
		name, packet string
		code         int64 // of the error expected, 0 for silence, -1 for an answer
	}{
		{"announce_peer without arguments", "d1:q13:announce_peer1:t2:aa1:y1:qe", 203},
		{"put without arguments", "d1:q3:put1:t2:aa1:y1:qe", 203},
		{"ping without arguments", "d1:q4:ping1:t2:aa1:y1:qe", 203},
		{"arguments that are a list", "d1:ale1:q4:ping1:t2:aa1:y1:qe", 203},
		{"arguments that are a number", "d1:ai1e1:q4:ping1:t2:aa1:y1:qe", 203},
		{"id too short", "d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe", 203},
		{"id that is a number", "d1:ad2:idi7ee1:q4:ping1:t2:aa1:y1:qe", 203},
		{"ip of one byte", "d2:ip1:x1:t2:aa1:y1:re", 0},
		{"ip of one byte in a query", "d1:ad2:id20:" + string(otherID[:]) +
			"e2:ip1:x1:q4:ping1:t2:aa1:y1:qe", -1},
		{"values of one byte, unsolicited", "d1:rd2:id20:" + string(otherID[:]) +
			"6:valuesl1:xee1:t2:aa1:y1:re", 0},
		{"length that lies", "d1:ad2:id20:" + string(otherID[:]) +
			"5:token120000000:abcde1:q4:ping1:t2:aa1:y1:qe", 0},
		{"length beyond 64 bits", "d1:t99999999999999999999999:aae", 0},
		{"negative length", "d1:t-1:ae", 0},
		{"integer beyond 64 bits", queryPacket("announce_peer", "4:porti99999999999999999999e"), 0},
		{"nested lists", strings.Repeat("l", 900) + strings.Repeat("e", 900), 0},
		{"nested dictionaries", "d1:a" + strings.Repeat("d1:a", 400) + "i1e" + strings.Repeat("e",
			400) + "e", 0},
		{"truncated", "d1:ad2:id20:", 0},
		{"bytes behind the end", queryPacket("ping", "") + "x", 0},
		{"key twice", "d1:t2:aa1:t2:bb1:y1:qe", 0},
		{"not a dictionary", "l1:qe", 0},
		{"empty", "", 0},
		{"type of two letters", "d1:t2:aa1:y2:qqe", 0},
		{"no type", "d1:t2:aae", 0},
		{"no transaction", "d1:ad2:id20:" + string(otherID[:]) + "e1:q4:ping1:y1:qe", 0},
		{"transaction of 1,900 bytes", "d1:ad2:id20:" + string(otherID[:]) + "e1:q4:ping1:t1900:" +
			long + "1:y1:qe", 0},
		{"find_node without target", queryPacket("find_node", ""), 203},
		{"find_node with a short target", queryPacket("find_node", "6:target3:abc"), 203},
		{"get_peers without info_hash", queryPacket("get_peers", ""), 203},
		{"announce_peer without token", queryPacket("announce_peer",
			target("info_hash", someHash)+"4:porti1e"), 203},
		{"put without value", queryPacket("put", "5:token8:abcdefgh"), 203},
		{"unknown method", queryPacket("steal", ""), 204},
		{"unknown method with a target", queryPacket("steal", target("target", someHash)), -1},
		{"want that is a string", queryPacket("find_node", target("target", someHash)+"4:want2:n4"),
			-1},
		{"want of numbers", queryPacket("find_node", target("target", someHash)+"4:wantli1ei2ee"),
			-1},
		{"error of the wrong shape", "d1:eli1ee1:t2:aa1:y1:ee", 0},
		{"error that is a string", "d1:e3:abc1:t2:aa1:y1:ee", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, coreConfig{})
			got := b.ask(askAddr, test.packet)
			switch {
			case test.code == 0:
				if got != nil {
					t.Errorf("answer %q, want none", got)
				}
			case got == nil:
				t.Errorf("no answer")
			default:
				want := max(test.code, 0)
				if m := parsed(t, got); m.errCode != want {
					t.Errorf("error %d, want %d", m.errCode, want)
				}
			}
			if got := b.ask(askAddr, queryPacket("ping", "")); got == nil {
				t.Error("no answer to the ping that follows")
			}
		})
	}
}

// TestHostileAnswers sends invalid answers to our own queries. None may end the
// process, and none may yield peers, items or long tokens.
func TestHostileAnswers(t *testing.T) {
	key := strings.Repeat("K", 32)
	tests := []struct{ name, method, body string }{
		{"mutable item without seq", "get", "1:k32:" + key + "3:sig64:" + key + key +
			"5:token2:ab1:v3:abc"},
		{"mutable item without sig", "get", "1:k32:" + key + "3:seqi1e5:token2:ab1:v3:abc"},
		{"item with a wrong signature", "get", "1:k32:" + key + "3:seqi1e3:sig64:" + key + key +
			"5:token2:ab1:v3:abc"},
		{"item with another hash", "get", "5:token2:ab1:v3:abc"},
		{"item of 1,800 bytes", "get", "1:v1800:" + strings.Repeat("v", 1800)},
		{"values of one byte", "get_peers", "5:token2:ab6:valuesl1:xe"},
		{"values of numbers", "get_peers", "6:valuesli1ei2ee"},
		{"values that are a dictionary", "get_peers", "6:valuesd1:xi1ee"},
		{"values nobody can dial", "get_peers",
			"6:valuesl6:\x00\x00\x00\x00\x00\x016:\xe0\x00\x00\x01\x00\x016:\x05\x05\x05\x05\x00\x00e"},
		{"values in the local network", "get_peers",
			"6:valuesl6:\x0a\x00\x00\x01\x00\x016:\x7f\x00\x00\x01\x00\x01e"},
		{"nodes of an odd length", "get_peers", "5:nodes7:abcdefg"},
		{"token of 1,000 bytes", "get_peers", "5:token1000:" + strings.Repeat("t", 1000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, coreConfig{})
			b.f.setHosts(b.now, []netip.AddrPort{askAddr})
			peers, search := newFound(), &itemSearch{target: someHash}
			b.sent = nil
			over := false
			var op *operation
			if test.method == "get" {
				req := request{method: methodGet, target: someHash}
				op = b.core.lookUp(b.now, &req, lookupSink{answer: search.onAnswer},
					func(instant, *operation) { over = true })
			} else {
				op = b.core.lookUpPeers(b.now, someHash, peers, nil, func(Lookup) { over = true })
			}
			b.answerTo(b.sent[0], test.body)
			if !over {
				t.Error("the lookup goes on")
			}
			if got := peers.take(); len(got) > 0 {
				t.Errorf("peers %v", got)
			}
			if search.best != nil {
				t.Errorf("item %+v", search.best)
			}
			for _, target := range op.targets() {
				if len(target.token) > tokenMax {
					t.Errorf("token of %d bytes kept", len(target.token))
				}
			}
		})
	}
}

// TestForgedAnswers sends answers that do not come from the node that we asked.
func TestForgedAnswers(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.core.ping(b.now, askAddr)
	tid := parsed(t, b.sent[0].data).tid
	answer := func(tid []byte) []byte {
		return []byte(fmt.Sprintf("d1:rd2:id20:%se1:t%d:%s1:y1:re", otherID[:], len(tid), tid))
	}
	b.core.receive(b.now, netip.MustParseAddrPort("28.2.2.2:1001"), answer(tid))
	b.core.receive(b.now, netip.MustParseAddrPort("28.2.2.3:1000"), answer(tid))
	b.core.receive(b.now, askAddr, answer([]byte{1, 2, 3, 4}))
	b.core.receive(b.now, askAddr, answer(nil))
	if b.core.stats.Unsolicited != 4 || b.f.table.count != 0 {
		t.Fatalf("%d unsolicited, %d contacts; want 4, 0", b.core.stats.Unsolicited,
			b.f.table.count)
	}
	b.core.receive(b.now, askAddr, answer(tid))
	if b.f.table.count != 1 {
		t.Error("the true answer was not taken")
	}
	b.core.receive(b.now, askAddr, answer(tid))
	if b.core.stats.Unsolicited != 5 {
		t.Error("the same answer was taken twice")
	}
}

// TestForgedIDs: one address that answers under 256 ids gets one place in the table. A
// whole /24 gets one place in a bucket.
func TestForgedIDs(t *testing.T) {
	b := newBench(t, coreConfig{})
	for range 256 {
		b.f.table.answered(b.now, randomID(b.core.rng), askAddr, time.Millisecond)
		b.now += time.Second
	}
	if b.f.table.count != 1 {
		t.Errorf("one address has %d places", b.f.table.count)
	}
	for i := range 256 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{28, 2, 2, byte(i)}), 1)
		b.f.table.answered(b.now, randomID(b.core.rng), addr, time.Millisecond)
	}
	if n := b.f.table.count; n > networkMax {
		t.Errorf("one /24 has %d places, at most %d", n, networkMax)
	}
	for i := range b.f.table.buckets {
		if n := len(b.f.table.buckets[i].contacts); n > 1 {
			t.Errorf("one /24 has %d places in bucket %d", n, i)
		}
	}
}

// TestFlood: an address that floods us gets its share of answers, and no less once the
// flood is over.
func TestFlood(t *testing.T) {
	b := newBench(t, coreConfig{})
	answers := 0
	for range 20000 {
		b.now += 100 * time.Microsecond
		if b.ask(askAddr, queryPacket("ping", "")) != nil {
			answers++
		}
	}
	if answers > 80 {
		t.Errorf("%d answers in 2 s, want at most 50 and 10 a second", answers)
	}
	if b.ask(netip.MustParseAddrPort("29.1.1.1:1"), queryPacket("ping", "")) == nil {
		t.Error("another address is not answered")
	}
	b.now += time.Second / 10
	if b.ask(askAddr, queryPacket("ping", "")) == nil {
		t.Error("no answer a tenth of a second after the flood")
	}
}

// TestFloodOfAddresses: a flood from forged addresses costs bounded memory and bounded
// pings.
func TestFloodOfAddresses(t *testing.T) {
	b := newBench(t, coreConfig{})
	pings := 0
	for i := range 100000 {
		b.sent = nil
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x40000000+uint32(i)*259)
		id := randomID(b.core.rng)
		packet := strings.Replace(queryPacket("ping", ""), string(otherID[:]), string(id[:]), 1)
		b.core.receive(b.now, netip.AddrPortFrom(netip.AddrFrom4(a), 1), []byte(packet))
		for _, p := range b.sent {
			if bytes.HasSuffix(p.data, []byte("1:y1:qe")) {
				pings++
			}
		}
		b.now += 10 * time.Microsecond
	}
	p := &b.core.pings
	if len(b.core.limiter.sources) > sourcesMax || len(p.last) > pingbacksMax ||
		len(p.sources) > pingbacksMax || len(b.core.queries.heap) > queriesMax {
		t.Errorf("%d sources, %d and %d pings remembered, %d queries", len(b.core.limiter.sources),
			len(p.last), len(p.sources), len(b.core.queries.heap))
	}
	if pings > pingbackBurst+pingbackRate {
		t.Errorf("%d pings in a second, want at most %d", pings, pingbackBurst+pingbackRate)
	}
}

// TestOwnPackets: a node does not talk to itself.
func TestOwnPackets(t *testing.T) {
	b := newBench(t, coreConfig{})
	packet := strings.Replace(queryPacket("ping", ""), string(otherID[:]), string(b.f.id[:]), 1)
	if got := b.ask(askAddr, packet); got != nil {
		t.Errorf("answer %q to ourselves", got)
	}
}

// TestReadOnly: BEP 43. A read-only node marks its queries and answers none.
func TestReadOnly(t *testing.T) {
	b := newBench(t, coreConfig{readOnly: true})
	if got := b.ask(askAddr, queryPacket("ping", "")); got != nil {
		t.Errorf("answer %q", got)
	}
	b.core.ping(b.now, askAddr)
	if m := parsed(t, b.sent[0].data); !m.readOnly {
		t.Errorf("query %q without ro", b.sent[0].data)
	}
	other := newBench(t, coreConfig{})
	packet := strings.Replace(queryPacket("ping", ""), "1:t2:aa", "2:roi1e1:t2:aa", 1)
	if other.ask(askAddr, packet) == nil {
		t.Error("a read-only node is not answered")
	}
	if len(other.sent) != 1 {
		t.Errorf("%d packets for a read-only node, want the answer alone", len(other.sent))
	}
}
