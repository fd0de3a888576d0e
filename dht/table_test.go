package dht

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// idAt returns an id that shares exactly depth leading bits with self.
func idAt(rng *rand.Rand, self ID, depth int) ID { return randomIDIn(rng, self, depth) }

// narrow is the depth of the first bucket of k places.
const narrow = wideDepth

func TestTableSplitsAroundOurselves(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	self := randomID(rng)
	tab := newTable(self, false, false)
	for i := range 3000 {
		tab.answered(clockStart, randomID(rng), publicAddr(i), time.Millisecond)
	}
	total := 0
	for depth := range tab.buckets {
		b := &tab.buckets[depth]
		if len(b.contacts) > tab.size(depth) || len(b.spares) > k {
			t.Errorf("bucket %d has %d contacts and %d spares", depth, len(b.contacts),
				len(b.spares))
		}
		total += len(b.contacts)
		for _, c := range b.contacts {
			shared := commonBits(&self, &c.id)
			if shared < depth || shared > depth && depth < len(tab.buckets)-1 {
				t.Errorf("contact with %d leading bits in bucket %d", shared, depth)
			}
		}
	}
	if total != tab.count || len(tab.buckets) < 7 {
		t.Errorf("count %d, %d contacts in %d buckets", tab.count, total, len(tab.buckets))
	}
}

// TestTableReplacement walks a full bucket through the rules of BEP 5: good
// contacts stay, the least recently seen questionable one is probed first, a
// bad one gives way.
func TestTableReplacement(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	self := randomID(rng)
	tab := newTable(self, false, false)
	now := clockStart
	for i := range k {
		tab.answered(now, idAt(rng, self, narrow), publicAddr(i), time.Millisecond)
		now += time.Second
	}
	tab.answered(now, idAt(rng, self, narrow+1), publicAddr(50), time.Millisecond) // splits
	newcomer := func(i int) (bool, netip.AddrPort) {
		return tab.answered(now, idAt(rng, self, narrow), publicAddr(i), time.Millisecond)
	}
	if added, probe := newcomer(100); added || probe.IsValid() {
		t.Errorf("all good: added %v, probe %v", added, probe)
	}
	now += goodTime - 2*time.Second // the first few are questionable now
	added, probe := newcomer(101)
	if added || probe != publicAddr(0) {
		t.Errorf("questionable: added %v, probe %v, want %v", added, probe, publicAddr(0))
	}
	if _, probe := newcomer(102); probe == publicAddr(0) {
		t.Error("probed again at once")
	}
	tab.failed(publicAddr(0), true)
	if tab.count != k+1 {
		t.Errorf("one failure: %d contacts, want %d", tab.count, k+1)
	}
	tab.failed(publicAddr(0), true)
	found := false
	for _, c := range tab.buckets[narrow].contacts {
		if c.addr() == publicAddr(0) {
			t.Error("bad contact still there")
		}
		found = found || c.addr() == publicAddr(102)
	}
	if !found || tab.count != k+1 {
		t.Errorf("the last heard spare has not taken its place; %d contacts", tab.count)
	}
}

// TestTableOffline: when nobody answers, the contacts are kept.
func TestTableOffline(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tab := newTable(randomID(rng), false, false)
	tab.answered(clockStart, randomID(rng), publicAddr(1), time.Millisecond)
	for range 300 {
		tab.failed(publicAddr(1), false)
	}
	if tab.count != 1 || tab.alive() != 0 {
		t.Fatalf("%d contacts, %d alive; want 1, 0", tab.count, tab.alive())
	}
	tab.failed(publicAddr(1), true)
	if tab.count != 0 {
		t.Error("a bad contact stays though others answer")
	}
}

// TestTableSecure: BEP 42. In a full bucket an id that fits its address takes
// the place of one that does not; with enforcement the latter never enters.
func TestTableSecure(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	self := randomID(rng)
	tab := newTable(self, false, false)
	for i := range k {
		tab.answered(clockStart, idAt(rng, self, narrow), publicAddr(i), time.Millisecond)
	}
	tab.answered(clockStart, idAt(rng, self, narrow+1), publicAddr(50), time.Millisecond)
	addr, id := publicAddr(60), ID{}
	for i := 60; commonBits(&self, &id) != narrow; i++ {
		addr = publicAddr(i)
		id = secureID(rng, addr.Addr())
	}
	if added, _ := tab.answered(clockStart, id, addr, time.Millisecond); !added {
		t.Error("a secure id found no place")
	}
	strict := newTable(self, false, true)
	bad := id
	bad[0] ^= 1
	strict.answered(clockStart, bad, addr, time.Millisecond)
	if strict.count != 0 || strict.wants(clockStart, &bad, addr) {
		t.Error("enforcement let an id in that breaks BEP 42")
	}
	strict.answered(clockStart, id, addr, time.Millisecond)
	if strict.count != 1 {
		t.Error("enforcement refused a sound id")
	}
}

// TestTableLocal: any number of nodes may share a local address.
func TestTableLocal(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fe80::1",
		"fd00::1"} {
		rng := rand.New(rand.NewPCG(1, 1))
		tab := newTable(randomID(rng), false, false)
		for i := range 20 {
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), uint16(i+1))
			tab.answered(clockStart, randomID(rng), addr, time.Millisecond)
		}
		if tab.count < 15 {
			t.Errorf("%s: %d contacts of 20", host, tab.count)
		}
	}
}

// TestTableRestart: a node that comes back with another id on its address
// replaces what it was.
func TestTableRestart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tab := newTable(randomID(rng), false, false)
	local := netip.MustParseAddrPort("127.0.0.1:5")
	tab.answered(clockStart, randomID(rng), local, time.Millisecond)
	id := randomID(rng)
	tab.answered(clockStart, id, local, time.Millisecond)
	if tab.count != 1 || tab.find(&id, local) == nil {
		t.Errorf("%d contacts", tab.count)
	}
}

// TestSecureVectors are those of BEP 42: address, random byte, id.
func TestSecureVectors(t *testing.T) {
	vectors := []struct {
		ip     string
		prefix [3]byte
		last   byte
	}{
		{"124.31.75.21", [3]byte{0x5f, 0xbf, 0xb8}, 1},
		{"21.75.31.124", [3]byte{0x5a, 0x3c, 0xe8}, 86},
		{"65.23.51.170", [3]byte{0xa5, 0xd4, 0x30}, 22},
		{"84.124.73.14", [3]byte{0x1b, 0x03, 0x20}, 65},
		{"43.213.53.83", [3]byte{0xe5, 0x6f, 0x68}, 90},
	}
	for _, v := range vectors {
		ip := netip.MustParseAddr(v.ip)
		id := ID{v.prefix[0], v.prefix[1], v.prefix[2], 19: v.last}
		if !isSecure(id, ip) {
			t.Errorf("%s: the id of the vector does not fit", v.ip)
		}
		id[1] ^= 1
		if isSecure(id, ip) {
			t.Errorf("%s: another id fits", v.ip)
		}
		if isSecure(id, netip.MustParseAddr("127.0.0.1")) != true {
			t.Error("a local address binds its ids")
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, ip := range []string{"8.8.8.8", "2001:db8:1:2::3"} {
		if a := netip.MustParseAddr(ip); !isSecure(secureID(rng, a), a) {
			t.Errorf("%s: our own id does not fit", ip)
		}
	}
}

// TestVote: several networks must agree, a majority of those heard; one that
// shouts has one vote.
func TestVote(t *testing.T) {
	mine := netip.MustParseAddrPort("91.1.2.3:1000")
	lie := netip.MustParseAddrPort("92.6.6.6:1000")
	var v vote
	for range 100 {
		if v.cast(publicAddr(1), lie).IsValid() {
			t.Fatal("one network decided alone")
		}
	}
	var won netip.AddrPort
	for i := range votesNeeded {
		won = v.cast(publicAddr(2+i), mine)
	}
	if won != mine {
		t.Errorf("won %v, want %v", won, mine)
	}
	for i := range votersMax + 5 {
		v.cast(publicAddr(100+i), netip.AddrPortFrom(mine.Addr(), uint16(i+1)))
	}
	if got := v.cast(publicAddr(300), mine); got != netip.AddrPortFrom(mine.Addr(), 0) {
		t.Errorf("ports differ: %v, want port 0", got)
	}
	if len(v.ballots) > votersMax {
		t.Errorf("%d ballots", len(v.ballots))
	}
}

// TestRenew: when the vote settles, the id comes to fit the address, once, and
// the contacts are kept.
func TestRenew(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(20)
	before := b.f.id
	ext := netip.MustParseAddrPort("91.1.2.3:1000")
	for i := range votesNeeded {
		b.sent = nil
		b.core.ping(b.now, publicAddr(500+i))
		tid := parsed(t, b.sent[0].data).tid
		packet := "d2:ip6:" + string(appendAddr(nil, ext)) + "1:rd2:id20:" + string(otherID[:18]) +
			string(rune('a'+i)) + "xe1:t4:" + string(tid) + "1:y1:re"
		b.core.receive(b.now, publicAddr(500+i), []byte(packet))
	}
	if b.f.external != ext || b.f.id == before || !isSecure(b.f.id, ext.Addr()) {
		t.Fatalf("external %v, id %v", b.f.external, b.f.id)
	}
	if b.f.table.self != b.f.id || b.f.table.count < 15 {
		t.Errorf("table around %v with %d contacts", b.f.table.self, b.f.table.count)
	}
	if b.f.joinAt != b.now {
		t.Error("the new place is not looked up at once")
	}
}

// TestLimits: budget of packets and of distinct addresses.
func TestBudget(t *testing.T) {
	b := newBudget(100, 50, 20)
	count := func(from, n int) (sent int) {
		for i := range n {
			if b.take(clockStart, publicAddr(from+i)) {
				sent++
			}
		}
		return sent
	}
	if n := count(0, 100); n != 20 {
		t.Errorf("%d addresses in a minute, want 20", n)
	}
	if n := count(0, 20); n != 20 {
		t.Errorf("known addresses: %d packets, want 20", n)
	}
	if n := count(0, 20); n != 10 {
		t.Errorf("burst: %d packets, want the 10 that are left", n)
	}
	if !b.take(clockStart+newAddrsPeriod, publicAddr(900)) {
		t.Error("no new address after a minute")
	}
	if !b.take(clockStart, netip.MustParseAddrPort("127.0.0.1:1")) {
		t.Error("local addresses cost budget")
	}
}
