package book

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"swarmnode/swarm/endpoint"
)

// TestExternalVotes: we believe what several peers say of our address, not what
// one says, and above all what the driver says.
func TestExternalVotes(t *testing.T) {
	ip := netip.MustParseAddr
	like := ip("30.0.0.1")
	x := own{}
	for range 5 {
		x.vote(ip("30.0.0.1"), ip("50.0.0.1")) // one voter, however often
	}
	x.vote(ip("30.0.0.2"), ip("50.0.0.1"))
	if got := x.addr(like); got.IsValid() {
		t.Errorf("two voters suffice for %v", got)
	}
	x.vote(ip("127.0.0.1"), ip("50.0.0.1"))   // cannot know
	x.vote(ip("30.0.0.9"), ip("192.168.0.1")) // a local address says nothing
	x.vote(ip("30.0.0.9"), ip("2001:db8::1")) // nor does another family
	if got := x.addr(like); got.IsValid() {
		t.Errorf("votes that do not count suffice for %v", got)
	}
	if !x.vote(ip("30.0.0.3"), ip("50.0.0.1")) || x.addr(like) != ip("50.0.0.1") {
		t.Errorf("three voters do not suffice: %v", x.addr(like))
	}
	for i := range 3 { // as many others change nothing
		x.vote(netip.AddrFrom4([4]byte{31, 0, 0, byte(i)}), ip("50.0.0.2"))
	}
	if got := x.addr(like); got != ip("50.0.0.1") {
		t.Errorf("a tie changed our address to %v", got)
	}
	for i := range 100 { // our address changed, and everybody says so
		x.vote(netip.AddrFrom4([4]byte{32, 0, 0, byte(i)}), ip("50.0.0.3"))
	}
	if got := x.addr(like); got != ip("50.0.0.3") {
		t.Errorf("all voters name another address, but ours is %v", got)
	}
	if got := x.addr(ip("2001:db8::1")); got.IsValid() {
		t.Errorf("IPv6 address %v without a vote", got)
	}
	x.told[0] = ip("60.0.0.1")
	if got := x.addr(like); got != ip("60.0.0.1") {
		t.Errorf("the driver's word counts less than votes: %v", got)
	}
}

// TestVotersOfOneSource: one host with 2^64 addresses has one vote on ours.
func TestVotersOfOneSource(t *testing.T) {
	x := own{}
	ip := netip.MustParseAddr("2001:db8:1:2::").As16()
	wrong := netip.MustParseAddr("2001:db8:bad::1")
	for i := range 100 {
		ip[9], ip[15] = byte(i), byte(7*i)
		x.vote(netip.AddrFrom16(ip), wrong)
	}
	if got := x.addr(wrong); got.IsValid() {
		t.Errorf("one host has elected %v", got)
	}
	for i := range votesNeeded {
		x.vote(netip.MustParseAddr(fmt.Sprintf("2001:db8:2:%d::1", i)), wrong)
	}
	if got := x.addr(wrong); got != wrong {
		t.Errorf("three sources have elected %v", got)
	}
}

// The order of rumours follows our own address, whoever says it.
func TestPriorityFollowsOurAddress(t *testing.T) {
	b := newTestBook(Config{Port: 6881})
	e := hear(b, far(1), SourceDHT)
	if e.priority != 0 || b.Priority(far(1)) != 0 {
		t.Error("a priority although our address is unknown")
	}
	b.SetExternal(netip.IPv4Unspecified()) // says nothing
	b.SetExternal(netip.Addr{})
	for i := range votesNeeded {
		if e.priority != 0 {
			t.Fatalf("%d votes decide", i)
		}
		b.Vote(far(100+i).Host(), netip.MustParseAddr("50.0.0.1"))
	}
	voted := e.priority
	if voted == 0 || voted != b.Priority(far(1)) {
		t.Errorf("priority %08x, want %08x", voted, b.Priority(far(1)))
	}
	b.SetExternal(netip.MustParseAddr("50.77.0.1"))
	if e.priority == voted {
		t.Error("the driver's word changes nothing")
	}
	b.SetExternal(netip.MustParseAddr("50.0.0.1"))
	if e.priority != voted {
		t.Errorf("priority %08x by the driver's word, %08x by votes for the same address",
			e.priority, voted)
	}
	if b.Priority(at("[2001:db8::1]:1")) != 0 {
		t.Error("a priority between families")
	}
}

// Our port counts for who we are and for the order of peers (BEP 40).
func TestSetPort(t *testing.T) {
	b := New(Config{Port: 1000, Rand: rand.New(rand.NewPCG(1, 1))})
	b.SetExternal(netip.MustParseAddr("50.0.0.1"))
	peer := endpoint.IP(netip.MustParseAddrPort("50.0.0.1:3000"))
	before := b.Priority(peer)
	b.SetPort(2000)
	if b.Priority(peer) == before {
		t.Error("the priority of a peer at our address does not depend on our port")
	}
	if !b.own.is(endpoint.IP(netip.MustParseAddrPort("50.0.0.1:2000"))) ||
		b.own.is(endpoint.IP(netip.MustParseAddrPort("50.0.0.1:1000"))) {
		t.Error("our address has the old port")
	}
}
