package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

func numbered(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i >> 16), byte(i >> 8), byte(i)}),
		6881)
}

// told adds an address.
func told(b *book, addr netip.AddrPort, source Source) *entry {
	e, _ := b.add(rumour{endpoint: endpoint.IP(addr), source: source, sources: 1 << source},
		func(int) int {
			return 0
		})
	return e
}

// TestBookBounds: no source can drown the others, and what the user named
// stays.
func TestBookBounds(t *testing.T) {
	b := newBook(nil)
	user := numbered(1 << 20)
	told(&b, user, SourceUser)
	for i := range 2000 {
		told(&b, numbered(i), SourcePEX)
	}
	if n := b.perSource[SourcePEX]; n != perSourceMax {
		t.Errorf("%d addresses of one source, want %d", n, perSourceMax)
	}
	for s := range sourceCount {
		for i := range 1000 {
			told(&b, numbered(20_000+1000*int(s)+i), s)
		}
	}
	if len(b.list) > addressesMax {
		t.Errorf("%d addresses, want at most %d", len(b.list), addressesMax)
	}
	if b.byEndpoint[endpoint.IP(user)] == nil {
		t.Error("what the user named was forgotten")
	}
	b.check()
}

// TestFloodKeepsProvenAddresses: addresses at which peers were met are not driven
// out by any number of others, and of those as many are kept as fit.
func TestFloodKeepsProvenAddresses(t *testing.T) {
	b := newBook(nil)
	for i := range 100 {
		told(&b, numbered(i), SourceDHT)
		b.connected(endpoint.IP(numbered(i)), PeerRef(i+1), true, 0)
		b.setState(b.byEndpoint[endpoint.IP(numbered(i))], entryIdle)
	}
	for s := range sourceCount {
		for i := range 800 {
			told(&b, numbered(10_000+800*int(s)+i), s)
		}
	}
	for i := range 100 {
		if b.byEndpoint[endpoint.IP(numbered(i))] == nil {
			t.Fatalf("the proven address %d was driven out", i)
		}
	}
	b.check()
	// Those that are proven have a bound of their own: the worst goes.
	b = newBook(nil)
	for i := range provenMax + 50 {
		told(&b, numbered(i), Source(i%int(sourceCount)))
		e := b.byEndpoint[endpoint.IP(numbered(i))]
		b.prove(e, true)
		e.met = time.Duration(i)
	}
	b.check()
	if b.proven > provenMax {
		t.Errorf("%d proven addresses, want at most %d", b.proven, provenMax)
	}
	for i := provenMax; i < provenMax+50; i++ {
		if b.byEndpoint[endpoint.IP(numbered(i))] == nil {
			t.Fatalf("the address proven last, %d, was driven out", i)
		}
	}
}

// TestOneTeller: what one peer names by peer exchange takes no place from what
// others name.
func TestOneTeller(t *testing.T) {
	b := newBook(nil)
	tell := func(teller string, i int) {
		b.add(rumour{endpoint.IP(numbered(i)), SourcePEX, 1 << SourcePEX,
			netip.MustParseAddr(teller)},
			func(n int) int { return 0 })
	}
	for i := range 50 {
		tell("30.200.0.1", i)
	}
	for i := range 1000 {
		tell("30.200.0.2", 1000+i)
	}
	for i := range 50 {
		if b.byEndpoint[endpoint.IP(numbered(i))] == nil {
			t.Fatalf("address %d of an honest peer was driven out", i)
		}
	}
	if n := b.tellers[netip.MustParseAddr("30.200.0.2")]; n != perTellerMax {
		t.Errorf("%d addresses of one teller, want %d", n, perTellerMax)
	}
	b.check()
}

// TestOneHost: one IP address with a thousand ports is a few addresses, and is
// left alone for long when nobody is met there.
func TestOneHost(t *testing.T) {
	b := newBook(nil)
	at := func(port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("30.0.0.9"), uint16(port))
	}
	victim := at(0).Addr()
	name := func(from int) {
		for i := range 1000 {
			told(&b, at(from+i), SourcePEX)
		}
	}
	name(1)
	if len(b.list) != perHostMax {
		t.Errorf("%d addresses of one host, want %d", len(b.list), perHostMax)
	}
	b.setState(b.list[0], entryDialling)
	if b.host(victim).rests() != never {
		t.Error("two addresses of one host may be dialled at a time")
	}
	b.setState(b.list[0], entryIdle)
	for i := range fruitlessMax {
		want := time.Duration(0)
		if i > 0 {
			want = hostAgain << (i - 1)
		}
		if got := b.host(victim).rests(); got != want {
			t.Errorf("after %d failures the host rests until %v, want %v", i, got, want)
		}
		b.failed(b.list[0], 0, 0)
	}
	if b.host(victim).rests() != hostRest {
		t.Errorf("the host rests until %v, want %v", b.host(victim).rests(), hostRest)
	}
	for len(b.list) > 0 { // forgotten and named anew, it rests
		b.forget(b.list[0])
	}
	name(2000)
	if b.host(victim).rests() != hostRest {
		t.Error("a host that is named anew rests no longer")
	}
	told(&b, at(7), SourceUser)
	if b.byEndpoint[endpoint.IP(at(7))] == nil {
		t.Error("what the user names was refused")
	}
	b.connected(endpoint.IP(at(7)), 1, true, 0)
	if b.host(victim).rests() != 0 {
		t.Error("a host that was reached rests")
	}
	b.check()
	for i := range addressesMax + restingMax + 500 { // what rests is bounded, too
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{40, byte(i >> 16), byte(i >> 8), byte(i)}),
			1)
		if e := told(&b, a, SourceDHT); e != nil {
			b.failed(e, 0, 0)
			b.forget(e)
		}
	}
	b.check()
}

func TestUsable(t *testing.T) {
	for addr, want := range map[string]bool{
		"30.0.0.1:1": true, "30.0.0.1:0": false, "0.0.0.0:1": false, "0.1.2.3:1": false,
		"224.0.0.1:1":          false,
		"239.192.152.143:6771": false, "255.255.255.255:1": false, "240.0.0.1:1": false,
		"[::]:1":      false,
		"[ff02::1]:1": false, "[100::1]:1": false, "[2001:db8::1]:1": true,
		"[2001:db8::1]:0": false, "127.0.0.1:9": true,
	} {
		if got := usable(endpoint.IP(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("%s: usable %v, want %v", addr, got, want)
		}
	}
}

func TestBookRetries(t *testing.T) {
	b := newBook(nil)
	told(&b, numbered(1), SourceDHT)
	told(&b, numbered(2), SourceUser)
	found := b.byEndpoint[endpoint.IP(numbered(1))]
	named := b.byEndpoint[endpoint.IP(numbered(2))]
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160} {
		b.failed(found, 0, 0)
		if found.next != want*time.Second {
			t.Errorf("after failure %d the next attempt is after %v, want %v s", i+1, found.next,
				want)
		}
	}
	b.failed(found, 0, 0)
	if b.byEndpoint[endpoint.IP(numbered(1))] != nil {
		t.Error("an address that always fails is kept")
	}
	at := time.Duration(0)
	for range 50 {
		b.failed(named, at, 0)
		if wait := named.next - at; wait > max(namedFirst, at/3) {
			t.Errorf("what the user named is tried again %v after %v in vain", wait, at)
		}
		at = named.next
	}
	b.failed(named, 0, 0)
	if b.byEndpoint[endpoint.IP(numbered(2))] == nil || named.next != namedLast {
		t.Errorf("what the user named is tried after %v, want for ever after %v", named.next,
			namedLast)
	}
}

func TestBans(t *testing.T) {
	b := newBook(limit.Home{netip.MustParseAddr("127.0.0.1")})
	far, near := netip.MustParseAddrPort("30.0.0.1:5000"), netip.MustParseAddrPort("127.0.0.1:5000")
	b.ban(endpoint.IP(far), endpoint.Endpoint{}, 0)
	b.ban(endpoint.IP(near), endpoint.Endpoint{}, 0)
	b.ban(endpoint.IP(netip.MustParseAddrPort("127.0.0.2:5000")),
		endpoint.IP(netip.MustParseAddrPort("[2001:db8:1:2::1]:5000")), 0)
	for _, c := range []struct {
		addr string
		at   time.Duration
		want bool
	}{
		{"30.0.0.1:5000", time.Minute, true},
		{"30.0.0.1:1", time.Minute, true},
		{"30.0.0.2:5000", time.Minute, false},
		{"30.0.0.1:5000", banFor, false},
		{"127.0.0.1:5000", time.Minute, true},
		{"127.0.0.1:5001", time.Minute, false}, // our own: many nodes share it
		{"127.0.0.2:5000", time.Minute, true},
		{"127.0.0.2:5001", time.Minute, true}, // another of this machine
		{"[2001:db8:1:2::9]:1", time.Minute, true},
		{"[2001:db8:1:3::9]:1", time.Minute, false},
		{"[2002:1e00:1::1]:1", time.Minute, true}, // 30.0.0.1 by 6to4
	} {
		if got := b.banned(endpoint.IP(netip.MustParseAddrPort(c.addr)), c.at); got != c.want {
			t.Errorf("%s after %v: banned %v, want %v", c.addr, c.at, got, c.want)
		}
	}
	if b.ban(endpoint.WebSeed(1), endpoint.Endpoint{}, 0); !b.banned(endpoint.WebSeed(1), 1) ||
		b.banned(endpoint.WebSeed(2), 1) {
		t.Error("a web seed stands for another one, or not for itself")
	}
	for i := range 3 * bansMax {
		b.ban(endpoint.IP(numbered(i)), endpoint.Endpoint{}, time.Duration(i))
	}
	if len(b.bans) > bansMax {
		t.Errorf("%d bans are remembered, want at most %d", len(b.bans), bansMax)
	}
}
