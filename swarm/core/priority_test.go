package core

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// TestCanonicalPriority has the vectors of BEP 40, and the properties that it
// names where it gives none.
func TestCanonicalPriority(t *testing.T) {
	p := func(a, b string) uint32 {
		return canonicalPriority(netip.MustParseAddrPort(a), netip.MustParseAddrPort(b))
	}
	for _, c := range []struct {
		a, b string
		want uint32
	}{
		{"123.213.32.10:0", "98.76.54.32:0", 0xec2d7224},
		{"123.213.32.10:0", "123.213.32.234:0", 0x99568189},
		{"[::ffff:123.213.32.10]:0", "98.76.54.32:9", 0xec2d7224},
		// CRC32-C of the two ports, the lesser first, as RFC 3720 computes it.
		{"10.0.0.1:0", "10.0.0.1:0", 0x48674bc7},
	} {
		if got := p(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %08x, want %08x", c.a, c.b, got, c.want)
		}
		if p(c.a, c.b) != p(c.b, c.a) {
			t.Errorf("%s and %s: the order matters", c.a, c.b)
		}
	}
	const v4, v6 = "123.213.32.10:1", "[2001:db8:1:2233::1]:1"
	for _, c := range []struct {
		own, a, b string
		same      bool
		why       string
	}{
		{v4, "98.76.0.0:1", "98.76.170.170:1", true,
			"elsewhere half of the bits of the last two bytes do not count"},
		{v4, "98.76.0.0:1", "98.76.1.0:1", false, "and the other half does"},
		{v4, "98.76.0.0:1", "98.77.0.0:1", false, "and the first two bytes do"},
		{v4, "123.213.9.0:1", "123.213.9.170:1", true,
			"in the same /16 half of the bits of the last byte do not count"},
		{v4, "123.213.9.0:1", "123.213.11.0:1", false, "and all of the third do"},
		{v4, "123.213.32.1:1", "123.213.32.3:1", false, "in the same /24 all bits count"},
		{v4, "98.76.0.0:1", "98.76.0.0:2", true, "ports of different addresses do not count"},
		{v4, "123.213.32.10:2", "123.213.32.10:3", false, "those of the same address do"},
		{v6, "[2001:db9:1::]:1", "[2001:db9:1:aaaa:aaaa::aaaa]:1", true,
			"elsewhere half of the bits behind the /48 do not count"},
		{v6, "[2001:db9:1::]:1", "[2001:db9:2::]:1", false, "and all of the /48 do"},
		{v6, "[2001:db8:1:1100::]:1", "[2001:db8:1:1300::]:1", false,
			"in the same /48 all of the seventh byte counts"},
		{v6, "[2001:db8:1:1100::]:1", "[2001:db8:1:11aa::]:1", true, "and half of the eighth does"},
		{v6, "[2001:db8:1:2200::]:1", "[2001:db8:1:2202::]:1", false,
			"in the same /56 all of the eighth byte counts"},
		{v6, "[2001:db8:1:2233::5]:2", "[2001:db8:1:2233::5]:3", true,
			"ports of different addresses do not count"},
		{v6, "[2001:db8:1:2233::1]:2", "[2001:db8:1:2233::1]:3", false,
			"those of the same address do"},
	} {
		if got := p(c.own, c.a) == p(c.own, c.b); got != c.same {
			t.Errorf("%s to %s and %s: same %v; %s", c.own, c.a, c.b, got, c.why)
		}
	}
	if p(v4, v6) != 0 {
		t.Error("a priority between families")
	}
}

// TestExternalVotes: we believe what several peers say of our address, not what
// one says, and above all what the driver says.
func TestExternalVotes(t *testing.T) {
	ip := netip.MustParseAddr
	like := ip("30.0.0.1")
	var x external
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

// byPriority returns n addresses, the one that the torrent prefers first.
func byPriority(t *Torrent, n int) []netip.AddrPort {
	var list []netip.AddrPort
	for i := range n {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i), 1, 1}), 6881))
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Compare(t.priorityOf(endpoint.IP(b)), t.priorityOf(endpoint.IP(a)))
	})
	return list
}

// TestDialsByPriority: of addresses that are alike the canonical priority chooses,
// as soon as we know our own.
func TestDialsByPriority(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(4, block.Size, 4*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Limits: Limits{HalfOpenMax: 1}})
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(1)), Source: SourceDHT})
	own := netip.MustParseAddr("50.0.0.1")
	a.torrent.SetExternal(own)
	want := byPriority(a.torrent, 8)
	a.torrent.SetExternal(netip.MustParseAddr("50.77.0.1"))
	for i := range want {
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(want[(i+3)%len(want)]), Source: SourceDHT})
	}
	a.torrent.SetExternal(own) // it changed after they were found
	a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(numbered(1))})
	for _, addr := range want {
		got := dials(a.actions)
		if len(got) != 1 || got[0] != addr {
			t.Fatalf("dials %v, want %v", got, addr)
		}
		a.event(Event{Kind: DialPutOff, Endpoint: endpoint.IP(addr)})
	}
}

// TestPriorityAtTheLimit: when every place is taken by peers that are of use, one
// that the canonical priority prefers gets the place of the one that it prefers
// least, now and then; but never of one that gives blocks.
func TestPriorityAtTheLimit(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(64, block.Size, 64*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Limits: Limits{PeersMax: 4}})
	a.event(Event{Kind: InfoReady, Info: a.info})
	a.torrent.SetExternal(netip.MustParseAddr("50.0.0.1"))
	addrs := byPriority(a.torrent, 10)
	connect := func(ref PeerRef, addr netip.AddrPort) {
		a.link(ref, addr, false)
		if _, dropped := a.dropped(ref); !dropped {
			a.message(ref, wire.Message{ID: wire.HaveAll})
		}
	}
	for i := range 4 {
		connect(PeerRef(i+1), addrs[9-i]) // 1 is preferred least
	}
	a.message(1, wire.Message{ID: wire.Unchoke})
	ref, ok := a.open()
	if !ok {
		t.Fatal("nothing is asked for")
	}
	give := func() { // peer 1 gives a block that is right
		a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: ref})
		a.event(Event{Kind: Verified, Ref: ref})
		ref, _ = a.open()
	}
	give()
	for range 15 {
		a.wait(time.Second)
		give()
	}
	late := func(ref PeerRef, addr netip.AddrPort, victim PeerRef) {
		t.Helper()
		a.link(ref, addr, false)
		all := a.actions
		reason, dropped := a.dropped(ref)
		switch {
		case victim == 0 && (!dropped || reason != ReasonFull):
			t.Errorf("%v: dropped %v, %v; want it to find no place", addr, dropped, reason)
		case victim != 0 && dropped:
			t.Errorf("%v finds no place: %v", addr, reason)
		case victim != 0:
			if got, ok := a.dropped(victim); !ok || got != ReasonEvicted {
				t.Errorf("%v came, and peer %d was not dropped for it: %d actions", addr, victim,
					len(all))
			}
		}
	}
	late(10, addrs[8], 0) // not preferred to any that may go: it is the worst of them
	late(11, addrs[0], 2) // preferred most: 2 goes, for 1 gives blocks
	late(12, addrs[1], 0) // too soon after the other
}
