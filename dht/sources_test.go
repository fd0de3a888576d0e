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
)

// addr6 returns an address in 2001:db8:BLOCK::/48: in the /64 of that number, on the
// host of that number.
func addr6(block, subnet, host int) netip.AddrPort {
	b := [16]byte{0x20, 1, 0x0d, 0xb8}
	binary.BigEndian.PutUint16(b[4:], uint16(block))
	binary.BigEndian.PutUint16(b[6:], uint16(subnet))
	binary.BigEndian.PutUint32(b[12:], uint32(host))
	return netip.AddrPortFrom(netip.AddrFrom16(b), 6881)
}

func newBench6(t testing.TB, limits Limits) *bench {
	b := newBench(t, coreConfig{limits: limits})
	b.f = b.core.addFamily(b.now, v6, ID{1})
	return b
}

// pingAs returns a ping of the node id.
func pingAs(id ID) string {
	return strings.Replace(queryPacket("ping", ""), string(otherID[:]), string(id[:]), 1)
}

// announcing returns an announce_peer of id with a token.
func announcing(id ID, token []byte) string {
	return queryPacket("announce_peer", fmt.Sprintf("12:implied_porti1e%s5:token%d:%s",
		target("info_hash", id), len(token), token))
}

// pingsSent counts our own queries among the sent packets.
func (b *bench) pingsSent() (n int) {
	for _, p := range b.sent {
		if bytes.HasSuffix(p.data, []byte("1:y1:qe")) {
			n++
		}
	}
	return n
}

// meet makes the node id at addr a contact.
func (b *bench) meet(id ID, addr netip.AddrPort) {
	b.t.Helper()
	if added, _ := b.f.table.answered(b.now, id, addr, time.Millisecond); !added {
		b.t.Fatalf("%v is not taken in", addr)
	}
}

// check compares the counts of the store with its entries.
func (s *peerStore) check(t testing.TB) {
	t.Helper()
	sources, alone := make(map[netip.Addr]int), make(map[netip.Prefix]int)
	for target, swarm := range s.swarms {
		mine, owners := make(map[netip.Addr]bool), make(map[netip.Prefix]bool)
		for _, p := range swarm.peers {
			mine[source(p.addr.Addr())] = true
			owners[owner(p.addr.Addr())] = true
		}
		for src := range mine {
			if !isLocal(src) {
				sources[src]++
			}
		}
		if len(owners) == 1 {
			for own := range owners {
				alone[own]++
			}
		}
		if (swarm.alone != nil) != (len(owners) == 1) {
			t.Fatalf("%v has peers of %d owners, share %v", target, len(owners), swarm.alone)
		}
	}
	if len(sources) != len(s.perSource) || len(alone) != len(s.alone) {
		t.Fatalf("%d sources and %d owners, counted as %d and %d",
			len(sources), len(alone), len(s.perSource), len(s.alone))
	}
	for src, n := range sources {
		if s.perSource[src] != n {
			t.Fatalf("%v has %d info-hashes, counted as %d", src, n, s.perSource[src])
		}
	}
	for own, n := range alone {
		if s.alone[own] == nil || s.alone[own].count != n {
			t.Fatalf("%v keeps %d info-hashes alone, counted as %+v", own, n, s.alone[own])
		}
	}
}

// TestForgedPings: 700 pings with the forged address of a node, 42 KB, use up that node's
// answers for as long as the pings come, and no longer.
func TestForgedPings(t *testing.T) {
	for _, addr := range []netip.AddrPort{askAddr, addr6(1, 0, 1)} {
		b := newBench6(t, Limits{})
		for range 700 {
			b.now += time.Millisecond
			b.ask(addr, queryPacket("ping", ""))
		}
		b.now += 100 * time.Millisecond
		if b.ask(addr, queryPacket("ping", "")) == nil {
			t.Errorf("%v has no answer a tenth of a second after the last forged ping", addr)
		}
	}
}

// TestForgedFlood: during a flood with forged addresses, the true contacts at these
// addresses are answered, and senders with a valid token can announce.
func TestForgedFlood(t *testing.T) {
	b := newBench(t, coreConfig{})
	contact, peer := publicAddr(1), publicAddr(2)
	id := randomID(b.core.rng)
	b.meet(id, contact)
	token := b.tokenFor(peer, someHash)
	put := immutableTarget([]byte("3:abc"))
	putToken := string(parsed(t, b.ask(peer, queryPacket("get", target("target", put)))).token)
	for range 5000 {
		b.now += time.Millisecond
		b.ask(contact, queryPacket("ping", "")) // under another id
		b.ask(peer, queryPacket("ping", ""))
	}
	if b.ask(peer, queryPacket("ping", "")) != nil {
		t.Error("the flood is within the limits")
	}
	for range 20 {
		if b.ask(contact, pingAs(id)) == nil {
			t.Fatal("a contact is silenced by a flood under its address")
		}
	}
	for _, packet := range []string{
		announcing(someHash, []byte(token)),
		queryPacket("put", "5:token8:"+putToken+"1:v3:abc"),
	} {
		if got := b.ask(peer, packet); got == nil || parsed(t, got).errCode != 0 {
			t.Errorf("%.200q: answer %q", packet, got)
		}
	}
	if got := b.ask(peer, announcing(someHash, []byte("abcdefgh"))); got != nil {
		t.Error("an invented token has its way")
	}
}

// TestForgedCrowd: a flood from ever new addresses uses up neither the answers of
// contacts, nor the rates of honest newcomers.
func TestForgedCrowd(t *testing.T) {
	b := newBench(t, coreConfig{limits: Limits{ReplyBytes: 8 << 10}})
	id := randomID(b.core.rng)
	b.meet(id, publicAddr(1))
	allowed := 0
	for i := range 4 * sourcesMax {
		b.now += time.Second / 4000
		b.ask(publicAddr(1000+i), queryPacket("ping", ""))
		if i%100 == 0 && b.ask(publicAddr(1), pingAs(id)) == nil {
			t.Fatal("a contact is not answered")
		}
		if i >= 2*sourcesMax && i%400 == 0 && b.core.limiter.allow(b.now, publicAddr(500+i/400)) {
			allowed++
		}
	}
	if b.core.stats.Throttled == 0 || len(b.core.limiter.sources) > sourcesMax {
		t.Errorf("%d answers were not sent, %d sources remembered",
			b.core.stats.Throttled, len(b.core.limiter.sources))
	}
	if tried := 2 * sourcesMax / 400; allowed < tried {
		t.Errorf("%d of %d honest newcomers are within the limits", allowed, tried)
	}
}

// TestOneSubnetIsOneSource: queries from ever new addresses of one /64 share one rate.
func TestOneSubnetIsOneSource(t *testing.T) {
	b := newBench6(t, Limits{})
	answers, pings := 0, 0
	for i := range 20_000 {
		b.now += 3 * time.Millisecond // a minute in all
		if b.ask(addr6(6, 6, i), pingAs(randomID(b.core.rng))) != nil {
			answers++
		}
		pings += b.pingsSent()
	}
	if answers > 50+10*61 {
		t.Errorf("%d answers in a minute, want at most 50 and 10 a second", answers)
	}
	if pings > pingbacksPerSource {
		t.Errorf("%d pings in a minute, at most %d", pings, pingbacksPerSource)
	}
	b.core.pings.expire(b.now)
	honest := addr6(7, 7, 7)
	if b.ask(honest, pingAs(randomID(b.core.rng))) == nil || b.pingsSent() != 1 {
		t.Error("a newcomer of another network is not answered and asked back")
	}
}

// TestPingbackOfOwner: one /48, or all ports of one address, get a part of the pings and
// leave the rest to other nodes.
func TestPingbackOfOwner(t *testing.T) {
	const part = pingbackBurst/10 + pingbackRate/10*10 + 1 // of an owner in ten seconds
	tests := []struct {
		name string
		from func(i int) netip.AddrPort
		most int
	}{
		{"a /48", func(i int) netip.AddrPort { return addr6(6, i, i) }, part},
		{"a /24", func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{28, 1, 1, byte(i)}), uint16(i+1))
		}, part},
		{"an address", portOf, pingbacksPerSource},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, now, n := newPingback(), clockStart, 0
			for i := range 10_000 {
				now += time.Millisecond
				if p.allow(now, test.from(i)) {
					n++
				}
			}
			if n > test.most || n == 0 {
				t.Errorf("%d pings in ten seconds, at most %d", n, test.most)
			}
			if !p.allow(now, addr6(7, 7, 7)) || !p.allow(now, publicAddr(7)) {
				t.Error("others are not asked")
			}
		})
	}
}

// portOf returns a port of one IPv4 address.
func portOf(i int) netip.AddrPort { return netip.AddrPortFrom(askAddr.Addr(), uint16(i+1)) }

// floods are ways to fill a store from one place. Honest entries must outlive them.
var floods = []struct {
	name string
	from func(i int) netip.AddrPort
}{
	{"a /64", func(i int) netip.AddrPort { return addr6(6, 6, i) }},
	{"a /48", func(i int) netip.AddrPort { return addr6(6, i, i) }},
	{"a /56", func(i int) netip.AddrPort { return addr6(6, 0x4200|i&0xff, i) }},
	{"an IPv4 address", portOf},
	{"a /24", func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{28, 2, 2, byte(i)}), uint16(i+1))
	}},
}

// beside returns a target that is nearer to self than nearly all other targets.
func beside(self ID, rng *rand.Rand) ID {
	id := randomID(rng)
	copy(id[:4], self[:])
	return id
}

// TestHonestPeersStay: a store is full of peers that honest nodes announced. A flood from
// one place, at the info-hashes nearest to us, drives out at most one of them, and an
// honest newcomer finds room.
func TestHonestPeersStay(t *testing.T) {
	const hashes = 200
	for _, flood := range floods {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full %v", flood.name, full), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(5, 6))
				self := randomID(rng)
				s := newPeerStore(hashes, 20)
				honest := []ID{randomIDIn(rng, self, 0)}
				s.add(0, self, honest[0], addr6(1, 1, 1), false, rng)
				for i := 1; full && i < hashes; i++ {
					honest = append(honest, randomID(rng))
					s.add(0, self, honest[i], addr6(1+i, i, 1), false, rng)
				}
				for i := range 20 * hashes {
					s.add(0, self, beside(self, rng), flood.from(i), false, rng)
				}
				s.check(t)
				kept := 0
				for _, target := range honest {
					if len(s.of(target)) > 0 {
						kept++
					}
				}
				if kept < len(honest)-1 || !full && kept < 1 {
					t.Errorf("%d of %d info-hashes are left", kept, len(honest))
				}
				late := randomIDIn(rng, self, 0)
				if !s.add(0, self, late, addr6(900, 1, 1), false, rng) || len(s.of(late)) != 1 {
					t.Error("an honest newcomer finds no room")
				}
				for i := range hashes {
					s.add(0, self, beside(self, rng), flood.from(i), false, rng)
				}
				if len(s.of(late)) != 1 {
					t.Error("the newcomer was driven out")
				}
			})
		}
	}
}

// TestHonestPeerOfOneHash: the same within one info-hash.
func TestHonestPeerOfOneHash(t *testing.T) {
	const most = 20
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			s := newPeerStore(200, most)
			kept := func() (n int) {
				for _, p := range s.of(someHash) {
					if owner(p.addr.Addr()) != owner(flood.from(0).Addr()) {
						n++
					}
				}
				return n
			}
			for i := range most {
				s.add(0, ID{}, someHash, addr6(100+i, 1, 1), false, rng)
			}
			for i := range 100 * most {
				s.add(0, ID{}, someHash, flood.from(i), false, rng)
			}
			s.check(t)
			if n := kept(); n < most-1 || len(s.of(someHash)) > most {
				t.Errorf("%d of %d honest peers are left, %d peers in all", n, most,
					len(s.of(someHash)))
			}
		})
	}
}

// TestHonestItemsStay: the same for items.
func TestHonestItemsStay(t *testing.T) {
	const items = 200
	for _, flood := range floods {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full %v", flood.name, full), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(5, 6))
				self, s := randomID(rng), newItemStore(items)
				put := func(i int, target ID, from netip.AddrPort) *krpcError {
					value := fmt.Appendf(nil, "i%de", i)
					return s.put(0, self, target, &message{value: value}, from.Addr())
				}
				honest := []ID{randomIDIn(rng, self, 0)}
				put(0, honest[0], addr6(1, 1, 1))
				for i := 1; full && i < items; i++ {
					honest = append(honest, randomID(rng))
					put(i, honest[i], addr6(1+i, i, 1))
				}
				for i := range 20 * items {
					put(i, beside(self, rng), flood.from(i))
				}
				kept := 0
				for _, target := range honest {
					if s.get(0, target) != nil {
						kept++
					}
				}
				if kept < len(honest)-1 || !full && kept < 1 {
					t.Errorf("%d of %d items are left", kept, len(honest))
				}
				late := randomIDIn(rng, self, 0)
				if e := put(1, late, addr6(900, 1, 1)); e != nil {
					t.Errorf("an honest newcomer is refused: %v", e)
				}
				for i := range items {
					put(i, beside(self, rng), flood.from(i))
				}
				if s.get(0, late) == nil || len(s.items) > items {
					t.Errorf("the newcomer was driven out, or %d items are too many", len(s.items))
				}
			})
		}
	}
}

// TestDrivenOut goes the whole way: 18 seconds of announces and puts with good
// tokens from one /64, near our id, against a peer and an item at default limits.
func TestDrivenOut(t *testing.T) {
	b := newBench6(t, Limits{ReplyBytes: 16 << 20})
	honest, value := addr6(1, 1, 1), "5:valid"
	b.announce(honest, someHash, "i1e")
	at := immutableTarget([]byte(value))
	token := parsed(t, b.ask(honest, queryPacket("get", target("target", at)))).token
	b.ask(honest, queryPacket("put", fmt.Sprintf("5:token8:%s1:v%s", token, value)))
	stored := func() (peers, items int) {
		if b.core.items.get(b.now, at) != nil {
			items = 1
		}
		return len(b.f.peers.of(someHash)), items
	}
	if peers, items := stored(); peers != 1 || items != 1 {
		t.Fatalf("%d peers and %d items at first", peers, items)
	}
	for i := range 9000 {
		b.now += 2 * time.Millisecond
		from := addr6(6, 6, i)
		near := beside(b.f.id, b.core.rng)
		// The token is made here: the limiter would not let the flood fetch one.
		token := b.core.tokens.make(from.Addr(), near)
		b.ask(from, announcing(near, token[:]))
		junk := fmt.Appendf(nil, "i%de", i)
		token = b.core.tokens.make(from.Addr(), immutableTarget(junk))
		b.ask(from, queryPacket("put", fmt.Sprintf("5:token8:%s1:v%s", token[:], junk)))
	}
	if peers, items := stored(); peers != 1 || items != 1 {
		t.Errorf("%d peers and %d items are left of one each", peers, items)
	}
	if n := len(b.f.peers.swarms); n > hashesPerSource+1 {
		t.Errorf("the /64 holds %d info-hashes, at most %d", n-1, hashesPerSource)
	}
	if n := len(b.core.items.items); n > itemsPerSource+1 {
		t.Errorf("the /64 holds %d items, at most %d", n-1, itemsPerSource)
	}
}

// TestSpares: the spares of a bucket are of distinct networks, so that one network cannot
// take all their places.
func TestSpares(t *testing.T) {
	for _, flood := range floods[:1] {
		rng := rand.New(rand.NewPCG(1, 1))
		tab := newTable(randomID(rng), false, false)
		for i := range k {
			tab.answered(clockStart, idAt(rng, tab.self, narrow), addr6(100+i, 1, 1),
				time.Millisecond)
		}
		tab.answered(clockStart, idAt(rng, tab.self, narrow+1), addr6(150, 1, 1), time.Millisecond)
		tab.answered(clockStart, idAt(rng, tab.self, narrow), addr6(1, 1, 1), time.Millisecond)
		for i := range 100 {
			tab.answered(clockStart, idAt(rng, tab.self, narrow), flood.from(i), time.Millisecond)
		}
		spares := tab.buckets[narrow].spares
		if len(spares) != 2 || spares[0].addr() != addr6(1, 1, 1) {
			t.Errorf("%d nodes wait, the first is %v", len(spares), spares[0].addr())
		}
	}
}

// TestCrowdedBucket: one /48 may fill a bucket. Each newcomer of another owner is pinged
// and takes one of the /48's places, but the /48 takes none of the newcomers'.
func TestCrowdedBucket(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tab := newTable(randomID(rng), false, false)
	come := func(addr netip.AddrPort) bool {
		id := idAt(rng, tab.self, narrow)
		if !tab.wants(clockStart, &id, addr) {
			return false
		}
		added, _ := tab.answered(clockStart, id, addr, time.Millisecond)
		return added
	}
	for i := range k {
		come(addr6(6, i, 1))
	}
	tab.answered(clockStart, idAt(rng, tab.self, narrow+1), addr6(150, 1, 1), time.Millisecond)
	for i := range 2 * k {
		come(addr6(6, 100+i, 1)) // they wait
	}
	for i := range k {
		if last := i == k-1; come(addr6(7+i, 1, 1)) == last {
			t.Errorf("newcomer %d of an owner of its own: taken in is %v", i, !last)
		}
	}
	for i := range 2 * k {
		if come(addr6(6, 200+i, 1)) {
			t.Error("one of the /48 took a place back")
		}
	}
	if n := len(tab.buckets[narrow].contacts); n != k {
		t.Errorf("%d contacts", n)
	}
}

// TestValuesOfOneSource: of the peers in an answer a few of each source count, so that a
// liar cannot list many addresses of one host.
func TestValuesOfOneSource(t *testing.T) {
	b := newBench6(t, Limits{})
	var values []byte
	for i := range 40 {
		values = append(append(values, "18:"...), appendAddr(nil, addr6(6, 6, i))...)
	}
	values = append(append(values, "18:"...), appendAddr(nil, addr6(7, 7, 7))...)
	answer := fmt.Appendf(nil, "d1:rd2:id20:%s6:valuesl%see1:t4:abcd1:y1:re", otherID[:], values)
	m := parsed(t, answer)
	peers := newFound()
	peers.onAnswer(b.now, addr6(1, 1, 1), m)
	got := peers.take()
	if len(got) != peersPerSource+1 || got[len(got)-1] != addr6(7, 7, 7) {
		t.Errorf("%d peers, the last is %v", len(got), got[len(got)-1])
	}
}
