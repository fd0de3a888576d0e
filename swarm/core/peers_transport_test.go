package core

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

const (
	overTCP = endpoint.TransportTCP
	overUTP = endpoint.TransportUTP
)

// came connects a peer over a transport. It has the extension protocol.
func (a *attack) came(ref PeerRef, addr netip.AddrPort, over endpoint.Transport, outgoing bool) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: &hello,
		Transport: over, Outgoing: outgoing})
}

// firsts returns which transport each Dial has first.
func firsts(list []Action) map[netip.AddrPort]endpoint.Transport {
	m := map[netip.AddrPort]endpoint.Transport{}
	for _, a := range list {
		if a.Kind == Dial {
			m[a.Endpoint.Addr] = a.Transport
		}
	}
	return m
}

// told returns what a peer is told of by peer exchange, with the flags.
func told(list []Action, ref PeerRef) map[netip.AddrPort]wire.PEXFlags {
	m := map[netip.AddrPort]wire.PEXFlags{}
	for _, a := range list {
		if a.Kind != Send || a.Peer != ref || a.Msg.ID != wire.Extended ||
			a.Msg.Ext != uint8(wire.ExtPEX) {
			continue
		}
		if p, err := wire.ParsePEX(a.Msg.Payload); err == nil {
			for _, added := range p.Added {
				m[added.Addr] = added.Flags
			}
		}
	}
	return m
}

// TestDialsByWhatIsKnown: a Dial names the transport that worked last, that of an earlier
// run, or the one that peers tell of.
func TestDialsByWhatIsKnown(t *testing.T) {
	a := newExchange(t)
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(50)), Source: book.SourceDHT})
	list := a.actions
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(51)), Source: book.SourceResume,
		Met: a.now.Add(-time.Hour), Transport: overTCP, UTP: true})
	list = append(list, a.actions...)
	a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(52), Flags: wire.PEXUTP},
		{Addr: numbered(53), Flags: wire.PEXSeed}}})
	got := firsts(append(list, a.then(time.Second)...))
	for i, want := range map[int]endpoint.Transport{50: 0, 51: overTCP, 52: overUTP, 53: 0} {
		if first, ok := got[numbered(i)]; !ok || first != want {
			t.Errorf("peer %d: first %v (dialled %v), want %v", i, first, ok, want)
		}
	}
	a.came(60, numbered(50), overUTP, true)
	a.event(Event{Kind: Closed, Peer: 60})
	if got := firsts(a.wait(time.Minute)); got[numbered(50)] != overUTP {
		t.Errorf("after a connection by uTP: %v", got)
	}
	for _, k := range a.torrent.Known(99) {
		if k.Endpoint.Addr == numbered(51) && (k.Transport != overTCP || !k.UTP) {
			t.Errorf("the next run learns %+v", k)
		}
	}
}

// TestUTPPeerIsWhereItComesFrom: a peer that comes by uTP can be met at the port that it
// comes from, also if it names another one, and is not dialled at either while it is here.
// One that comes by TCP can be met only where it says.
func TestUTPPeerIsWhereItComesFrom(t *testing.T) {
	from := netip.AddrPortFrom(numbered(70).Addr(), 40_000)
	for _, c := range []struct {
		over  endpoint.Transport
		names uint16 // p of its extension handshake
		met   map[netip.AddrPort]endpoint.Transport
	}{
		{overUTP, 0, map[netip.AddrPort]endpoint.Transport{from: overUTP}},
		{overUTP, 40_000, map[netip.AddrPort]endpoint.Transport{from: overUTP}},
		{overUTP, 6881, map[netip.AddrPort]endpoint.Transport{from: overUTP, numbered(70): 0}},
		{overTCP, 0, map[netip.AddrPort]endpoint.Transport{}},
		{overTCP, 6881, map[netip.AddrPort]endpoint.Transport{numbered(70): 0}},
	} {
		a := newExchange(t)
		a.came(10, from, c.over, false)
		a.extended(10, c.names)
		for at := range c.met { // others name it as well
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(at), Source: book.SourceDHT})
		}
		if got := dials(a.then(time.Minute)); len(got) > 0 {
			t.Errorf("%v, p %d: dials %v although it is here", c.over, c.names, got)
		}
		a.message(10, wire.Message{ID: wire.KeepAlive})
		a.event(Event{Kind: Closed, Peer: 10})
		got := firsts(a.actions)
		for range 5 * 60 {
			for at := range firsts(a.actions) { // one of a host at a time
				a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(at)})
			}
			maps.Copy(got, firsts(a.then(time.Second)))
		}
		for at, want := range c.met {
			if first, ok := got[at]; !ok || first != want {
				t.Errorf("%v, p %d: at %v first %v (dialled %v), want %v", c.over, c.names, at,
					first, ok, want)
			}
		}
		if _, ok := got[from]; ok && c.over == overTCP {
			t.Errorf("dials %v, from where TCP came", from)
		}
	}
}

// TestPEXSaysUTP: others are told that a peer accepts uTP if it is here by uTP or was met
// by it, and of a peer that came by uTP at the port that we see.
func TestPEXSaysUTP(t *testing.T) {
	a := newExchange(t)
	from := netip.AddrPortFrom(numbered(70).Addr(), 40_000)
	a.came(10, from, overUTP, false)
	a.extended(10, 6881)
	a.came(11, numbered(71), overUTP, true)
	a.came(12, numbered(72), overTCP, true)
	a.came(13, netip.AddrPortFrom(numbered(73).Addr(), 50_000), overTCP, false)
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(73)), Source: book.SourceResume,
		Met: a.now.Add(-time.Hour), Transport: overUTP})
	a.extended(13, 6881)
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(74)), Source: book.SourcePEX,
		UTP: true}) // which somebody says
	a.came(14, numbered(74), overTCP, true)
	for ref := PeerRef(10); ref <= 14; ref++ {
		a.message(ref, wire.Message{ID: wire.HaveNone})
	}
	got := told(a.wait(2*time.Minute), 2)
	for addr, want := range map[netip.AddrPort]bool{from: true, numbered(71): true,
		numbered(72): false, numbered(73): true, numbered(74): false} {
		if flags, ok := got[addr]; !ok || flags&wire.PEXUTP != 0 != want {
			t.Errorf("of %v it is told flags %02x (%v), want uTP %v", addr, flags, ok, want)
		}
	}
	if _, ok := got[numbered(70)]; ok {
		t.Error("it is told of the port that a peer behind a router has inside")
	}
}

// A pairing is two torrents between which several connections are being made.
type pairing struct {
	t    *testing.T
	now  time.Time
	ends [2]*Torrent
	open [2]map[PeerRef]bool
}

// newPairing returns torrents of which the first has the greater id, or the smaller one.
func newPairing(t *testing.T, greater bool) *pairing {
	p := &pairing{t: t, now: time.Unix(1_000_000, 0)}
	info := testInfo(64, 16384, 64*16384)
	for i := range p.ends {
		id := [20]byte{'M', byte(i)}
		if greater {
			id[1] = byte(1 - i)
		}
		p.ends[i] = New(p.now, Config{InfoHash: info.Hash(), PeerID: id, Seed: uint64(i + 1)})
		p.ends[i].Step(p.now, Event{Kind: InfoReady, Info: info})
		p.open[i] = map[PeerRef]bool{}
	}
	return p
}

// A joint is a connection: who made it, and how.
type joint struct {
	by   int
	over endpoint.Transport
}

// connect tells one end of the connection that has a number.
func (p *pairing) connect(end int, ref PeerRef, c joint) {
	other := p.ends[1-end]
	hello := &wire.Hello{InfoHash: other.cfg.InfoHash, PeerID: other.cfg.PeerID}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{60, 0, 0, byte(1 - end)}), 6881)
	if c.by != end && c.over == overTCP {
		addr = netip.AddrPortFrom(addr.Addr(), 40_000+uint16(ref)) // a port of the moment
	}
	p.open[end][ref] = true
	p.step(end, Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: hello,
		Transport: c.over, Outgoing: c.by == end})
}

// step gives an event to one end, and notes which connections it ends.
func (p *pairing) step(end int, e Event) {
	p.ends[end].Step(p.now, e)
	for _, a := range p.ends[end].Actions(nil) {
		if a.Kind == Drop {
			delete(p.open[end], a.Peer)
		}
	}
}

// settle tells each end which connections the other has ended.
func (p *pairing) settle() {
	for end := range p.ends {
		for ref := range p.open[end] {
			if !p.open[1-end][ref] {
				delete(p.open[end], ref)
				p.step(end, Event{Kind: Closed, Peer: ref})
			}
		}
	}
}

// TestOneConnectionOverAllTransports: whatever two nodes make at once, by whichever
// transports and in whichever order the ends learn of it, one connection stays, and both
// keep the same one.
func TestOneConnectionOverAllTransports(t *testing.T) {
	orders := [][2]PeerRef{{1, 2}, {2, 1}}
	joints := []joint{{0, overTCP}, {0, overUTP}, {1, overTCP}, {1, overUTP}}
	for _, greater := range []bool{false, true} {
		for _, one := range joints {
			for _, two := range joints {
				if one == two {
					continue
				}
				for i, first := range orders {
					for j, second := range orders {
						if one.by == two.by && i != j {
							continue // who makes both makes them one after the other
						}
						p := newPairing(t, greater)
						both := map[PeerRef]joint{1: one, 2: two}
						for k := range 2 {
							p.connect(0, first[k], both[first[k]])
							p.connect(1, second[k], both[second[k]])
						}
						p.settle()
						name := fmt.Sprint(greater, one, two, first, second)
						if len(p.open[0]) != 1 || len(p.open[1]) != 1 {
							t.Errorf("%s: %d and %d connections", name, len(p.open[0]),
								len(p.open[1]))
						}
						for end, torrent := range p.ends {
							if n := len(torrent.Peers(p.now, nil)); n != 1 {
								t.Errorf("%s: end %d has %d peers", name, end, n)
							}
						}
					}
				}
			}
		}
	}
}

// TestPeerShowsItsTransport: what is shown of a connection says its transport, and so does a
// replay.
func TestPeerShowsItsTransport(t *testing.T) {
	a := newExchange(t)
	a.came(10, numbered(70), overUTP, false)
	a.came(11, numbered(71), overTCP, true)
	got := map[PeerRef]endpoint.Transport{}
	for _, p := range a.torrent.Peers(a.now, nil) {
		got[p.Peer] = p.Transport
	}
	if got[10] != overUTP || got[11] != overTCP || got[2] != endpoint.TransportUnknown {
		t.Errorf("shown are %v", got)
	}
	if s := a.torrent.Snapshot(); s.PeersUTP != 1 {
		t.Errorf("%d peers over uTP, want 1", s.PeersUTP)
	}
	for _, over := range []endpoint.Transport{0, overTCP, overUTP, endpoint.TransportRelay} {
		e := entry{kind: Connected}
		e.takeRare(&Event{Kind: Connected, Transport: over, UTP: over == overTCP})
		names, ok := parseMarks(e.marks.text())
		if over != 0 && (!ok || names != e.marks) || e.marks.transport() != over ||
			e.marks.has(markAcceptsUTP) != (over == overTCP) {
			t.Errorf("over %v: recorded as %v", over, e.marks.text())
		}
	}
	if !slices.Contains(markNames[:], "utp") {
		t.Error("a dump has no word for uTP")
	}
}
