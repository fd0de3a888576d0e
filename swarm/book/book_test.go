package book

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// hear tells b of an endpoint.
func hear(b *Book, e endpoint.Endpoint, source Source) *entry {
	b.Hear(0, Rumour{Endpoint: e, Source: source})
	return b.byEndpoint[e]
}

// TestBookBounds: no source can drown the others, and what the user named stays.
func TestBookBounds(t *testing.T) {
	b := newTestBook(Config{})
	user := near(1 << 20)
	hear(b, user, SourceUser)
	for i := range 2000 {
		hear(b, near(i), SourcePEX)
	}
	if n := b.perSource[SourcePEX]; n != perSourceMax {
		t.Errorf("%d endpoints of one source, want %d", n, perSourceMax)
	}
	for s := range SourceCount {
		for i := range 1000 {
			hear(b, near(20_000+1000*int(s)+i), s)
		}
		b.Check()
	}
	if len(b.list) > entriesMax {
		t.Errorf("%d endpoints, want at most %d", len(b.list), entriesMax)
	}
	if !b.Knows(user) {
		t.Error("what the user named was forgotten")
	}
	if got := hear(b, near(99_999), SourceCount); got != nil {
		t.Error("an unknown source is heard")
	}
}

// TestFloodKeepsProvenAddresses: endpoints at which peers were met are not driven out by
// any number of others, and of those as many are kept as fit.
func TestFloodKeepsProvenAddresses(t *testing.T) {
	b := newTestBook(Config{})
	for i := range 100 {
		hear(b, near(i), SourceDHT)
		b.Connected(0, near(i), Conn(i+1), true)
		b.Closed(0, Parting{Conn: Conn(i + 1), At: near(i), End: EndRefresh})
	}
	for s := range SourceCount {
		for i := range 800 {
			hear(b, near(10_000+800*int(s)+i), s)
		}
	}
	for i := range 100 {
		if !b.Knows(near(i)) {
			t.Fatalf("the proven endpoint %d was driven out", i)
		}
	}
	b.Check()
	// Those that are proven have a bound of their own: the one met longest ago goes.
	b = newTestBook(Config{})
	for i := range provenMax + 50 {
		b.Hear(0, Rumour{Endpoint: near(i), Source: SourceResume,
			Met: start.Add(time.Duration(i-5000) * time.Second)})
	}
	b.Check()
	if b.proven != provenMax {
		t.Errorf("%d proven endpoints, want %d", b.proven, provenMax)
	}
	for i := range provenMax + 50 {
		if want := i >= 50; b.Knows(near(i)) != want {
			t.Fatalf("the endpoint met as number %d is kept: %v, want %v", i, !want, want)
		}
	}
}

// TestWorstMakesRoom: where a share is used up, the entry that failed most goes.
func TestWorstMakesRoom(t *testing.T) {
	b := newTestBook(Config{})
	for i := range perSourceMax {
		e := hear(b, near(i), SourceDHT)
		e.failures = uint8(1 + i%3)
	}
	b.byEndpoint[near(77)].failures = 5
	b.byEndpoint[near(78)].failures = 5
	b.byEndpoint[near(78)].proven = true
	b.perSource[SourceDHT]-- // as prove does
	b.proven++
	hear(b, near(5000), SourceDHT)
	hear(b, near(5001), SourceDHT)
	if b.Knows(near(77)) || !b.Knows(near(78)) || !b.Knows(near(5001)) {
		t.Errorf("the worst is known: %v, a proven one: %v, the new one: %v", b.Knows(near(77)),
			b.Knows(near(78)), b.Knows(near(5001)))
	}
	b.Check()
}

// TestNoRoom: what is being dialled or connected is not driven out.
func TestNoRoom(t *testing.T) {
	b := newTestBook(Config{})
	for i := range perTellerMax {
		b.Hear(0, Rumour{Endpoint: far(i), Source: SourcePEX, Teller: far(9999).Host()})
		b.setState(b.byEndpoint[far(i)], stateDialling)
	}
	if b.Hear(0, Rumour{Endpoint: far(500), Source: SourcePEX, Teller: far(9999).Host()}) {
		t.Error("a rumour drove out an endpoint that is being dialled")
	}
	if b.Dialling() != perTellerMax {
		t.Errorf("%d are being dialled, want %d", b.Dialling(), perTellerMax)
	}
	b.Check()
}

// TestOneTeller: what one peer names by peer exchange takes no place from what others
// name.
func TestOneTeller(t *testing.T) {
	if perTellerMax != 2*wire.PEXMax {
		t.Errorf("a teller may name %d endpoints, want two messages of %d", perTellerMax,
			wire.PEXMax)
	}
	b := newTestBook(Config{})
	tell := func(teller string, i int) {
		b.Hear(0, Rumour{Endpoint: near(i), Source: SourcePEX, Teller: netip.MustParseAddr(teller)})
	}
	for i := range 50 {
		tell("30.200.0.1", i)
	}
	for i := range 1000 {
		tell("30.200.0.2", 1000+i)
	}
	for i := range 50 {
		if !b.Knows(near(i)) {
			t.Fatalf("endpoint %d of an honest peer was driven out", i)
		}
	}
	if n := b.tellers[netip.MustParseAddr("30.200.0.2")]; n != perTellerMax {
		t.Errorf("%d endpoints of one teller, want %d", n, perTellerMax)
	}
	b.Check()
}

// TestOneHost: one IP address with a thousand ports is a few endpoints, and is left
// alone for long when nobody is met there.
func TestOneHost(t *testing.T) {
	b := newTestBook(Config{})
	port := func(n int) endpoint.Endpoint { return at(fmt.Sprintf("30.0.0.9:%d", n)) }
	victim := port(1).Host()
	name := func(from int) {
		for i := range 1000 {
			hear(b, port(from+i), SourcePEX)
		}
	}
	name(1)
	if len(b.list) != perHostMax {
		t.Errorf("%d endpoints of one host, want %d", len(b.list), perHostMax)
	}
	b.setState(b.list[0], stateDialling)
	if b.host(victim).rests() != never {
		t.Error("two endpoints of one host may be dialled at a time")
	}
	b.setState(b.list[0], stateIdle)
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
	for len(b.list) > 0 { // forgotten and named again, it rests
		b.forget(b.list[0])
	}
	name(2000)
	if b.host(victim).rests() != hostRest {
		t.Error("a host that is named again rests no longer")
	}
	if hear(b, port(7), SourceUser) == nil {
		t.Error("what the user named was refused")
	}
	b.Connected(0, port(7), 1, true)
	if b.host(victim).rests() != 0 {
		t.Error("a host that was reached rests")
	}
	b.Check()
	for i := range entriesMax + restingMax + 500 { // what rests is bounded, too
		e := endpoint.IP(netip.AddrPortFrom(
			netip.AddrFrom4([4]byte{40, byte(i >> 16), byte(i >> 8), byte(i)}), 1))
		if e := hear(b, e, SourceDHT); e != nil {
			b.failed(e, 0, 0)
			b.forget(e)
		}
	}
	b.Check()
}

// What an enemy made up for a host makes room for what may be the one that lives.
func TestCrowdedHost(t *testing.T) {
	b := newTestBook(Config{})
	port := func(n int) endpoint.Endpoint { return at(fmt.Sprintf("30.0.0.9:%d", n)) }
	for i := range perHostMax {
		hear(b, port(1+i), SourcePEX)
	}
	if hear(b, port(100), SourceTracker) != nil {
		t.Error("a host has more than its share of endpoints")
	}
	b.byEndpoint[port(3)].failures = 1
	if hear(b, port(101), SourceTracker) == nil || b.Knows(port(3)) {
		t.Error("an endpoint that failed makes no room for another one of its host")
	}
	// On a link each address is a host: all of a link are in one /64.
	for i := range 3 * perHostMax {
		if hear(b, at(fmt.Sprintf("[fe80::%x]:6881", 1+i)), SourceLSD) == nil {
			t.Fatal("hosts of one link have no place")
		}
	}
	b.Check()
}

// Our own address has no share: many nodes of this machine are there.
func TestHome(t *testing.T) {
	b := newTestBook(Config{Home: limit.Home{netip.MustParseAddr("127.0.0.1")}})
	for i := range 3 * perHostMax {
		if e := at(fmt.Sprintf("127.0.0.1:%d", 5000+i)); hear(b, e, SourceTracker) == nil {
			t.Fatalf("node %d of this machine has no place", i)
		}
	}
	if len(b.hosts) != 0 {
		t.Errorf("%d hosts at home", len(b.hosts))
	}
	b.Check()
}

// With NamedOnly nobody counts but the user.
func TestNamedOnly(t *testing.T) {
	s := newScript(t, Config{NamedOnly: true})
	got := s.run("hear 1 dht | hear 2 tracker | hear 3 resume vouched | hear 4 link | hear 5 user |" +
		"hear 6 incoming | dial")
	if want := "5! -"; got != want {
		t.Errorf("dials %s, want %s", got, want)
	}
	if s.book.Shares() {
		t.Error("peers are shared")
	}
	if c := s.book.Census(); c.Known != 1 {
		t.Errorf("%d are known, want 1", c.Known)
	}
}

// TestCensus counts endpoints without a connection by how the last attempt failed.
func TestCensus(t *testing.T) {
	b := newTestBook(Config{Port: 6881})
	b.SetOwn([]netip.AddrPort{netip.MustParseAddrPort("192.168.1.2:7000")})
	b.SetExternal(netip.MustParseAddr("::ffff:60.0.0.1"))
	for i := range 7 {
		hear(b, far(i), SourceTracker)
	}
	for _, own := range []string{"192.168.1.2:7000", "60.0.0.1:6881"} {
		hear(b, at(own), SourceTracker)
	}
	hear(b, at("60.0.0.1:6882"), SourceTracker) // another one behind our router
	b.Self(far(6))
	b.Joined(0, far(6), 8)
	for range 4 {
		b.setState(b.byEndpoint[far(b.dialling)], stateDialling)
	}
	b.Failed(0, far(0), FaultRefused)
	b.Failed(0, far(1), FaultTimeout)
	b.Failed(0, far(2), FaultTimeout)
	b.Connected(0, far(4), 1, true)
	want := Census{Known: 7, Dialling: 1,
		Unmet: Unmet{FaultRefused: 1, FaultTimeout: 2, FaultDialling: 1, FaultNone: 2}}
	if got := b.Census(); got != want || got.Unmet.Count() != 6 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for range failuresMax {
		b.setState(b.byEndpoint[far(0)], stateDialling)
		b.Failed(0, far(0), FaultRefused)
	}
	if got := b.Census(); got.Forgotten != 1 || got.Known != 6 || b.Knows(far(0)) {
		t.Errorf("after %d failures %+v", failuresMax+1, got)
	}
	// A handshake ends a fault.
	b.setState(b.byEndpoint[far(1)], stateDialling)
	b.Connected(0, far(1), 2, true)
	b.Closed(0, Parting{Conn: 2, At: far(1), End: EndRefresh})
	if got := b.Census().Unmet; got[FaultTimeout] != 1 || got[FaultNone] != 3 {
		t.Errorf("after a handshake the unmet are %v", got)
	}
}

// TestKnown: who is worth an attempt in a later run, those met last first.
func TestKnown(t *testing.T) {
	b := newTestBook(Config{})
	spoke := func(c Conn) bool { return c != 3 }
	list := func(now time.Duration, most int) (got []string) {
		for _, k := range b.Known(now, most, spoke) {
			text := fmt.Sprintf("%v %v", k.Endpoint.Host(), k.Met.Sub(start))
			if k.Vouched {
				text += " vouched"
			}
			got = append(got, text)
		}
		return got
	}
	for i := range 8 {
		hear(b, far(i), SourceDHT)
	}
	hear(b, far(1), SourceTracker)
	b.Connected(10, far(1), 1, true) // is connected
	b.Connected(20, far(2), 2, true) // was
	b.Closed(30, Parting{Conn: 2, At: far(2), End: EndRefresh})
	b.Joined(40, far(3), 3) // has said nothing
	b.Connected(50, far(4), 4, true)
	b.Self(far(4))
	b.Hear(0, Rumour{Endpoint: far(5), Source: SourceResume, Met: start.Add(-time.Hour)})
	b.Connected(60, far(6), 6, true) // has failed too often since
	b.Closed(60, Parting{Conn: 6, At: far(6), End: EndRefresh})
	b.byEndpoint[far(6)].failures = failuresMax + 1
	b.Hear(0, Rumour{Endpoint: at("127.0.0.1:80"), Source: SourceUser})
	b.Connected(70, at("127.0.0.1:80"), 9, true) // another run would not believe it
	want := []string{"30.0.1.1 100ns vouched", "30.0.2.1 30ns", "30.0.5.1 -1h0m0s"}
	if got := list(100, 10); !slices.Equal(got, want) {
		t.Errorf("known\n\t%v, want\n\t%v", got, want)
	}
	if got := list(100, 2); !slices.Equal(got, want[:2]) {
		t.Errorf("two are %v, want %v", got, want[:2])
	}
	if !b.Shares() || b.Private() {
		t.Error("a torrent is private from the start")
	}
	b.Connected(200, far(7), 7, true)
	if b.SetPrivate(); b.Shares() || !b.Private() {
		t.Error("a private torrent shares peers")
	}
	if got := list(100, 10); !slices.Equal(got, want[:1]) {
		t.Errorf("of a private torrent %v, want %v", got, want[:1])
	}
}
