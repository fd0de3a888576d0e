package dht

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/int160"

	"swarmnode/metainfo/bencode"
)

// The small parts of the core, each alone: ids, addresses, rates, queries, turns,
// shares, and the scanner of messages.

// Our comparison of distances agrees with int160's.
func TestCompareDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sign := func(n int) int { return min(max(n, -1), 1) }
	for range 2000 {
		target, a := randomID(rng), randomID(rng)
		b := a
		b[rng.IntN(len(b))] ^= byte(rng.IntN(3)) // equal now and then
		want := int160.Distance(int160.FromByteArray(target), int160.FromByteArray(a)).Cmp(
			int160.Distance(int160.FromByteArray(target), int160.FromByteArray(b)))
		if got := sign(compareDistance(&target, &a, &b)); got != want {
			t.Fatalf("target %v: %v against %v is %d, want %d", target, a, b, got, want)
		}
		if compareDistance(&target, &a, &b) != -compareDistance(&target, &b, &a) {
			t.Fatalf("target %v: the order of %v and %v depends on who is first", target, a, b)
		}
	}
}

func TestCommonBits(t *testing.T) {
	for _, c := range []struct {
		a, b ID
		want int
	}{
		{ID{}, ID{}, 160},
		{ID{0x80}, ID{}, 0},
		{ID{0xff, 0x10}, ID{0xff, 0x18}, 12},
		{ID{19: 1}, ID{}, 159},
	} {
		if got := commonBits(&c.a, &c.b); got != c.want {
			t.Errorf("%v and %v share %d bits, want %d", c.a, c.b, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for depth := range 2 * idBits {
		own := randomID(rng)
		id := randomIDIn(rng, own, depth)
		if got, want := commonBits(&own, &id), min(depth, idBits-1); got != want {
			t.Errorf("an id for the bucket %d shares %d bits with our own", depth, got)
		}
	}
}

func TestParseID(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	id := randomID(rng)
	for _, s := range []string{id.String(), strings.ToUpper(id.String())} {
		if got, ok := ParseID(s); !ok || got != id {
			t.Errorf("%q is read as %v, %v", s, got, ok)
		}
	}
	for _, bad := range []string{"", "0", id.String()[:39], id.String() + "0",
		strings.Repeat("g", 40), strings.Repeat("ä", 20)} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

// TestAddresses classifies addresses: "l" local, "u" usable, and who counts as one
// network, source and owner.
func TestAddresses(t *testing.T) {
	for _, c := range []struct{ addr, class, network, source, owner string }{
		{"8.8.8.8:1", "u", "8.8.8.0/24", "8.8.8.8", "8.8.8.0/24"},
		{"8.8.8.8:0", "", "8.8.8.0/24", "8.8.8.8", "8.8.8.0/24"},
		{"0.1.2.3:1", "", "0.1.2.0/24", "0.1.2.3", "0.1.2.0/24"},
		{"224.0.0.1:1", "", "224.0.0.0/24", "224.0.0.1", "224.0.0.0/24"},
		{"240.0.0.1:1", "", "240.0.0.0/24", "240.0.0.1", "240.0.0.0/24"},
		{"255.255.255.255:1", "", "255.255.255.0/24", "255.255.255.255", "255.255.255.0/24"},
		{"10.1.2.3:1", "lu", "10.1.2.3/32", "10.1.2.3", "10.1.2.3/32"},
		{"127.0.0.1:1", "lu", "127.0.0.1/32", "127.0.0.1", "127.0.0.1/32"},
		{"169.254.1.1:1", "lu", "169.254.1.1/32", "169.254.1.1", "169.254.1.1/32"},
		{"[2001:db8:1:2:3::4]:1", "u", "2001:db8:1:2::/64", "2001:db8:1:2::", "2001:db8:1::/48"},
		{"[::]:1", "", "::/64", "::", "::/48"},
		{"[::1]:1", "lu", "::1/128", "::1", "::1/128"},
		{"[fe80::1]:1", "lu", "fe80::1/128", "fe80::1", "fe80::1/128"},
		{"[fd00::1]:1", "lu", "fd00::1/128", "fd00::1", "fd00::1/128"},
		{"[ff02::1]:1", "", "ff02::/64", "ff02::", "ff02::/48"},
		{"[::ffff:8.8.8.8]:1", "", "", "", ""}, // until cleanAddr has unmapped it
	} {
		addr := netip.MustParseAddrPort(c.addr)
		class := ""
		if isLocal(addr.Addr()) {
			class += "l"
		}
		if usable(addr) {
			class += "u"
		}
		if class != c.class {
			t.Errorf("%s is %q, want %q", c.addr, class, c.class)
		}
		if c.network == "" {
			continue
		}
		ip := addr.Addr()
		got := fmt.Sprint(network(addr), source(ip), owner(ip))
		if want := c.network + " " + c.source + " " + c.owner; got != want {
			t.Errorf("%s belongs to %s, want %s", c.addr, got, want)
		}
	}
	mapped := netip.MustParseAddrPort("[::ffff:8.8.8.8]:7")
	if got := cleanAddr(mapped).String(); got != "8.8.8.8:7" {
		t.Errorf("%v is cleaned to %s", mapped, got)
	}
	zoned := netip.MustParseAddrPort("[fe80::1%eth0]:7")
	if got := cleanAddr(zoned).String(); got != "[fe80::1]:7" {
		t.Errorf("%v is cleaned to %s", zoned, got)
	}
}

// A node of the public network cannot lead us into a local one, nor to nowhere.
func TestReachable(t *testing.T) {
	for _, c := range []struct {
		from, told string
		want       bool
	}{
		{"8.8.8.8:1", "9.9.9.9:1", true},
		{"8.8.8.8:1", "192.168.0.1:1", false},
		{"8.8.8.8:1", "127.0.0.1:1", false},
		{"8.8.8.8:1", "9.9.9.9:0", false},
		{"192.168.0.2:1", "192.168.0.1:1", true},
		{"127.0.0.1:1", "192.168.0.1:1", true},
		{"192.168.0.2:1", "9.9.9.9:1", true},
		{"192.168.0.2:1", "224.0.0.1:1", false},
	} {
		from, told := netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.told)
		if got := reachable(from, told); got != c.want {
			t.Errorf("%s from %s: reachable %v, want %v", c.told, c.from, got, c.want)
		}
	}
}

// A bucket starts full, holds no more than its burst, and fills at its rate.
func TestBucket(t *testing.T) {
	var b bucket
	now := clockStart
	take := func(n int) (taken int) {
		for range n {
			if b.take(now, 10, 5, 1) {
				taken++
			}
		}
		return taken
	}
	if n := take(9); n != 5 {
		t.Errorf("%d tokens at first, want the burst of 5", n)
	}
	now += 300 * time.Millisecond
	if n := take(9); n != 3 {
		t.Errorf("%d tokens after 300 ms at 10 a second, want 3", n)
	}
	now += time.Hour
	if n := take(9); n != 5 {
		t.Errorf("%d tokens after an hour, want the burst of 5", n)
	}
	if b.take(now, 10, 5, 6) {
		t.Error("more tokens than the burst")
	}
}

// A lane lets a burst pass and then its rate. A flood beyond that costs nothing: the
// next packet at the rate passes.
func TestLane(t *testing.T) {
	p := newPace(10, 5)
	var l lane
	now := clockStart
	for i := range 20 {
		if got, want := l.take(now, p), i < 5; got != want {
			t.Errorf("packet %d at once: %v, want %v", i, got, want)
		}
	}
	passed := 0
	for range 1000 { // 10 seconds of a flood
		now += 10 * time.Millisecond
		if l.take(now, p) {
			passed++
		}
	}
	if passed < 99 || passed > 101 {
		t.Errorf("%d packets of a flood passed in 10 s, want 100", passed)
	}
	if now += 100 * time.Millisecond; !l.take(now, p) {
		t.Error("the first packet after the flood is refused")
	}
	for _, c := range [][2]int{{1, 1}, {1 << 30, 1 << 30}, {1, math.MaxInt}} {
		if p := newPace(c[0], c[1]); p.interval <= 0 || p.burst <= 0 || p.burst > burstMax {
			t.Errorf("rate %d, burst %d: pace %+v", c[0], c[1], p)
		}
	}
}

// A source's rate does not depend on its ports, nor on addresses within its /64; ports
// of a local address are sources of their own.
func TestLimiterSources(t *testing.T) {
	for _, c := range []struct {
		why, format string
		want        int // of 100 packets at once, with a burst of 5
	}{
		{"ports of an address", "8.8.8.8:%d", 5},
		{"addresses of a /24", "8.8.8.%d:1", 100},
		{"addresses of a /64", "[2001:db8::%d]:1", 5},
		{"ports of a local address", "127.0.0.1:%d", 100},
	} {
		l := newLimiter(1, 5)
		passed := 0
		for i := range 100 {
			if l.allow(clockStart, netip.MustParseAddrPort(fmt.Sprintf(c.format, i+1))) {
				passed++
			}
		}
		if passed != c.want {
			t.Errorf("%s: %d packets passed, want %d", c.why, passed, c.want)
		}
	}
}

// Queries leave in the order of their timeouts, and match answers by transaction and
// address.
func TestQueries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	qs := newQueries()
	if qs.next() != forever || qs.due(forever-1) != nil {
		t.Error("no query has a timeout")
	}
	var all []*query
	for i := range 200 {
		q := &query{to: publicAddr(i), next: clockStart + instant(i*7919%200)}
		qs.add(q, rng)
		all = append(all, q)
	}
	for i, q := range all {
		tid := []byte{byte(q.tid >> 24), byte(q.tid >> 16), byte(q.tid >> 8), byte(q.tid)}
		if qs.match(tid, q.to) != q {
			t.Errorf("query %d is not matched", i)
		}
		if qs.match(tid, publicAddr(i+1)) != nil || qs.match(tid[:3], q.to) != nil ||
			qs.match(append(tid, 0), q.to) != nil {
			t.Errorf("query %d is matched by another answer", i)
		}
	}
	all[0].next = clockStart + 1000
	qs.fix(all[0])
	qs.remove(all[1])
	last, n := instant(0), 0
	for q := qs.due(forever - 1); q != nil; q = qs.due(forever - 1) {
		if q.next < last || q == all[1] {
			t.Fatalf("a query due at %v after one due at %v", q.next, last)
		}
		last, n = q.next, n+1
		qs.remove(q)
	}
	if n != 199 || len(qs.byTid) != 0 || last != clockStart+1000 {
		t.Errorf("%d queries, the last due at %v; %d left", n, last, len(qs.byTid))
	}
}

// Of many waiting lookups those that could ask nobody in the last turn come first.
func TestTurns(t *testing.T) {
	// The burst goes to the first lookup. Then each tick has budget for perTick queries.
	for perTick, want := range map[int]string{1: "[4 1 1 1 1 1]", 2: "[5 2 2 2 2 2]"} {
		got := queriesInTurns(t, perTick)
		if s := fmt.Sprint(got); s != want {
			t.Errorf("%d queries a tick: %s for each lookup, want %s", perTick, s, want)
		}
	}
}

// queriesInTurns starts six lookups that share a budget, and returns how many queries
// each has sent after six ticks.
func queriesInTurns(t *testing.T, perTick int) (queries []int) {
	limits := Limits{QueriesOut: 10 * perTick, QueriesOutBurst: 3}
	b := newBench(t, coreConfig{limits: limits})
	b.f.joining, b.f.upkeepAt = true, forever
	b.fill(40)
	var lookups []*lookup
	for i := range 6 {
		l := b.f.newLookup(b.now, &request{method: methodGetPeers, target: ID{byte(i * 40)}},
			lookupSink{})
		b.core.start(b.now, l)
		lookups = append(lookups, l)
	}
	if n := len(b.core.turns.queue); n != 6 {
		t.Fatalf("%d lookups wait, want 6", n)
	}
	for range 6 {
		b.now += budgetRetry + time.Nanosecond
		b.core.turns.tick(b.now)
	}
	for _, l := range lookups {
		queries = append(queries, l.asked)
		b.core.stop(l)
	}
	if n := len(b.core.turns.queue); n != 0 {
		t.Errorf("%d stopped lookups wait", n)
	}
	return queries
}

// A query to a local address costs no budget and waits for nobody's turn.
func TestTurnsOfLocalAddresses(t *testing.T) {
	l, waiting := &lookup{}, &lookup{}
	turns := turns{wake: forever}
	if !turns.mayAsk(l, askAddr) {
		t.Error("nobody waits, and yet a lookup has to")
	}
	turns.add(clockStart, waiting)
	turns.add(clockStart, waiting)
	if len(turns.queue) != 1 || turns.wake != clockStart+budgetRetry {
		t.Errorf("%d lookups wait until %v", len(turns.queue), turns.wake)
	}
	if turns.mayAsk(l, askAddr) {
		t.Error("a lookup asks before one that waits")
	}
	if !turns.mayAsk(l, netip.MustParseAddrPort("127.0.0.1:1")) {
		t.Error("a local address has to wait")
	}
}

// A full store evicts an entry of the owner with the most, the farthest of equals.
func TestVictim(t *testing.T) {
	self := ID{}
	for _, c := range []struct {
		why    string
		offers string // distance and share of each
		want   byte
	}{
		{"the only one", "a1", 'a'},
		{"the largest share", "a1 b3 c2", 'b'},
		{"a larger share though nearer", "c2 a3", 'a'},
		{"the farthest of equals", "a2 c2 b2", 'c'},
		{"a smaller share does not count", "a2 c1", 'a'},
	} {
		var v victim
		for offer := range strings.FieldsSeq(c.offers) {
			v.offer(&self, &ID{offer[0]}, int(offer[1]-'0'))
		}
		if v.target[0] != c.want {
			t.Errorf("%s: %q evicts %c, want %c", c.why, c.offers, v.target[0], c.want)
		}
	}
	var v victim
	for i := range evictSample {
		v.offer(&self, &ID{byte(i)}, 1)
	}
	if v.offer(&self, &ID{0xff}, 1); v.target[0] == 0xff {
		t.Error("more than a sample is compared")
	}
}

// Shares count an owner's entries, and forget owners without any.
func TestShares(t *testing.T) {
	s := make(shares)
	ip := netip.MustParseAddr
	a, b := s.take(ip("8.8.8.1")), s.take(ip("8.8.8.200"))
	c, d := s.take(ip("8.8.9.1")), s.take(ip("2001:db8:1:2::1"))
	e := s.take(ip("2001:db8:1:ffff::1"))
	if a != b || a.count != 2 || c == a || d != e || d.count != 2 || len(s) != 3 {
		t.Errorf("shares %v of three owners", s)
	}
	for _, share := range []*share{a, b, c, d, e} {
		s.drop(share)
	}
	if len(s) != 0 {
		t.Errorf("%d owners without an entry", len(s))
	}
}

// TestParseFields: a field of the wrong type or size counts as absent, and the rest of
// the message is read.
func TestParseFields(t *testing.T) {
	type msg = *message
	rep := strings.Repeat
	for _, c := range []struct {
		field string // of a body
		read  func(m msg) bool
		want  bool
	}{
		{"6:target20:" + string(someHash[:]), func(m msg) bool { return m.hasTarget }, true},
		{"6:target19:" + string(someHash[:19]), func(m msg) bool { return m.hasTarget }, false},
		{"6:targeti7e", func(m msg) bool { return m.hasTarget }, false},
		{"4:porti77e", func(m msg) bool { return m.hasPort && m.port == 77 }, true},
		{"4:port2:77", func(m msg) bool { return m.hasPort }, false},
		{"12:implied_porti1e", func(m msg) bool { return m.implied }, true},
		{"12:implied_porti0e", func(m msg) bool { return m.implied }, false},
		{"12:implied_portle", func(m msg) bool { return m.implied }, false},
		{"1:k32:" + rep("k", 32), func(m msg) bool { return len(m.key) == 32 }, true},
		{"1:k31:" + rep("k", 31), func(m msg) bool { return m.key != nil }, false},
		{"3:sig64:" + rep("s", 64), func(m msg) bool { return len(m.sig) == 64 }, true},
		{"3:sig63:" + rep("s", 63), func(m msg) bool { return m.sig != nil }, false},
		{"3:seqi-5e", func(m msg) bool { return m.hasSeq && m.seq == -5 }, true},
		{"3:seq1:5", func(m msg) bool { return m.hasSeq }, false},
		{"5:nodes26:" + rep("n", 26), func(m msg) bool { return len(m.nodes) == 26 }, true},
		{"5:nodes27:" + rep("n", 27), func(m msg) bool { return m.nodes != nil }, false},
		{"6:nodes638:" + rep("n", 38), func(m msg) bool { return len(m.nodes6) == 38 }, true},
		{"6:nodes626:" + rep("n", 26), func(m msg) bool { return m.nodes6 != nil }, false},
		{"6:valuesle", func(m msg) bool { return string(m.values) == "le" }, true},
		{"6:values6:abcdef", func(m msg) bool { return m.values != nil }, false},
		{"4:wantl2:n4e", func(m msg) bool { return m.wants4 && !m.wants6 }, true},
		{"4:wantl2:n62:x1e", func(m msg) bool { return m.wants6 && !m.wants4 }, true},
		{"7:samples40:" + rep("s", 40), func(m msg) bool { return len(m.samples) == 40 }, true},
		{"7:samples39:" + rep("s", 39), func(m msg) bool { return m.samples != nil }, false},
		{"4:BFsd256:" + rep("f", 256), func(m msg) bool { return len(m.seeds) == 256 }, true},
		{"4:BFsd255:" + rep("f", 255), func(m msg) bool { return m.seeds != nil }, false},
		{"1:vd1:ai1ee", func(m msg) bool { return string(m.value) == "d1:ai1ee" }, true},
		{"7:unknownd1:ai1ee", func(msg) bool { return true }, true},
	} {
		packet := "d1:ad2:id20:" + string(otherID[:]) + c.field + "e1:q4:ping1:t2:aa1:y1:qe"
		if c.field < "2:id" { // keys are sorted, though we do not insist
			packet = "d1:ad" + c.field + "2:id20:" + string(otherID[:]) + "e1:q4:ping1:t2:aa1:y1:qe"
		}
		var r bencode.Reader
		m := new(message)
		if err := m.parse(&r, []byte(packet)); err != nil {
			t.Errorf("%.30q: %v", c.field, err)
			continue
		}
		if got := c.read(m); got != c.want {
			t.Errorf("%.30q: read %v, want %v", c.field, got, c.want)
		}
		if !m.hasID || m.method != methodPing || len(m.tid) != 2 {
			t.Errorf("%.30q: id %v, method %d, transaction %q", c.field, m.hasID, m.method, m.tid)
		}
	}
}
