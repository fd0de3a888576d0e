package core

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// theirPunch is the number by which the peers of these tests know ut_holepunch.
const theirPunch = 9

// newPunches is an attack without the seed of it, so that dials are no surprise.
func newPunches(t *testing.T, cfg Config) *attack {
	a := newAttackWith(t, cfg)
	a.event(Event{Kind: Closed, Peer: 1})
	return a
}

// meets connects a peer that has ut_pex, and ut_holepunch if it punches. It came to us over
// a transport, or we went to it.
func (a *attack) meets(ref PeerRef, at netip.AddrPort, over endpoint.Transport, outgoing,
	punches bool, port uint16) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(at), Hello: &hello,
		Outgoing: outgoing, Transport: over})
	h := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtPEX), Port: port, Reqq: 250}
	if punches {
		h.Extensions.Set(wire.ExtHolepunch, theirPunch)
	}
	a.message(ref, wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, h)})
}

// hears gives a peer's message about a rendezvous to the torrent, and returns what followed.
func (a *attack) hears(ref PeerRef, m wire.Holepunch) []string {
	a.message(ref, wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtHolepunch),
		Payload: wire.AppendHolepunch(nil, m), Size: holepunchSizeMax})
	return punches(a.actions)
}

// punches lists the messages about rendezvous among actions, and the dials.
func punches(actions []Action) (list []string) {
	for _, a := range actions {
		switch {
		case a.Kind == Dial && a.Told == limit.Introduced:
			list = append(list, fmt.Sprintf("dial %v at once", a.Endpoint))
		case a.Kind == Dial:
			list = append(list, fmt.Sprintf("dial %v", a.Endpoint))
		case a.Kind == Send && a.Msg.ID == wire.Extended && a.Msg.Ext == theirPunch:
			m, err := wire.ParseHolepunch(a.Msg.Payload)
			if err != nil {
				panic(err)
			}
			s := fmt.Sprintf("%d: %s %v", a.Peer,
				[]string{"rendezvous", "connect", "failed"}[m.Type], m.Addr)
			if m.Type == wire.HolepunchFailed {
				s += fmt.Sprintf(" %d", m.Err)
			}
			list = append(list, s)
		}
	}
	return list
}

func (a *attack) expect(what string, got []string, want ...string) {
	a.t.Helper()
	if !slices.Equal(got, want) {
		a.t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// passes lets time pass in steps of a timer, and returns what happened about rendezvous.
func (a *attack) passes(d time.Duration) (list []string) {
	for end := a.now.Add(d); a.now.Before(end); {
		a.now = a.now.Add(50 * time.Millisecond)
		a.event(Event{Kind: Tick})
		list = append(list, punches(a.actions)...)
	}
	return list
}

func tells(at netip.AddrPort, flags wire.PEXFlags) wire.PEX {
	return wire.PEX{Added: []wire.PEXPeer{{Addr: at, Flags: flags}}}
}

var target = netip.MustParseAddrPort("40.0.0.1:6881")

// TestIntroducersAreAsked: a dial that has no answer after 250 ms has those asked who told of
// the peer, and after three seconds others, each once.
func TestIntroducersAreAsked(t *testing.T) {
	a := newPunches(t, Config{})
	for ref := PeerRef(2); ref < 8; ref++ {
		a.meets(ref, numbered(int(ref)<<8), endpoint.TransportTCP, true, ref != 5, 0)
	}
	a.pex(3, tells(target, wire.PEXHolepunch))
	a.expect("at first", punches(a.actions), "dial 40.0.0.1:6881")
	a.expect("a little later", a.passes(200*time.Millisecond))
	got := a.passes(100 * time.Millisecond)
	if len(got) != 3 || got[0] != "3: rendezvous 40.0.0.1:6881" {
		t.Fatalf("after 250 ms: %q, want the one that told first, and two others", got)
	}
	a.expect("then", a.passes(2600*time.Millisecond))
	later := a.passes(200 * time.Millisecond)
	if len(later) != 2 {
		t.Errorf("after three seconds: %q, want the two that are left", later)
	}
	all := append(got, later...)
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 5 || slices.ContainsFunc(all, func(s string) bool {
		return s[0] == '5'
	}) {
		t.Errorf("asked: %q, want each once but the one without the extension", all)
	}
	a.expect("at last", a.passes(5*time.Second))
}

// TestRendezvousEndsWithTheDial: nobody is asked about a dial that has an outcome, or about a
// peer that has come by itself.
func TestRendezvousEndsWithTheDial(t *testing.T) {
	for name, end := range map[string]func(a *attack){
		"met": func(a *attack) { a.meets(9, target, endpoint.TransportTCP, true, true, 0) },
		"failed": func(a *attack) {
			a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(target)})
		},
		"put off": func(a *attack) {
			a.event(Event{Kind: DialPutOff, Endpoint: endpoint.IP(target)})
		},
		"came": func(a *attack) {
			a.meets(9, netip.AddrPortFrom(target.Addr(), 50000), endpoint.TransportTCP, false, true,
				target.Port())
		},
	} {
		a := newPunches(t, Config{})
		a.meets(2, numbered(2), endpoint.TransportTCP, true, true, 0)
		a.pex(2, tells(target, wire.PEXHolepunch))
		end(a)
		a.expect(name, a.passes(4*time.Second))
	}
}

// TestRefusalAsksOthersAtOnce: an introducer that does not know the peer is followed by
// others, and is not asked about the peer first again.
func TestRefusalAsksOthersAtOnce(t *testing.T) {
	a := newPunches(t, Config{})
	for ref := PeerRef(2); ref < 9; ref++ {
		a.meets(ref, numbered(int(ref)<<8), endpoint.TransportTCP, true, true, 0)
	}
	a.pex(2, tells(target, wire.PEXHolepunch))
	if got := a.passes(300 * time.Millisecond); len(got) != 3 {
		t.Fatalf("asked %q", got)
	}
	no := wire.Holepunch{Type: wire.HolepunchFailed, Addr: target, Err: wire.HolepunchNotConnected}
	if got := append(a.hears(2, no), a.passes(50*time.Millisecond)...); len(got) != 2 {
		t.Errorf("after a refusal: %q, want two others", got)
	}
	for ref := PeerRef(2); ref < 9; ref++ {
		a.hears(ref, no)
	}
	a.expect("after all refusals", a.passes(4*time.Second))
}

// TestIntroduction: a rendezvous message makes both sides hear of each other, whether the
// target is named by its end of the connection or by where it says that it listens.
func TestIntroduction(t *testing.T) {
	asker := netip.MustParseAddrPort("42.0.0.1:4000")
	seen := netip.MustParseAddrPort("40.0.0.1:7777")
	announced := netip.AddrPortFrom(seen.Addr(), 6881)
	for _, tt := range []struct {
		name string
		over endpoint.Transport
		to   netip.AddrPort
		want []string
	}{
		{"a uTP peer by its end", endpoint.TransportUTP, seen,
			[]string{"2: connect 40.0.0.1:7777", "3: connect 42.0.0.1:4000"}},
		{"a uTP peer by its port", endpoint.TransportUTP, announced,
			[]string{"2: connect 40.0.0.1:7777", "3: connect 42.0.0.1:4000"}},
		{"a TCP peer by its end", endpoint.TransportTCP, seen,
			[]string{"2: connect 40.0.0.1:6881", "3: connect 42.0.0.1:4000"}},
		{"a TCP peer by its port", endpoint.TransportTCP, announced,
			[]string{"2: connect 40.0.0.1:6881", "3: connect 42.0.0.1:4000"}},
	} {
		a := newPunches(t, Config{})
		a.meets(2, asker, endpoint.TransportUTP, false, true, 5000)
		a.meets(3, seen, tt.over, false, true, announced.Port())
		m := wire.Holepunch{Addr: tt.to}
		a.expect(tt.name, a.hears(2, m), tt.want...)
		short := wire.AppendHolepunch(nil, m)
		a.message(2, wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtHolepunch),
			Payload: short[:len(short)-4]}) // as libtorrent writes it
		a.expect(tt.name+", in the short form", punches(a.actions), tt.want...)
	}
}

// TestRefusals: each reason has its code (BEP 55, "error codes").
func TestRefusals(t *testing.T) {
	a := newPunches(t, Config{})
	a.torrent.SetOwn([]netip.AddrPort{netip.MustParseAddrPort("50.0.0.1:6881")})
	for ref, at := range map[PeerRef]string{2: "42.0.0.1:4000", 3: "40.0.0.1:6881",
		4: "43.0.0.1:6881", 5: "192.168.0.5:6881", 6: "[2001:db8::6]:6881"} {
		a.meets(ref, netip.MustParseAddrPort(at), endpoint.TransportUTP, true, ref != 4, 0)
	}
	a.meets(7, netip.MustParseAddrPort("44.0.0.1:50000"), endpoint.TransportTCP, false, true, 0)
	for _, tt := range []struct {
		name, to string
		want     wire.HolepunchError
	}{
		{"nobody can be there", "240.0.0.1:80", wire.HolepunchNoSuchPeer},
		{"unknown", "60.0.0.1:6881", wire.HolepunchNotConnected},
		{"another port", "40.0.0.1:6882", wire.HolepunchNotConnected},
		{"it listens nowhere", "44.0.0.1:50000", wire.HolepunchNotConnected},
		{"from outside to a local network", "192.168.0.5:6881", wire.HolepunchNotConnected},
		{"another family", "[2001:db8::6]:6881", wire.HolepunchNotConnected},
		{"without the extension", "43.0.0.1:6881", wire.HolepunchNoSupport},
		{"the asker", "42.0.0.1:4000", wire.HolepunchNoSelf},
		{"ourselves", "50.0.0.1:6881", wire.HolepunchNoSelf},
	} {
		a.expect(tt.name, a.hears(2, wire.Holepunch{Addr: netip.MustParseAddrPort(tt.to)}),
			fmt.Sprintf("2: failed %s %d", tt.to, tt.want))
	}
	a.expect("from a local network", a.hears(5, wire.Holepunch{Addr: numbered(3)}),
		fmt.Sprintf("5: failed %v %d", numbered(3), wire.HolepunchNotConnected))
	a.expect("whoever has not the extension gets no answer",
		a.hears(4, wire.Holepunch{Addr: target}))
}

// TestConnectIsDialled: what an introducer says is dialled at once, also while a dial of the
// same peer is under way or waits for its time.
func TestConnectIsDialled(t *testing.T) {
	connect := wire.Holepunch{Type: wire.HolepunchConnect, Addr: target}
	atOnce := "dial 40.0.0.1:6881 at once"
	for name, before := range map[string]func(a *attack){
		"unknown": func(a *attack) {},
		"under way": func(a *attack) {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(target), Source: book.SourceDHT})
		},
		"waiting": func(a *attack) {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(target), Source: book.SourceDHT})
			a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(target)})
		},
	} {
		a := newPunches(t, Config{})
		a.meets(2, numbered(2), endpoint.TransportUTP, false, true, 6881)
		before(a)
		a.expect(name, a.hears(2, connect), atOnce)
		if n := a.torrent.book.Dialling(); n != 1 {
			t.Errorf("%s: %d dials under way, want 1", name, n)
		}
		a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(target)})
		if n := a.torrent.book.Dialling(); n != 0 {
			t.Errorf("%s: %d dials under way after the answer", name, n)
		}
	}
	a := newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportUTP, false, true, 6881)
	a.meets(3, target, endpoint.TransportUTP, false, true, 6881)
	a.expect("connected", a.hears(2, connect))
	inward := wire.Holepunch{Type: wire.HolepunchConnect,
		Addr: netip.MustParseAddrPort("192.168.0.1:6881")}
	a.expect("a peer outside leads inside", a.hears(2, inward))
}

// TestPunchedIsNotReachable: others are not told that a peer can be reached because it was met
// by an introduction.
func TestPunchedIsNotReachable(t *testing.T) {
	for _, introduced := range []bool{false, true} {
		a := newPunches(t, Config{})
		a.meets(2, numbered(2), endpoint.TransportTCP, false, true, 6881)
		if introduced {
			a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect, Addr: target})
		} else {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(target), Source: book.SourceDHT})
		}
		a.meets(3, target, endpoint.TransportUTP, true, true, 0)
		want := wire.PEXUTP | wire.PEXHolepunch
		if !introduced {
			want |= wire.PEXReachable
		}
		if got := a.torrent.pex.flags(a.torrent.peers.live(3)); got != want {
			t.Errorf("introduced %v: flags %#x, want %#x", introduced, got, want)
		}
	}
}

// TestSimultaneousConnections: when both sides connect at the same time, both keep the same
// one, whichever comes first; and if the other side keeps the other one, so that none is
// left, the peer is dialled at once.
func TestSimultaneousConnections(t *testing.T) {
	for _, outgoingFirst := range []bool{false, true} {
		for _, greater := range []bool{false, true} {
			a := newPunches(t, Config{}) // our id begins with M
			id := [20]byte{'A'}
			if greater {
				id[0] = 'Z'
			}
			hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: id}
			hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
			a.meets(9, numbered(9), endpoint.TransportTCP, false, true, 6881)
			a.hears(9, wire.Holepunch{Type: wire.HolepunchConnect, Addr: target})
			for i := range PeerRef(2) {
				a.event(Event{Kind: Connected, Peer: 2 + i, Endpoint: endpoint.IP(target),
					Hello: &hello, Outgoing: (i == 0) == outgoingFirst,
					Transport: endpoint.TransportUTP})
			}
			mine, theirs := PeerRef(2), PeerRef(3)
			if !outgoingFirst {
				mine, theirs = theirs, mine
			}
			kept, lost := mine, theirs
			if greater {
				kept, lost = theirs, mine
			}
			if a.torrent.peers.live(kept) == nil || a.torrent.peers.live(lost) != nil {
				t.Fatalf("outgoing first %v, theirs is greater %v: the wrong one is kept",
					outgoingFirst, greater)
			}
			a.event(Event{Kind: Closed, Peer: lost})
			a.expect("one is left", punches(a.actions))
			a.event(Event{Kind: Closed, Peer: kept})
			a.expect("none is left", punches(a.actions), "dial 40.0.0.1:6881 at once")
		}
	}
}

// TestObservedEndpointOutlivesItsConnection: the uTP endpoint of a peer that has come by uTP
// as well is told to others, although its connection over TCP is kept.
func TestObservedEndpointOutlivesItsConnection(t *testing.T) {
	a := newPunches(t, Config{})
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'A'}}
	hello.Reserved = hello.Reserved.With(wire.FeatureExtension)
	outside := netip.AddrPortFrom(target.Addr(), 7777)
	for i, e := range []Event{
		{Endpoint: endpoint.IP(netip.AddrPortFrom(target.Addr(), 50000)),
			Transport: endpoint.TransportTCP},
		{Endpoint: endpoint.IP(outside), Transport: endpoint.TransportUTP},
	} {
		e.Kind, e.Peer, e.Hello = Connected, PeerRef(2+i), &hello
		a.event(e)
		a.extended(2, target.Port())
	}
	p := a.torrent.peers.live(2)
	if p == nil || p.told().Addr != outside {
		t.Fatalf("told %+v, want %v", p, outside)
	}
}

// TestPunchIsOffered: private torrents and those without peer exchange have none of it.
func TestPunchIsOffered(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want bool
	}{
		{"as a rule", Config{}, true},
		{"private", Config{Private: true}, false},
		{"without PEX", Config{NoPEX: true}, false},
		{"only the user's peers", Config{PeersOnly: true}, false},
	} {
		a := &attack{script: &script{t: t}}
		a.info, a.now = testInfo(4, 1<<14, 4<<14), time.Unix(1_000_000, 0)
		tt.cfg.InfoHash, tt.cfg.PeerID = a.info.Hash(), [20]byte{'M'}
		a.torrent = New(a.now, tt.cfg)
		a.event(Event{Kind: InfoReady, Info: a.info})
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(2)), Source: book.SourceUser})
		a.link(2, numbered(2), true)
		offers := false
		for _, s := range sent(a.actions, wire.Extended) {
			h, err := wire.ParseExtHandshake(s.Msg.Payload)
			offers = offers || err == nil && h.Extensions.Has(wire.ExtHolepunch)
		}
		if offers != tt.want {
			t.Errorf("%s: offered %v, want %v", tt.name, offers, tt.want)
		}
		a.message(2, wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil,
			wire.ExtHandshake{Extensions: func() (x wire.Extensions) {
				x.Set(wire.ExtHolepunch, theirPunch)
				return x
			}()})})
		got := a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect, Addr: target})
		if (len(got) == 1) != tt.want {
			t.Errorf("%s: a connect leads to %q", tt.name, got)
		}
	}
	a := newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportTCP, true, true, 0)
	a.event(Event{Kind: PEXOff})
	for _, s := range sent(a.actions, wire.Extended) {
		if h, _ := wire.ParseExtHandshake(s.Msg.Payload); h.Extensions.Has(wire.ExtHolepunch) {
			t.Error("still offered after PEXOff")
		}
	}
	a.expect("after PEXOff", a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect, Addr: target}))
}
