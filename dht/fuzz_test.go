package dht

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo/bencode"
)

// FuzzPackets feeds packets to a core and checks its state and its packets. The input
// is a script. Each step begins with a byte that chooses the sender, the time that
// passes and the number of answers, followed by a packet, a zero and a newline. TTTT in
// a packet becomes the transaction of an open query and KKKKKKKK the token of the
// sender, so that the fuzzer gets past both checks.
func FuzzPackets(f *testing.F) {
	hash := target("info_hash", someHash)
	seeds := []string{
		queryPacket("ping", ""), queryPacket("find_node",
			target("target", someHash)+"4:wantl2:n42:n6e"),
		queryPacket("get_peers", hash+"6:scrapei1e"),
		queryPacket("announce_peer", hash+"4:porti77e5:token8:KKKKKKKK"),
		queryPacket("get", target("target", someHash)+"3:seqi1e"),
		queryPacket("put", "5:token8:KKKKKKKK1:v3:abc"),
		queryPacket("put", "1:k32:abcdefghabcdefghabcdefghabcdefgh3:seqi1e3:sig64:abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh5:token8:KKKKKKKK1:v3:abc"),
		queryPacket("sample_infohashes", target("target", someHash)),
		"d2:ip6:\x05\x06\x07\x08\x01\x021:rd2:id20:abcdefghij01234567895:nodes26:0123456789012345678901234567895:token2:xx6:valuesl6:123456ee1:t4:TTTT1:y1:re",
		"d1:rd2:id20:abcdefghij01234567891:k32:abcdefghabcdefghabcdefghabcdefgh5:token2:xx1:v3:abce1:t4:TTTT1:y1:re",
		"d1:eli203e5:errore1:t4:TTTT1:y1:ee",
		queryPacket("turn_credentials", target("target", ID(RelayTarget))+"5:token8:KKKKKKKK"),
		"d1:rd2:id20:abcdefghij01234567894:lifei600e8:password1:p4:porti3478e4:user1:ue1:t4:TTTT1:y1:re",
		"d1:q13:announce_peer1:t2:aa1:y1:qe", "d1:q3:put1:t2:aa1:y1:qe", "d2:ip1:x1:t2:aa1:y1:re",
		"d1:rd6:valuesl1:xee1:t4:TTTT1:y1:re", "d1:ad5:token120000000:xe1:q4:ping1:t2:aa1:y1:qe",
	}
	all := ""
	for i, s := range seeds {
		step := string(rune(i*7)) + s + "\x00\n"
		f.Add([]byte(step))
		all += step
	}
	f.Add([]byte(all))
	f.Fuzz(func(t *testing.T, script []byte) {
		b := newBench(t, coreConfig{})
		b.core.grant = grantTo
		b.core.limits.Hashes, b.core.limits.Peers = 5, 5
		b.f.peers.hashesMax, b.f.peers.peersMax, b.core.items.itemsMax = 5, 5, 5
		six := b.core.addFamily(b.now, v6, ID{2})
		b.fill(30)
		search := &itemSearch{target: someHash}
		req := request{method: methodGet, target: someHash}
		for n, step := range bytes.Split(script, []byte("\x00\n")) {
			if n > 64 || len(step) == 0 {
				break
			}
			if n%8 == 0 {
				b.core.lookUp(b.now, &req, lookupSink{answer: search.onAnswer},
					func(instant, *operation) {})
				b.core.lookUpPeers(b.now, someHash, newFound(), &announce{}, func(Lookup) {})
			}
			b.step(step[0], step[1:])
			b.check(t, six)
		}
		b.now += time.Hour
		b.core.tick(b.now)
		b.check(t, six)
	})
}

// step plays one step of a script.
func (b *bench) step(how byte, packet []byte) {
	b.now += time.Duration(how>>4) * 300 * time.Millisecond
	b.core.tick(b.now)
	from := publicAddr(int(how & 15))
	if how&15 == 15 {
		from = netip.MustParseAddrPort("[2001:db8::7]:7")
	}
	if len(b.core.queries.heap) > 0 && bytes.Contains(packet, []byte("TTTT")) {
		q := b.core.queries.heap[int(how)%len(b.core.queries.heap)]
		tid := []byte{byte(q.tid >> 24), byte(q.tid >> 16), byte(q.tid >> 8), byte(q.tid)}
		packet, from = bytes.Replace(packet, []byte("TTTT"), tid, 1), q.to
	}
	at := someHash
	if bytes.Contains(packet, []byte("3:put")) {
		at = immutableTarget([]byte("3:abc"))
	} else if bytes.Contains(packet, []byte("turn_credentials")) {
		at = ID(RelayTarget)
	}
	token := b.core.tokens.make(from.Addr(), at)
	packet = bytes.Replace(packet, []byte("KKKKKKKK"), token[:], 1)
	b.core.receive(b.now, from, packet)
}

// check fails the test if the state exceeds its bounds, or a sent packet is invalid.
func (b *bench) check(t *testing.T, six *family) {
	var r bencode.Reader
	for _, p := range b.sent {
		var m message
		if err := m.parse(&r, p.data); err != nil || len(p.data) > 1472 || !usable(p.to) {
			t.Fatalf("sent %q to %v: %v", p.data, p.to, err)
		}
	}
	b.sent = b.sent[:0]
	for _, f := range []*family{b.f, six} {
		n := 0
		for i := range f.table.buckets {
			n += len(f.table.buckets[i].contacts)
			if len(f.table.buckets[i].contacts) > f.table.size(i) ||
				len(f.table.buckets[i].spares) > k {
				t.Fatalf("bucket %d: %d contacts, %d spares", i, len(f.table.buckets[i].contacts),
					len(f.table.buckets[i].spares))
			}
		}
		if n != f.table.count {
			t.Fatalf("%d contacts, count %d", n, f.table.count)
		}
		if len(f.peers.swarms) > f.peers.hashesMax {
			t.Fatalf("%d swarms, want at most %d", len(f.peers.swarms), f.peers.hashesMax)
		}
	}
	c := b.core
	if len(c.items.items) > c.items.itemsMax || len(c.queries.heap) != len(c.queries.byTid) ||
		len(c.lookups) > lookupsMax {
		t.Fatalf("%d items, %d and %d queries, %d lookups", len(c.items.items), len(c.queries.heap),
			len(c.queries.byTid), len(c.lookups))
	}
	for _, l := range c.lookups {
		slots := 0
		for i := range l.candidates {
			if l.candidates[i].state == waiting {
				slots++
			}
		}
		if slots != l.slots || len(l.candidates) > candidatesMax || l.done {
			t.Fatalf("lookup with %d slots, %d waiting, %d candidates", l.slots, slots,
				len(l.candidates))
		}
	}
}

// A saved state that anything may have written into costs at most that state.
func FuzzForgetIDs(f *testing.F) {
	f.Add([]byte("d3:id420:aaaaaaaaaaaaaaaaaaaa6:nodes40:7:versioni1ee"))
	f.Add([]byte("d2:id"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := ForgetIDs(b)
		if got == nil {
			return
		}
		r := bencode.NewReader(got, bencode.Limits{})
		for key := range r.Dict() {
			if strings.HasPrefix(string(key), "id") {
				t.Fatalf("ForgetIDs(%q) = %q", b, got)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatalf("ForgetIDs(%q) = %q: %v", b, got, err)
		}
	})
}

func TestForgetIDs(t *testing.T) {
	for _, junk := range []string{"", "x", "i1e", "d", "d3:id4", "d3:id4i1ee trailing"} {
		if got := ForgetIDs([]byte(junk)); got != nil {
			t.Errorf("ForgetIDs(%q) = %q", junk, got)
		}
	}
	got := ForgetIDs([]byte("d3:id41:x3:id61:y6:nodes41:z6:nodes60:e"))
	r := bencode.NewReader(got, bencode.Limits{})
	r.Skip()
	if string(got) != "d6:nodes41:z6:nodes60:e" || r.Close() != nil {
		t.Errorf("ForgetIDs = %q", got)
	}
}
