package core

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// newExchange is an attack with two peers besides the seed of it that have the
// extension protocol: 2 tells of others, 3 is one of those that 2 may be told of.
func newExchange(t *testing.T) *attack { return newExchangeWith(t, Config{}) }

func newExchangeWith(t *testing.T, cfg Config) *attack {
	a := newAttackWith(t, cfg)
	a.link(2, numbered(2), false)
	a.extended(2, 5002)
	a.link(3, numbered(3), false)
	a.extended(3, 5003)
	return a
}

// refuse makes every dial fail at once, and counts them by IP address.
func (a *attack) refuse(list []Action, count map[netip.Addr]int) {
	for _, addr := range dials(list) {
		count[addr.Addr()]++
		a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(addr)})
		a.refuse(a.actions, count)
	}
}

// TestPEXBogusAddresses: a thousand addresses at which nobody is, from one
// peer, cost a bounded share of the book, no connection, and keep nobody else's
// addresses from being dialled.
func TestPEXBogusAddresses(t *testing.T) {
	a := newExchange(t)
	count := map[netip.Addr]int{}
	next := 1000
	for range 20 { // 50 addresses each 30 s: 1,000 in all
		var m wire.PEX
		for range wire.PEXMax {
			m.Added = append(m.Added, wire.PEXPeer{Addr: numbered(next), Flags: 0xff})
			next++
		}
		a.pex(2, m)
		a.refuse(a.actions, count)
		for _, ref := range []PeerRef{1, 2, 3} {
			a.now = a.now.Add(10 * time.Second)
			a.message(ref, wire.Message{ID: wire.KeepAlive})
			a.refuse(a.actions, count)
		}
	}
	if n := a.torrent.book.Census().Known; n > 2*wire.PEXMax+3 {
		t.Errorf("%d addresses are known, want at most two messages of one peer", n)
	}
	if a.torrent.peers.live(2) == nil {
		t.Error("a peer that keeps to the pace is dropped")
	}
	good := netip.MustParseAddrPort("60.0.0.1:6881")
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(good), Source: book.SourceDHT})
	list := a.actions
	for range 3 {
		list = append(list, a.wait(time.Second)...)
	}
	found := false
	for _, d := range dials(list) {
		found = found || d == good
	}
	if !found {
		t.Error("an address from the DHT is not dialled within 3 s of the flood")
	}
}

// TestPEXSilentAddresses: addresses from which no answer comes, of one source,
// leave places for those of others.
func TestPEXSilentAddresses(t *testing.T) {
	a := newExchange(t)
	var m wire.PEX
	for i := range wire.PEXMax {
		m.Added = append(m.Added, wire.PEXPeer{Addr: numbered((1000 + i) << 8)})
	}
	a.pex(2, m)
	under := len(dials(a.then(5 * time.Second)))
	if want := halfOpenMaxDefault * 3 / 4; under != want {
		t.Errorf("%d dials under way, want %d of %d", under, want, halfOpenMaxDefault)
	}
	good := netip.MustParseAddrPort("60.0.0.1:6881")
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(good), Source: book.SourceDHT})
	if got := dials(a.actions); len(got) != 1 || got[0] != good {
		t.Errorf("dials %v, want %v at once", got, good)
	}
}

// TestPEXNamesOneVictim: a host that is named a thousand times, each time with
// another port and by several peers, is dialled a few times and then left alone.
func TestPEXNamesOneVictim(t *testing.T) {
	a := newExchange(t)
	victim := netip.MustParseAddr("60.0.0.9")
	count := map[netip.Addr]int{}
	port := uint16(1)
	for range 20 {
		for _, teller := range []PeerRef{2, 3} {
			var m wire.PEX
			for range wire.PEXMax {
				m.Added = append(m.Added, wire.PEXPeer{Addr: netip.AddrPortFrom(victim, port)})
				port++
			}
			a.pex(teller, m)
			a.refuse(a.actions, count)
		}
		minute := count[victim]
		for range 60 {
			a.refuse(a.wait(time.Second), count)
			a.message(2, wire.Message{ID: wire.KeepAlive})
			a.message(3, wire.Message{ID: wire.KeepAlive})
		}
		if n := count[victim] - minute; n > limit.DialsPerSourceMax {
			t.Fatalf("%d dials to one host within a minute", n)
		}
	}
	if n := count[victim]; n > 6 {
		t.Errorf("%d dials to a host at which nobody is, in 20 minutes, want at most 6", n)
	}
}

// TestPEXUnusableAddresses: ourselves, networks of groups, port 0 and what leads
// into our own network.
func TestPEXUnusableAddresses(t *testing.T) {
	a := newExchange(t)
	var m wire.PEX
	for _, addr := range []string{
		"60.0.0.1:0", "224.0.0.1:6881", "239.192.152.143:6771", "255.255.255.255:1", "0.0.0.0:1",
		"0.1.2.3:1", "240.0.0.1:1",
		"127.0.0.1:22", "10.0.0.1:80", "192.168.1.1:80", "169.254.1.1:80", "[ff02::1]:1", "[::]:1",
		"[::1]:1", "[fe80::1]:1",
		"[fc00::1]:1", "[100::1]:1", "[::ffff:127.0.0.1]:22", "[::ffff:10.0.0.1]:22",
	} {
		m.Added = append(m.Added, wire.PEXPeer{Addr: netip.MustParseAddrPort(addr)})
	}
	before := a.torrent.book.Census().Known
	a.pex(2, m)
	if got := dials(a.then(time.Minute)); len(got) > 0 {
		t.Errorf("dials %v", got)
	}
	if n := a.torrent.book.Census().Known; n != before {
		t.Errorf("%d addresses were noted", n-before)
	}
	// Ourselves are met once.
	self := netip.MustParseAddrPort("60.0.0.2:6881")
	a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: self}}})
	if got := dials(a.actions); len(got) != 1 {
		t.Fatalf("dials %v, want %v", got, self)
	}
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: a.torrent.cfg.PeerID}
	a.event(Event{Kind: Connected, Peer: 9, Endpoint: endpoint.IP(self), Hello: &hello,
		Outgoing: true})
	if reason, dropped := a.dropped(9); !dropped || reason != ReasonSelf {
		t.Errorf("dropped %v, %v", dropped, reason)
	}
	for range 5 {
		a.pex(3, wire.PEX{Added: []wire.PEXPeer{{Addr: self}}})
		if got := dials(a.then(time.Minute)); len(got) > 0 {
			t.Errorf("dials ourselves again: %v", got)
		}
		a.message(2, wire.Message{ID: wire.KeepAlive})
		a.message(3, wire.Message{ID: wire.KeepAlive})
	}
}

// TestPEXFlood: messages each 10 ms are not looked at after the first two, and end
// the connection. One a minute, and two at the start, is no flood.
func TestPEXFlood(t *testing.T) {
	a := newExchange(t)
	sent := 0
	for a.torrent.peers.live(2) != nil && sent < 1000 {
		a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(1000 + sent)}}})
		a.now = a.now.Add(10 * time.Millisecond)
		sent++
	}
	if want := pexTolerated + pexStrikes + 1; sent != want {
		t.Errorf("%d messages, want the end after %d", sent, want)
	}
	if reason, dropped := a.dropped(2); !dropped || reason != ReasonFlood {
		t.Errorf("dropped %v, %v", dropped, reason)
	}
	if n := a.torrent.book.Census().Known; n > pexTolerated+3 {
		t.Errorf("%d addresses are known", n)
	}
	for i := range 3 * 60 { // three a minute is a bit much, and is borne
		if i%20 == 0 {
			a.pex(3, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(3000 + i)}}})
		}
		a.wait(time.Second)
	}
	if a.torrent.peers.live(3) == nil {
		t.Error("three messages a minute end the connection")
	}
}

// Messages of extensions that cannot be read are ignored, and the connection goes
// on: the next that can be read counts. A flood of them ends it, as one of any
// messages to no purpose.
func TestMalformedExtensionsAreIgnored(t *testing.T) {
	bad := []string{
		"", "x", "i1e", "le", "d", "d1:a", "d5:added6:12", "d5:added5:12345e", "d5:addedi1ee",
		"d7:added.fle7:droppedi0ee",
		"d8:msg_typei-1e5:piecei0ee", "d8:msg_typei1e5:piecei99999ee",
		"d8:msg_type4:data5:piecei0ee", "\x00\x00\x00", "\x01\x02",
	}
	a := newExchange(t)
	send := func(number uint8, payload string) {
		a.message(2, wire.Message{ID: wire.Extended, Ext: number, Payload: []byte(payload)})
	}
	for number := range uint8(8) {
		for _, payload := range bad {
			if wire.Extension(number) == wire.ExtPEX {
				a.wait(pexEvery / pexTolerated) // so that they are no flood of another kind
				a.message(2, wire.Message{ID: wire.KeepAlive})
			}
			send(number, payload)
			if reason, dropped := a.dropped(2); dropped {
				t.Fatalf("message %d, %q: dropped, %v", number, payload, reason)
			}
		}
	}
	a.wait(pexEvery)
	known := numbered(3000)
	a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: known}}})
	if !a.torrent.book.Knows(endpoint.IP(known)) {
		t.Error("the address of a sound message is not known")
	}
	before := a.torrent.peers.live(2).flood.idle
	send(uint8(wire.ExtPEX), "x")
	if got := a.torrent.peers.live(2).flood.idle - before; got != 1 {
		t.Errorf("a message that cannot be read counts %d times", got)
	}
}

// TestPEXSeedsByHearsay: that an address is said to be a seed's does not keep a
// seed from dialling it, for anybody could say so; others go first.
func TestPEXSeedsByHearsay(t *testing.T) {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(4, block.Size, 4*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	a.event(Event{Kind: InfoReady, Info: a.info, Have: bits.Full(4)})
	a.link(2, numbered(2), false)
	a.extended(2, 5002)
	var m wire.PEX
	far := func(i int) netip.AddrPort { return numbered(i << 8) } // each in a network of its own
	for i := range 40 {
		m.Added = append(m.Added, wire.PEXPeer{Addr: far(100 + i), Flags: wire.PEXSeed})
	}
	m.Added = append(m.Added, wire.PEXPeer{Addr: far(200)})
	a.pex(2, m)
	got := dials(a.actions)
	if len(got) == 0 || got[0] != far(200) {
		t.Errorf("dials %v first, want %v", got, far(200))
	}
	count := map[netip.Addr]int{}
	a.refuse(a.actions, count)
	a.refuse(a.wait(10*time.Second), count)
	if len(count) != 41 {
		t.Errorf("%d addresses are dialled, want all 41", len(count))
	}
}

// TestPEXFlags: what is told of a peer is true.
func TestPEXFlags(t *testing.T) {
	a := newAttack(t, 0)
	a.link(2, numbered(2), true) // we dialled it: it is reachable
	a.message(2, wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil,
		wire.ExtHandshake{
			Extensions: wire.OurExtensions(wire.ExtPEX, wire.ExtHolepunch), Encrypts: true,
			Reqq: 250,
		})})
	a.link(3, numbered(3), false) // it came, and says its port
	a.message(3, wire.Message{ID: wire.HaveAll})
	a.extended(3, 5003)
	a.link(4, netip.MustParseAddrPort("[2001:db8::4]:9"), false)
	a.extended(4, 5004)
	a.link(5, numbered(5), false) // it came, and does not say its port
	a.extended(5, 0)
	a.link(6, netip.MustParseAddrPort("192.168.0.6:6881"), true) // of our own network
	a.extended(6, 0)
	a.link(7, numbered(7), true) // has not said a word
	want := map[PeerRef]string{
		2: "pex +30.0.0.3:5003/02 +[2001:db8::4]:5004/00",
		3: "pex +30.0.0.2:6881/19 +[2001:db8::4]:5004/00",
		5: "pex +30.0.0.2:6881/19 +30.0.0.3:5003/02 +[2001:db8::4]:5004/00",
		6: "pex +30.0.0.2:6881/19 +30.0.0.3:5003/02 +[2001:db8::4]:5004/00",
	}
	got := map[PeerRef]string{}
	for _, x := range a.wait(2 * time.Second) { // all within 2 s
		if x.Kind == Send && x.Msg.ID == wire.Extended {
			got[x.Peer] = said(&x.Msg)
		}
	}
	for ref, text := range want {
		if got[ref] != text {
			t.Errorf("peer %d is told %q, want %q", ref, got[ref], text)
		}
	}
	if a.wait(20 * time.Second); len(a.actions) > 0 {
		for _, x := range a.actions {
			if x.Kind == Send && x.Msg.Ext == uint8(wire.ExtPEX) {
				t.Errorf("peer %d is told again within the minute", x.Peer)
			}
		}
	}
}

// TestPEXManyPeers: a message names at most 50, those left out are in the next.
func TestPEXManyPeers(t *testing.T) {
	a := newAttack(t, 0)
	for i := range 70 {
		a.link(PeerRef(2+i), numbered(2+i), true)
		a.extended(PeerRef(2+i), 0)
	}
	told := map[netip.AddrPort]bool{}
	sizes := []int{}
	for range 130 {
		for _, x := range a.wait(time.Second) {
			if x.Kind != Send || x.Peer != 2 || x.Msg.ID != wire.Extended {
				continue
			}
			m, err := wire.ParsePEX(x.Msg.Payload)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(m.Added))
			for _, p := range m.Added {
				told[p.Addr] = true
			}
		}
		for i := range 70 {
			a.message(PeerRef(2+i), wire.Message{ID: wire.KeepAlive})
		}
	}
	if fmt.Sprint(sizes) != "[50 19]" || len(told) != 69 {
		t.Errorf("told of %d peers in messages of %v, want 69 in [50 19]", len(told), sizes)
	}
}
