package dht

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/dht/v2/krpc"
)

// fill gives the table n contacts in distinct networks of its family.
func (b *bench) fill(n int) (all []contact) {
	for i := range n {
		addr := publicAddr(i)
		if b.f.index == v6 {
			addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, byte(i >> 8), byte(i),
				15: 1}), 6881)
		}
		b.f.table.answered(b.now, randomID(b.core.rng), addr, time.Millisecond)
	}
	for i := range b.f.table.buckets {
		all = append(all, b.f.table.buckets[i].contacts...)
	}
	return all
}

// TestClosest: the answers to find_node, get_peers, get and sample_infohashes
// hold the closest contacts of the whole table, sorted, whichever bucket they
// are in.
func TestClosest(t *testing.T) {
	b := newBench(t, coreConfig{})
	all := b.fill(2000)
	for i := range 200 {
		want := randomID(b.core.rng)
		if i%2 == 0 { // near our own id, where the deep buckets are
			want = randomIDIn(b.core.rng, b.f.id, i/2%12)
		}
		slices.SortFunc(all, func(x, y contact) int { return compareDistance(&want, &x.id, &y.id) })
		b.now += time.Second
		for _, method := range []string{"find_node", "get_peers", "get", "sample_infohashes"} {
			key := "target"
			if method == "get_peers" {
				key = "info_hash"
			}
			m := parsed(t, b.ask(askAddr, queryPacket(method, target(key, want))))
			n := 0
			eachNode(m.nodes, compactNode4, 100, func(id ID, addr netip.AddrPort) {
				if id != all[n].id || addr != all[n].addr() {
					t.Fatalf("%s: node %d is %v, want %v", method, n, id, all[n].id)
				}
				n++
			})
			if n != k {
				t.Fatalf("%s: %d nodes", method, n)
			}
		}
	}
}

// TestSilentContacts: contacts that failed their last query are not named to other
// nodes.
func TestSilentContacts(t *testing.T) {
	b := newBench(t, coreConfig{})
	all := b.fill(5)
	b.f.table.failed(all[0].addr(), true)
	m := parsed(t, b.ask(askAddr, queryPacket("find_node", target("target", all[0].id))))
	if len(m.nodes) != 4*compactNode4 {
		t.Errorf("%d nodes, want 4", len(m.nodes)/compactNode4)
	}
}

// TestAskerIsPinged: the sender of a query is pinged, and enters the table only by
// answering. So a new bootstrap node has contacts at once.
func TestAskerIsPinged(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.ask(askAddr, queryPacket("ping", ""))
	if len(b.sent) != 2 || b.f.table.count != 0 {
		t.Fatalf("%d packets, %d contacts; want 2, 0", len(b.sent), b.f.table.count)
	}
	b.answerTo(b.sent[1], "")
	if b.f.table.count != 1 {
		t.Error("the asker is not in the table though it answered")
	}
}

func (b *bench) announce(from netip.AddrPort, id ID, body string) *message {
	b.t.Helper()
	token := b.tokenFor(from, id)
	packet := queryPacket("announce_peer", "12:implied_port"+body+target("info_hash", id)+
		"5:token8:"+token)
	return parsed(b.t, b.ask(from, packet))
}

func (b *bench) peersOf(id ID, extra string) (list []netip.AddrPort, m *message) {
	b.t.Helper()
	m = parsed(b.t, b.ask(otherAddr, queryPacket("get_peers", target("info_hash", id)+extra)))
	m.eachValue(func(a netip.AddrPort) { list = append(list, a) })
	return list, m
}

var otherAddr = netip.MustParseAddrPort("29.3.3.3:2000")

// TestAnnounce: the announced port counts, or with implied_port that of the packet.
// Invalid ports are refused. An answer to get_peers has nodes besides the values.
func TestAnnounce(t *testing.T) {
	tests := []struct {
		body string
		port uint16 // stored, or 0 when refused
	}{
		{"i0e4:porti77e", 77},
		{"i1e4:porti77e", askAddr.Port()},
		{"i1e", askAddr.Port()},
		{"i0e", 0},
		{"i0e4:porti-5e", 0},
		{"i0e4:porti0e", 0},
		{"i0e4:porti70000e", 0},
		{"i0e4:port2:77", 0},
	}
	for _, test := range tests {
		b := newBench(t, coreConfig{})
		b.fill(20)
		// The order of the arguments does not matter to the reader.
		got := b.announce(askAddr, someHash, test.body)
		peers, m := b.peersOf(someHash, "")
		if test.port == 0 {
			if got.errCode != krpc.ErrorCodeProtocolError || len(peers) != 0 {
				t.Errorf("%s: error %d, peers %v; want it refused", test.body, got.errCode, peers)
			}
			continue
		}
		want := netip.AddrPortFrom(askAddr.Addr(), test.port)
		if got.errCode != 0 || len(peers) != 1 || peers[0] != want ||
			len(m.nodes) != k*compactNode4 {
			t.Errorf("%s: error %d, peers %v, %d bytes of nodes; want %v", test.body, got.errCode,
				peers, len(m.nodes), want)
		}
	}
}

// TestToken: a token is valid for its address and target, for 5 to 10 minutes.
func TestToken(t *testing.T) {
	b := newBench(t, coreConfig{})
	token := b.tokenFor(askAddr, someHash)
	announce := func(from netip.AddrPort, id ID) int64 {
		b.now += time.Second
		b.core.tick(b.now)
		packet := queryPacket("announce_peer", target("info_hash", id)+"4:porti77e5:token8:"+token)
		return parsed(t, b.ask(from, packet)).errCode
	}
	if code := announce(askAddr, someHash); code != 0 {
		t.Errorf("error %d", code)
	}
	if code := announce(netip.AddrPortFrom(askAddr.Addr(), 9), someHash); code != 0 {
		t.Errorf("from another port: error %d", code)
	}
	if code := announce(otherAddr, someHash); code != 203 {
		t.Errorf("from another address: error %d, want 203", code)
	}
	if code := announce(askAddr, otherID); code != 203 {
		t.Errorf("for another target: error %d, want 203", code)
	}
	b.now += tokenPeriod - 10*time.Second
	if code := announce(askAddr, someHash); code != 0 {
		t.Errorf("after 5 minutes: error %d", code)
	}
	for range 12 {
		b.now += 30 * time.Second
		b.core.tick(b.now)
	}
	if code := announce(askAddr, someHash); code != 203 {
		t.Errorf("after 11 minutes: error %d, want 203", code)
	}
}

// TestPeersExpire: a peer that does not announce again is forgotten.
func TestPeersExpire(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.announce(askAddr, someHash, "i1e")
	b.now += peerLife + sweepPeriod
	b.core.tick(b.now)
	if peers, _ := b.peersOf(someHash, ""); len(peers) != 0 || len(b.f.peers.swarms) != 0 ||
		len(b.f.peers.perSource) != 0 || len(b.f.peers.alone) != 0 {
		t.Errorf("peers %v, %d swarms, %d sources, %d owners", peers, len(b.f.peers.swarms),
			len(b.f.peers.perSource), len(b.f.peers.alone))
	}
}

// TestPeerStoreBounds: a flood of announces costs bounded memory, and one
// address cannot fill the store.
func TestPeerStoreBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	self := randomID(rng)
	s := newPeerStore(200, 20)
	for i := range 20000 {
		s.add(0, self, randomID(rng), publicAddr(i%1000), false, rng)
	}
	if len(s.swarms) > 200 {
		t.Errorf("%d info-hashes, at most 200", len(s.swarms))
	}
	hot := randomID(rng)
	for i := range 5000 {
		s.add(0, self, hot, publicAddr(i), false, rng)
	}
	if n := len(s.of(hot)); n > 20 {
		t.Errorf("%d peers, at most 20", n)
	}
	s.check(t)
	greedy := newPeerStore(2000, 20)
	for i := range 5000 {
		greedy.add(0, self, randomID(rng), netip.AddrPortFrom(askAddr.Addr(), uint16(i%5+1)), false,
			rng)
	}
	if len(greedy.swarms) > hashesPerSource {
		t.Errorf("one address holds %d info-hashes, at most %d", len(greedy.swarms),
			hashesPerSource)
	}
}

// TestAmplification bounds the bytes that a forged sender can make us send per byte:
// six for answers that every node gives, sixteen for answers with peers or an item that
// somebody has stored.
func TestAmplification(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(2000)
	b.core.addFamily(b.now, v6, ID{2})
	six := &bench{t: t, now: b.now, core: b.core, f: b.core.families[v6]}
	six.fill(2000)
	item := "995:" + strings.Repeat("v", 995)
	itemTarget := someHash
	b.core.items.items[itemTarget] = &storedItem{value: []byte(item), key: make([]byte, 32),
		sig: make([]byte, 64), seq: 1 << 40, expires: b.now + itemLife}
	for i := range 500 {
		b.f.peers.add(b.now, b.f.id, someHash, publicAddr(i), i%2 == 0, b.core.rng)
		b.f.peers.add(b.now, b.f.id, randomID(b.core.rng), publicAddr(i), false, b.core.rng)
	}
	tests := []struct {
		name, packet string
		most         float64
	}{
		{"ping", queryPacket("ping", ""), 1.5},
		{"error", queryPacket("get", ""), 1.5},
		{"find_node", queryPacket("find_node", target("target", someHash)), 6},
		{"find_node for both", queryPacket("find_node",
			target("target", someHash)+"4:wantl2:n42:n6e"), 6},
		{"get_peers, none stored", queryPacket("get_peers", target("info_hash", otherID)), 6},
		{"get_peers", queryPacket("get_peers", target("info_hash", someHash)), 10},
		{"get_peers for both", queryPacket("get_peers",
			target("info_hash", someHash)+"4:wantl2:n42:n6e"), 10},
		{"get_peers with scrape", queryPacket("get_peers",
			target("info_hash", someHash)+"6:scrapei1e"), 10},
		{"get", queryPacket("get", target("target", itemTarget)), 16},
		{"get for both", queryPacket("get", target("target", itemTarget)+"4:wantl2:n42:n6e"), 15},
		{"sample_infohashes", queryPacket("sample_infohashes", target("target", someHash)), 6},
		{"sample_infohashes for both", queryPacket("sample_infohashes",
			target("target", someHash)+"4:wantl2:n42:n6e"), 6},
	}
	for _, test := range tests {
		b.now += time.Second
		got := b.ask(askAddr, test.packet)
		factor := float64(len(got)) / float64(len(test.packet))
		t.Logf("%-28s %4d bytes for %3d: %.1f", test.name, len(got), len(test.packet), factor)
		if factor > test.most || len(got) > 1472 || len(got) == 0 {
			t.Errorf("%s: %d bytes for %d, factor %.1f, at most %.1f", test.name, len(got),
				len(test.packet), factor, test.most)
		}
		if !strings.HasPrefix(test.name, "get ") && test.name != "get" && len(got) > replyMax+32 {
			t.Errorf("%s: %d bytes, at most %d", test.name, len(got), replyMax)
		}
		if len(b.sent) > 2 {
			t.Errorf("%s: %d packets", test.name, len(b.sent))
		}
	}
}

// TestScrape: BEP 33. The filters count seeds and other peers, and the node obeys seed
// and noseed.
func TestScrape(t *testing.T) {
	b := newBench(t, coreConfig{})
	for i := range 60 {
		b.f.peers.add(b.now, b.f.id, someHash, publicAddr(i), i < 20, b.core.rng)
	}
	_, m := b.peersOf(someHash, "6:scrapei1e")
	var seeds, leeches krpc.ScrapeBloomFilter
	copy(seeds[:], m.seeds)
	copy(leeches[:], m.leeches)
	if s, l := estimate(&seeds), estimate(&leeches); s < 18 || s > 22 || l < 36 || l > 44 {
		t.Errorf("%.1f seeds and %.1f others, want about 20 and 40", s, l)
	}
	peers, _ := b.peersOf(someHash, "6:noseedi1e")
	for _, p := range peers {
		for i := range 20 {
			if p == publicAddr(i) {
				t.Errorf("%v is a seed", p)
			}
		}
	}
	if len(peers) != 40 {
		t.Errorf("%d peers, want 40", len(peers))
	}
	if b.announce(askAddr, otherID, "i1e4:seedi1e"); !b.f.peers.of(otherID)[0].seed {
		t.Error("seed is not stored")
	}
}

// TestScrapeVector checks the filter of BEP 33, "Test vectors". Its addresses are of one
// /24 and one /64, from which the store would not accept so many.
func TestScrapeVector(t *testing.T) {
	s, swarm := newPeerStore(10, 2000), new(storedSwarm)
	s.swarms[someHash] = swarm
	add := func(ip netip.Addr) {
		swarm.peers = append(swarm.peers, storedPeer{netip.AddrPortFrom(ip, 1), true, peerLife})
	}
	for i := range 256 {
		add(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}
	for i := range 0x3e8 {
		a := netip.MustParseAddr("2001:DB8::").As16()
		a[14], a[15] = byte(i>>8), byte(i)
		add(netip.AddrFrom16(a))
	}
	const want = "F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAE" +
		"FE5EEDB1FBFAFF67F6ABFF5E43DDBCA3FD9B9FFDF4FFD3E9DFF12D1BDF59DB53DBE9FA5B" +
		"7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE148246C2BC5DBFF7E7EFDCF24F" +
		"D8DC7ADFFD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3" +
		"FA1FC77BFE07FFF905B7B7FFC7FEFEFFE0B8370BB0CD3F5B7F2BD93FEB4386CFDD6F7FD5" +
		"BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1BFBB53E8ABFB57" +
		"62ABE8FF237279BFEFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6" +
		"FD8F72EF"
	var seeds, leeches krpc.ScrapeBloomFilter
	s.scrape(0, someHash, &seeds, &leeches)
	if got := strings.ToUpper(hex.EncodeToString(seeds[:])); got != want {
		t.Errorf("filter\n%s, want\n%s", got, want)
	}
	if n := estimate(&seeds); n < 1224 || n > 1225 {
		t.Errorf("estimate %.4f, want 1224.9308", n)
	}
}

// TestSampleAnswer: BEP 51. An answer has "samples", even an empty one.
func TestSampleAnswer(t *testing.T) {
	b := newBench(t, coreConfig{})
	got := b.ask(askAddr, queryPacket("sample_infohashes", target("target", someHash)))
	if !bytes.Contains(got, []byte("7:samples0:")) || !bytes.Contains(got, []byte("3:numi0e")) {
		t.Errorf("answer %q", got)
	}
	b.f.peers.add(b.now, b.f.id, someHash, publicAddr(1), false, b.core.rng)
	m := parsed(t, b.ask(askAddr, queryPacket("sample_infohashes", target("target", someHash))))
	if string(m.samples) != string(someHash[:]) || m.num != 1 || m.interval < 0 ||
		m.interval > sampleIntervalMax {
		t.Errorf("samples %x, num %d, interval %d", m.samples, m.num, m.interval)
	}
}

// TestWant: BEP 32. Without "want" an answer has nodes of the family of the query.
// nodes6 never holds IPv4 addresses in IPv6 form.
func TestWant(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(20)
	six := &bench{t: t, now: b.now, core: b.core, f: b.core.addFamily(b.now, v6, ID{2})}
	six.fill(20)
	tests := []struct {
		from   netip.AddrPort
		want   string
		n4, n6 int
	}{
		{askAddr, "", 8, 0},
		{netip.MustParseAddrPort("[2001:e::1]:5"), "", 0, 8},
		{askAddr, "4:wantl2:n6e", 0, 8},
		{askAddr, "4:wantl2:n42:n6e", 8, 8},
		{netip.MustParseAddrPort("[2001:e::1]:5"), "4:wantl2:n4e", 8, 0},
	}
	for _, test := range tests {
		m := parsed(t, b.ask(test.from, queryPacket("find_node",
			target("target", someHash)+test.want)))
		if len(m.nodes) != test.n4*compactNode4 || len(m.nodes6) != test.n6*compactNode6 {
			t.Errorf("%v %q: %d bytes of nodes, %d of nodes6", test.from, test.want, len(m.nodes),
				len(m.nodes6))
		}
		eachNode(m.nodes6, compactNode6, 100, func(_ ID, a netip.AddrPort) {
			if !a.Addr().Is6() || a.Addr().Is4In6() {
				t.Errorf("%v in nodes6", a)
			}
		})
	}
}

// itemArgs returns the arguments of a put, in no order.
func itemArgs(token, value, rest string) string {
	return rest + fmt.Sprintf("5:token%d:%s1:v%s", len(token), token, value)
}

func (b *bench) put(value, rest string, target ID) *message {
	b.t.Helper()
	b.now += time.Second
	token := string(parsed(b.t, b.ask(askAddr, queryPacket("get", targetArg(target)))).token)
	return parsed(b.t, b.ask(askAddr, queryPacket("put", itemArgs(token, value, rest))))
}

func targetArg(id ID) string { return target("target", id) }

// TestImmutable: BEP 44. An immutable item needs no seq.
func TestImmutable(t *testing.T) {
	b := newBench(t, coreConfig{})
	value := "12:Hello World!"
	at := ID(sha1.Sum([]byte(value)))
	if hex.EncodeToString(at[:]) != "e5f96f6f38320f0f33959cb4d3d656452117aadb" {
		t.Fatalf("target %v", at) // BEP 44, test vector 3
	}
	if m := b.put(value, "", at); m.errCode != 0 {
		t.Fatalf("put: error %d %s", m.errCode, m.errText)
	}
	m := parsed(t, b.ask(otherAddr, queryPacket("get", targetArg(at))))
	if string(m.value) != value || m.key != nil || m.hasSeq || len(m.token) == 0 {
		t.Errorf("get: %+v", m)
	}
	if m := b.put("1000:"+strings.Repeat("x", 1000), "", at); m.errCode != 205 {
		t.Errorf("value of 1,005 bytes: error %d, want 205", m.errCode)
	}
	if m := b.put("3:abc", "", at); m.errCode != 203 {
		t.Errorf("token for another target: error %d, want 203", m.errCode)
	}
}

// TestMutable walks a mutable item through seq, cas, salt and signature.
func TestMutable(t *testing.T) {
	b := newBench(t, coreConfig{})
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public := key.Public().(ed25519.PublicKey)
	put := func(salt, value string, seq int64, cas string) int64 {
		sig := bep44.Sign(key, []byte(salt), seq, []byte(value))
		rest := cas + fmt.Sprintf("1:k32:%s4:salt%d:%s3:seqi%de3:sig64:%s", public, len(salt), salt,
			seq, sig)
		return b.put(value, rest, MutableTarget(public, []byte(salt))).errCode
	}
	steps := []struct {
		name, value string
		seq         int64
		cas         string
		want        int64
	}{
		{"first", "1:a", 4, "", 0},
		{"the same again", "1:a", 4, "", 0},
		{"same seq, other value", "1:b", 4, "", 302},
		{"older", "1:b", 3, "", 302},
		{"stale cas", "1:b", 5, "3:casi3e", 301},
		{"right cas", "1:b", 5, "3:casi4e", 0},
		{"without cas", "1:c", 6, "", 0},
	}
	for _, s := range steps {
		if code := put("x", s.value, s.seq, s.cas); code != s.want {
			t.Errorf("%s: error %d, want %d", s.name, code, s.want)
		}
	}
	m := parsed(t, b.ask(otherAddr, queryPacket("get",
		targetArg(MutableTarget(public, []byte("x"))))))
	if string(m.value) != "1:c" || m.seq != 6 || string(m.key) != string(public) ||
		len(m.sig) != 64 {
		t.Errorf("get: value %q seq %d", m.value, m.seq)
	}
	m = parsed(t, b.ask(otherAddr, queryPacket("get",
		"3:seqi6e"+targetArg(MutableTarget(public, []byte("x"))))))
	if m.value != nil || m.sig != nil || m.seq != 6 {
		t.Errorf("get with seq 6: value %q seq %d, want no value", m.value, m.seq)
	}
	if code := put(strings.Repeat("s", 65), "1:a", 1, ""); code != 207 {
		t.Errorf("salt of 65 bytes: error %d, want 207", code)
	}
	rest := fmt.Sprintf("1:k32:%s3:seqi9e3:sig64:%s", public, strings.Repeat("z", 64))
	if code := b.put("1:a", rest, MutableTarget(public, nil)).errCode; code != 206 {
		t.Errorf("wrong signature: error %d, want 206", code)
	}
}

// TestItemStoreBounds: puts cost bounded memory, and one address gets its share.
func TestItemStoreBounds(t *testing.T) {
	s := newItemStore(100)
	for i := range 3000 {
		value := []byte(fmt.Sprintf("i%de", i))
		s.put(0, ID{}, immutableTarget(value), &message{value: value}, publicAddr(i%200).Addr())
	}
	if len(s.items) > 100 || len(s.perSource) > 100 || len(s.shares) > 100 {
		t.Errorf("%d items of %d sources, %d owners", len(s.items), len(s.perSource), len(s.shares))
	}
	greedy := newItemStore(1000)
	for i := range 3000 {
		value := []byte(fmt.Sprintf("i%de", i))
		greedy.put(0, ID{}, immutableTarget(value), &message{value: value}, askAddr.Addr())
	}
	if len(greedy.items) > itemsPerSource {
		t.Errorf("one address holds %d items", len(greedy.items))
	}
	greedy.expire(itemLife)
	if len(greedy.items)+len(greedy.perSource)+len(greedy.shares) != 0 {
		t.Errorf("%d items of %d sources after their time", len(greedy.items),
			len(greedy.perSource))
	}
}
