package core

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// TestLyingIntroducer: an introducer that names hosts without end has few of them dialled, and
// one host seldom, whatever the port.
func TestLyingIntroducer(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportTCP, false, true, 6881)
	victim, n := netip.MustParseAddr("60.0.0.9"), 0
	for port := range uint16(200) {
		list := a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect,
			Addr: netip.AddrPortFrom(victim, 2000+port)})
		n += len(list)
		a.refuse(a.actions, map[netip.Addr]int{})
		a.now = a.now.Add(50 * time.Millisecond)
	}
	if n > 3 {
		t.Errorf("one host is dialled %d times within 10 s, want at most 3", n)
	}
	a = newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportTCP, false, true, 6881)
	n = 0
	for i := range 600 { // each 100 ms another host
		for _, s := range a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect,
			Addr: benchAddr(500 + i)}) {
			if strings.HasSuffix(s, "at once") {
				n++
			}
		}
		a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(benchAddr(500 + i))})
		a.now = a.now.Add(100 * time.Millisecond)
	}
	if most := connectBurst + int(time.Minute/connectEvery) + 1; n > most {
		t.Errorf("%d hosts are dialled within a minute, want at most %d", n, most)
	}
	if a.torrent.peers.live(2) == nil {
		t.Error("the liar is dropped for messages that are few")
	}
}

// TestLyingIntroducersTogether: many liars have no more dialled than all introducers may.
func TestLyingIntroducersTogether(t *testing.T) {
	a := newPunches(t, Config{})
	for ref := range PeerRef(60) {
		a.meets(100+ref, numbered(int(ref+1)<<8), endpoint.TransportTCP, false, true, 6881)
	}
	n := 0
	for i := range 600 {
		at := benchAddr(500 + i)
		n += len(a.hears(100+PeerRef(i%60), wire.Holepunch{Type: wire.HolepunchConnect, Addr: at}))
		a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(at)})
	}
	if n > connectAllBurst {
		t.Errorf("%d dials at one moment, want at most %d", n, connectAllBurst)
	}
}

// TestRendezvousFlood: a peer that asks without end is answered so often, and its target is
// told so often.
func TestRendezvousFlood(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, numbered(2<<8), endpoint.TransportUTP, false, true, 6881)
	a.meets(3, target, endpoint.TransportUTP, false, true, 6881)
	toTarget, answers := 0, 0
	for range 1000 { // within 10 s
		for _, s := range a.hears(2, wire.Holepunch{Addr: target}) {
			if s[0] == '3' {
				toTarget++
			} else {
				answers++
			}
		}
		a.now = a.now.Add(10 * time.Millisecond)
	}
	if most := introduceBurst + int(10*time.Second/introduceEvery); toTarget > most ||
		answers > most || toTarget == 0 {
		t.Errorf("%d messages to the target and %d answers, want at most %d each", toTarget,
			answers, most)
	}
}

// TestManyAskForOneTarget: however many ask, their target is told of few of them.
func TestManyAskForOneTarget(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, target, endpoint.TransportUTP, false, true, 6881)
	n := 0
	for ref := range PeerRef(70) {
		a.meets(100+ref, numbered(int(ref+1)<<8), endpoint.TransportTCP, false, true, 6881)
		for _, s := range a.hears(100+ref, wire.Holepunch{Addr: target}) {
			if s[0] == '2' {
				n++
			}
		}
	}
	if n > introduceBurst {
		t.Errorf("the target is told of %d peers at one moment, want at most %d", n, introduceBurst)
	}
}

// TestToldIsBounded: a peer that tells of others without end is remembered for the last ones.
func TestToldIsBounded(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportTCP, false, true, 6881)
	for i := range 20 {
		var m wire.PEX
		for k := range wire.PEXMax {
			m.Added = append(m.Added, wire.PEXPeer{Addr: benchAddr(1000 + i*wire.PEXMax + k),
				Flags: wire.PEXHolepunch})
		}
		a.pex(2, m)
		a.now = a.now.Add(time.Minute)
	}
	knows := a.torrent.peers.live(2).punch.knows
	last := benchAddr(1000 + 20*wire.PEXMax - 1)
	if len(knows) != toldMax || knows[toldMax-1] != last {
		t.Errorf("%d are remembered, the last %v; want %d, %v", len(knows), knows[len(knows)-1],
			toldMax, last)
	}
	a.pex(2, wire.PEX{Dropped: []netip.AddrPort{last}})
	if n := len(a.torrent.peers.live(2).punch.knows); n != toldMax-1 {
		t.Errorf("%d are remembered after one has left", n)
	}
}

// TestPeerThatHangsUp: a peer that takes each connection and closes it is not dialled without
// end, however it was met.
func TestPeerThatHangsUp(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, numbered(2), endpoint.TransportTCP, false, true, 6881)
	n := len(a.hears(2, wire.Holepunch{Type: wire.HolepunchConnect, Addr: target}))
	dial := n > 0
	for ref := PeerRef(10); a.now.Sub(time.Unix(1_000_000, 0)) < time.Minute; {
		if dial {
			a.meets(ref, target, endpoint.TransportUTP, true, true, 0)
			a.event(Event{Kind: Closed, Peer: ref})
			ref++
		} else {
			a.now = a.now.Add(50 * time.Millisecond)
			a.event(Event{Kind: Tick})
		}
		if dial = len(dials(a.actions)) > 0; dial {
			n++
		}
	}
	if n > 6 {
		t.Errorf("%d dials within a minute, want at most 6", n)
	}
}

// FuzzPunch lets peers say what they like about rendezvous, and checks that everything that
// grows with it is bounded, and that nobody is told of a peer of another kind of network.
func FuzzPunch(f *testing.F) {
	f.Add([]byte{2, 0, 40, 3, 2, 1, 60, 9, 3, 2, 40, 3})
	f.Add([]byte{250, 0, 40, 3, 2, 0, 192, 5, 5, 0, 40, 3, 6, 1, 40, 3, 251, 40, 3, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2048 {
			return
		}
		a := newPunches(t, Config{})
		for ref := PeerRef(2); ref < 8; ref++ {
			a.meets(ref, fuzzEnd(byte(40+ref%3*76), byte(ref)), endpoint.Transport(1+ref%2),
				ref%4 < 2, ref != 7, 6881)
		}
		for ; len(script) >= 4; script = script[4:] {
			ref, at := PeerRef(2+script[0]%6), fuzzEnd(script[2], script[3])
			switch script[0] / 50 {
			case 5:
				a.pex(ref, tells(at, wire.PEXFlags(script[1])))
			case 4:
				a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(at)})
			case 3:
				a.now = a.now.Add(time.Duration(script[1]) * 20 * time.Millisecond)
				a.event(Event{Kind: Tick})
			default:
				a.hears(ref, wire.Holepunch{Type: wire.HolepunchType(script[1] % 3), Addr: at,
					Err: wire.HolepunchError(binary.BigEndian.Uint16(script[2:]))})
			}
			checkPunch(t, a)
		}
	})
}

// fuzzEnd returns an endpoint of a public network, or of a local one.
func fuzzEnd(network, host byte) netip.AddrPort {
	ip := netip.AddrFrom4([4]byte{40, 0, network, host})
	if network >= 192 {
		ip = netip.AddrFrom4([4]byte{192, 168, network, host})
	}
	return netip.AddrPortFrom(ip, 6881)
}

func checkPunch(t *testing.T, a *attack) {
	x := &a.torrent.punch
	if len(x.under) > rendezvousMax {
		t.Fatalf("%d rendezvous", len(x.under))
	}
	for _, r := range x.under {
		if len(r.asked) > introducersMax*punchRounds {
			t.Fatalf("%d introducers asked for one dial", len(r.asked))
		}
	}
	for _, act := range a.actions {
		if act.Kind != Send || act.Msg.ID != wire.Extended || act.Msg.Ext != theirPunch {
			continue
		}
		m, err := wire.ParseHolepunch(act.Msg.Payload)
		p := a.torrent.peers.live(act.Peer)
		if err != nil || p != nil && m.Type == wire.HolepunchConnect &&
			!mayMeet(p.endpoint, endpoint.IP(m.Addr)) {
			t.Fatalf("%v is told %+v, %v", p.endpoint, m, err)
		}
	}
}
