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

// TestTableReplacement walks a full bucket through the rules of BEP 5: good contacts
// stay, the least recently seen questionable one is probed first, and a bad one is
// replaced.
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

// TestTableRestart: a node that restarts with another id at its address replaces its old
// contact.
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

// TestRenew: once enough networks agree on our address, the id changes to fit it, and the
// contacts are kept.
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
	if own := b.f.votes.Elected(); own != ext || b.f.id == before || !isSecure(b.f.id, ext.Addr()) {
		t.Fatalf("external %v, id %v", own, b.f.id)
	}
	if b.f.table.self != b.f.id || b.f.table.count < 15 {
		t.Errorf("table around %v with %d contacts", b.f.table.self, b.f.table.count)
	}
	if b.f.joinAt != b.now {
		t.Error("the new place is not looked up at once")
	}
}

// TestBudget: the budget bounds packets and distinct addresses.
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
