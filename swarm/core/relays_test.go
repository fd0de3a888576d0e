package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// Addresses of the tests of relays: a peer, where it accepts connections, and two relays.
var (
	behindNAT = netip.MustParseAddrPort("30.1.1.1:40000")
	listensAt = netip.MustParseAddrPort("30.1.1.1:6881")
	relayOne  = netip.MustParseAddrPort("31.1.1.1:5001")
	relayTwo  = netip.MustParseAddrPort("32.1.1.1:5002")
)

// newRelayed returns a download of pieces of one block without peers.
func newRelayed(t *testing.T, pieces int) *attack {
	a := &attack{script: &script{t: t}}
	a.info = testInfo(pieces, block.Size, int64(pieces)*block.Size)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	a.event(Event{Kind: InfoReady, Info: a.info})
	return a
}

// meet connects a seed of an id at an address, which lets us request.
func (a *attack) meet(ref PeerRef, id byte, addr netip.AddrPort, over endpoint.Transport,
	outgoing bool) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', id}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: endpoint.IP(addr), Hello: &hello,
		Transport: over, Outgoing: outgoing})
	if _, gone := a.dropped(ref); gone {
		return
	}
	a.message(ref, wire.Message{ID: wire.HaveAll})
	a.message(ref, wire.Message{ID: wire.Unchoke})
}

// tell sends the extension handshake of a peer.
func (a *attack) tell(ref PeerRef, h wire.ExtHandshake) {
	a.message(ref, wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, h)})
}

// outstanding returns how many blocks a peer is asked for.
func (a *attack) outstanding(ref PeerRef) int {
	if p := a.torrent.peers.live(ref); p != nil {
		return p.ask.waiting()
	}
	return 0
}

// deliverFor makes peers send what they are asked for, for some time.
func (a *attack) deliverFor(d time.Duration, refs ...PeerRef) (list []Action) {
	for end := a.now.Add(d); a.now.Before(end); {
		a.now = a.now.Add(100 * time.Millisecond)
		for _, ref := range refs {
			if p := a.torrent.peers.live(ref); p != nil && len(p.ask.unanswered()) > 0 {
				r := p.ask.unanswered()[0].ref
				a.event(Event{Kind: ReceivedBlock, Peer: ref, Ref: r})
				list = append(list, a.actions...)
				a.event(Event{Kind: Verified, Ref: r})
				list = append(list, a.actions...)
			}
		}
		a.event(Event{Kind: Tick})
		list = append(list, a.actions...)
	}
	return list
}

// relaysSaid returns the relays of the last extension handshake to a peer.
func relaysSaid(list []Action, ref PeerRef) (relays []netip.AddrPort, said bool) {
	for _, a := range list {
		if a.Kind != Send || a.Peer != ref || a.Msg.ID != wire.Extended || a.Msg.Ext != 0 {
			continue
		}
		if h, err := wire.ParseExtHandshake(a.Msg.Payload); err == nil {
			relays, said = nil, true
			for _, at := range h.Relays {
				if at.IsValid() {
					relays = append(relays, at)
				}
			}
		}
	}
	return relays, said
}

// andWait returns the actions of the last event, and those of some time after it.
func (a *attack) andWait(d time.Duration) []Action {
	list := a.actions
	return append(list, a.wait(d)...)
}

// dialsOf returns which addresses are dialled.
func dialsOf(list []Action) (at []netip.AddrPort) {
	for _, a := range list {
		if a.Kind == Dial {
			at = append(at, a.Endpoint.Addr)
		}
	}
	return at
}

// Peers are told which relays lead to us, whenever that changes; those of the local network are
// not.
func TestRelaysAreTold(t *testing.T) {
	a := newRelayed(t, 4)
	a.meet(1, 1, behindNAT, overUTP, false)
	a.meet(2, 2, netip.MustParseAddrPort("192.168.0.9:6881"), overTCP, false)
	change := func(kind EventKind, at netip.AddrPort, want ...netip.AddrPort) {
		t.Helper()
		a.event(Event{Kind: kind, Endpoint: endpoint.IP(at)})
		got, said := relaysSaid(a.actions, 1)
		if !said || !slices.Equal(got, want) {
			t.Errorf("%v %v: told %v (%v), want %v", kind, at, got, said, want)
		}
		if local, _ := relaysSaid(a.actions, 2); len(local) > 0 {
			t.Errorf("the local peer is told %v", local)
		}
	}
	change(RelayFound, relayOne, relayOne)
	change(RelayFound, relayTwo, relayOne, relayTwo)
	for _, no := range []Event{{Kind: RelayFound, Endpoint: endpoint.IP(relayOne)},
		{Kind: RelayFound, Endpoint: endpoint.IP(listensAt)}, {Kind: RelayFound},
		{Kind: RelayLost, Endpoint: endpoint.IP(listensAt)}} {
		a.event(no)
		if _, said := relaysSaid(a.actions, 1); said {
			t.Errorf("%+v is told", no)
		}
	}
	change(RelayLost, relayOne, relayTwo)
	a.came(3, numbered(50), overTCP, false)
	if got, _ := relaysSaid(a.actions, 3); !slices.Equal(got, []netip.AddrPort{relayTwo}) {
		t.Errorf("a new peer is told %v", got)
	}
}

// A costly peer is asked for what direct peers do not give, whichever end has the relay.
func TestCostlyPeerIsLastResort(t *testing.T) {
	for name, relays := range map[string]func(a *attack){
		"ours":   func(a *attack) { a.meet(1, 1, behindNAT, endpoint.TransportRelay, false) },
		"theirs": func(a *attack) { a.meetByRelay(1) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newRelayed(t, 400)
			relays(a)
			if a.outstanding(1) == 0 {
				t.Fatal("a costly peer alone is not asked")
			}
			a.meet(2, 2, numbered(60), overTCP, false)
			a.deliverFor(3*time.Second, 1, 2)
			if n := a.outstanding(1); n > 0 {
				t.Errorf("%d blocks are asked of it beside a direct seed", n)
			}
			if a.outstanding(2) == 0 {
				t.Error("nothing is asked of the direct seed")
			}
			a.message(2, wire.Message{ID: wire.Choke})
			a.wait(2 * time.Second)
			if a.outstanding(1) == 0 {
				t.Error("nothing is asked of it although the direct peer chokes us")
			}
			a.message(2, wire.Message{ID: wire.Unchoke})
			a.deliverFor(3*time.Second, 1, 2)
			if n := a.outstanding(1); n > 0 {
				t.Errorf("%d blocks are asked of it beside a direct seed that is back", n)
			}
			a.deliverFor(directQuiet+2*time.Second, 1) // the direct one sends nothing any more
			if a.outstanding(1) == 0 {
				t.Error("nothing is asked of it although the direct peer sends nothing")
			}
		})
	}
}

// meetByRelay connects to a seed at a relay of its own, as it says.
func (a *attack) meetByRelay(ref PeerRef) {
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(relayOne), Source: book.SourceTracker})
	a.wait(time.Second)
	a.meet(ref, 1, relayOne, overUTP, true)
	a.tell(ref, wire.ExtHandshake{Relays: [wire.RelaysMax]netip.AddrPort{relayOne, relayTwo}})
}

// Pieces that no direct peer has are asked of the costly one.
func TestCostlyPeerGivesTheRest(t *testing.T) {
	a := newRelayed(t, 40)
	a.came(2, numbered(60), overTCP, false)
	half := bits.New(40)
	for i := range 30 {
		half.Add(i)
	}
	a.message(2, wire.Message{ID: wire.Bitfield, Payload: half.AppendWire(nil)})
	a.message(2, wire.Message{ID: wire.Unchoke})
	a.meet(1, 1, behindNAT, endpoint.TransportRelay, false)
	p := a.torrent.peers.live(1)
	if len(p.ask.unanswered()) == 0 {
		t.Fatal("nothing is asked of the costly peer")
	}
	for _, o := range p.ask.unanswered() {
		if half.Has(int(o.ref.Piece)) {
			t.Errorf("piece %d is asked of the costly peer", o.ref.Piece)
		}
	}
}

// A direct connection to a peer takes over from the relayed one: what is outstanding arrives by
// that, and then it ends.
func TestDirectConnectionTakesOver(t *testing.T) {
	a := newRelayed(t, 400)
	a.meet(1, 1, behindNAT, endpoint.TransportRelay, false)
	a.deliverFor(time.Second, 1)
	before := a.outstanding(1)
	if before == 0 {
		t.Fatal("nothing is asked of the relayed peer")
	}
	a.meet(2, 1, listensAt, overTCP, true)
	if _, gone := a.dropped(1); gone || a.torrent.peers.live(2) == nil {
		t.Fatal("not both stay")
	}
	a.wait(time.Second)
	if a.torrent.peers.live(1) == nil {
		t.Fatal("the relayed connection ended with requests outstanding")
	}
	for range before {
		a.deliverFor(100*time.Millisecond, 1)
	}
	if n := a.outstanding(1); n > 0 {
		t.Errorf("%d blocks were asked of the relayed connection meanwhile", n)
	}
	list := a.deliverFor(twinSettles+2*time.Second, 2)
	if d := dropped(list, 1); d == nil || d.Reason != ReasonDuplicate || d.Ban {
		t.Errorf("the relayed connection ended by %+v", d)
	}
	if a.torrent.peers.live(2) == nil {
		t.Error("the direct connection has ended")
	}
}

// A stranger with the id of a relayed peer does not end its connection before having moved
// anything.
func TestStrangerTakesOverNothing(t *testing.T) {
	a := newRelayed(t, 400)
	a.meet(1, 1, behindNAT, endpoint.TransportRelay, false)
	a.came(2, numbered(70), overTCP, false)
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', 1}}
	a.event(Event{Kind: Connected, Peer: 3, Endpoint: endpoint.IP(numbered(71)), Hello: &hello,
		Transport: overTCP})
	a.deliverFor(2*twinWait, 1)
	if a.torrent.peers.live(1) == nil {
		t.Error("the relayed connection has ended")
	}
}

// A relayed connection to a peer that is connected directly is refused, unless the direct one is
// silent.
func TestRelayedDuplicate(t *testing.T) {
	a := newRelayed(t, 400)
	a.meet(1, 1, listensAt, overTCP, false)
	a.deliverFor(time.Second, 1)
	a.meet(2, 1, behindNAT, endpoint.TransportRelay, false)
	if reason, gone := a.dropped(2); !gone || reason != ReasonDuplicate {
		t.Errorf("the relayed connection ended by %v, %v", reason, gone)
	}
	a.wait(8 * time.Second)
	a.meet(3, 1, behindNAT, endpoint.TransportRelay, false)
	if _, gone := a.dropped(3); gone {
		t.Error("it is refused although the direct one is silent")
	}
}

// When a relay falls silent, the other one that leads to the peer is dialled within seconds, and
// not before. The same goes for a connection that was lost.
func TestSilentRelay(t *testing.T) {
	a := newRelayed(t, 4000)
	a.meetByRelay(1)
	if at := dialsOf(a.deliverFor(30*time.Second, 1)); slices.Contains(at, relayTwo) {
		t.Fatal("the other relay is dialled while the first one works")
	}
	if a.outstanding(1) == 0 {
		t.Fatal("nothing is asked")
	}
	if at := dialsOf(a.wait(4500 * time.Millisecond)); !slices.Contains(at, relayTwo) {
		t.Errorf("dialled are %v, want %v", at, relayTwo)
	}
	a.meet(2, 1, relayTwo, overUTP, true)
	if _, gone := a.dropped(2); gone || a.outstanding(2) == 0 {
		t.Error("nothing is asked by the other relay")
	}

	b := newRelayed(t, 4000)
	b.meetByRelay(1)
	b.deliverFor(2*time.Second, 1)
	b.event(Event{Kind: Closed, Peer: 1, Broken: true})
	if at := dialsOf(b.andWait(time.Second)); !slices.Contains(at, relayTwo) {
		t.Errorf("after the loss %v are dialled, want %v", at, relayTwo)
	}

	c := newRelayed(t, 4000)
	c.meetByRelay(1)
	c.deliverFor(2*time.Second, 1)
	c.event(Event{Kind: Closed, Peer: 1})
	if at := dialsOf(c.andWait(20 * time.Second)); slices.Contains(at, relayTwo) {
		t.Error("the other relay is dialled at once although the peer has hung up")
	}
}

// A peer behind a relay of ours is dialled directly now and then, and at once when our standing
// changes.
func TestCostlyPeerIsDialledDirectly(t *testing.T) {
	a := newRelayed(t, 2000)
	a.meet(1, 1, behindNAT, endpoint.TransportRelay, false)
	a.tell(1, wire.ExtHandshake{Port: listensAt.Port()})
	var times []time.Duration
	start := a.now
	for a.now.Sub(start) < 20*time.Minute {
		r := a.torrent.peers.live(1).ask.unanswered()[0].ref
		a.event(Event{Kind: ReceivedBlock, Peer: 1, Ref: r})
		a.event(Event{Kind: Verified, Ref: r})
		for _, at := range dialsOf(a.wait(time.Second)) {
			if at == listensAt {
				times = append(times, a.now.Sub(start))
				a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(at),
					Fault: book.FaultTimeout})
			}
		}
	}
	if len(times) < 4 || len(times) > 8 || times[0] < directFirst {
		t.Errorf("it is dialled directly at %v", times)
	}
	for i := range times[1:] {
		if gap := times[i+1] - times[i]; gap > directMax+2*time.Second {
			t.Errorf("%v between two attempts", gap)
		}
	}
	a.event(Event{Kind: PathsChanged})
	if at := dialsOf(a.andWait(2 * time.Second)); !slices.Contains(at, listensAt) {
		t.Errorf("dialled are %v after a change", at)
	}
}

// A peer cannot make us dial our own network by naming relays, and those of private torrents
// are not dialled at all.
func TestRelaysThatLie(t *testing.T) {
	a := newRelayed(t, 4000)
	a.meet(1, 1, behindNAT, overUTP, false)
	inward := netip.MustParseAddrPort("192.168.1.1:80")
	a.tell(1, wire.ExtHandshake{Relays: [wire.RelaysMax]netip.AddrPort{inward, relayTwo}})
	if told := a.torrent.peers.live(1).relayed.told; !slices.Equal(told,
		[]endpoint.Endpoint{endpoint.IP(relayTwo)}) {
		t.Errorf("taken are %v", told)
	}
	a.event(Event{Kind: Private})
	a.meet(2, 2, numbered(60), overUTP, false)
	a.tell(2, wire.ExtHandshake{Relays: [wire.RelaysMax]netip.AddrPort{relayOne}})
	a.event(Event{Kind: Closed, Peer: 2, Broken: true})
	if at := dialsOf(a.andWait(10 * time.Second)); slices.Contains(at, relayOne) {
		t.Error("a relay of a private torrent is dialled")
	}
}

// A peer that claims the endpoint of another one as its relay does not keep us from that one.
func TestClaimedRelayIsDialled(t *testing.T) {
	a := newRelayed(t, 4000)
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(listensAt), Source: book.SourceDHT})
	a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(listensAt), Fault: book.FaultTimeout})
	a.meet(1, 1, numbered(60), overUTP, false)
	claim := wire.ExtHandshake{Relays: [wire.RelaysMax]netip.AddrPort{listensAt}}
	tries := 0
	for start := a.now; a.now.Sub(start) < 20*time.Minute; {
		a.tell(1, claim)
		for _, at := range dialsOf(a.andWait(time.Second)) {
			if at == listensAt {
				tries++
				a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(at),
					Fault: book.FaultTimeout})
			}
		}
		a.message(1, wire.Message{ID: wire.HaveAll})
		if a.torrent.peers.live(1) == nil {
			a.meet(1, 1, numbered(60), overUTP, false)
		}
	}
	if tries < 2 {
		t.Errorf("the endpoint is dialled %d times in 20 minutes", tries)
	}
}

// Only a relay says where a peer that it carries is, so such a peer bans nobody else.
func TestRelayedPeerBansNobody(t *testing.T) {
	for over, want := range map[endpoint.Transport]bool{
		endpoint.TransportRelay: false, endpoint.TransportUTP: true} {
		a := newRelayed(t, 4000)
		a.meet(1, 1, behindNAT, over, false)
		a.torrent.dropAndBan(a.torrent.peers.live(1), ReasonBadPiece)
		if got := a.torrent.book.Banned(a.torrent.now, endpoint.IP(listensAt)); got != want {
			t.Errorf("over %v: the host is banned: %v, want %v", over, got, want)
		}
	}
}
