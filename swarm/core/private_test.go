package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// privateInfo is the info dictionary of a private torrent (BEP 27).
func privateInfo(t *testing.T) *metainfo.Info {
	t.Helper()
	info, err := metainfo.ParseInfo([]byte(
		"d6:lengthi16384e4:name4:test12:piece " +
			"lengthi16384e6:pieces20:0123456789abcdefghij7:privatei1ee"))
	if err != nil || !info.Private() {
		t.Fatal("no private info dictionary", err)
	}
	return info
}

// A found is an address, and who names it.
type found struct {
	at      endpoint.Endpoint
	sources []book.Source
}

// private is a magnet that is about to turn out to be private, with a peer from
// each source, all of them connected.
func newPrivate(t *testing.T, peers []found) *attack {
	a := &attack{script: &script{t: t}}
	a.info = privateInfo(t)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1})
	for i, p := range peers {
		for _, s := range p.sources {
			if s != book.SourceIncoming {
				a.event(Event{Kind: Found, Endpoint: p.at, Source: s})
			}
		}
		a.connect(PeerRef(i+1), p.at, p.sources[0] != book.SourceIncoming)
	}
	return a
}

// link connects a peer that has the extension protocol.
func (a *attack) link(ref PeerRef, addr netip.AddrPort, outgoing bool) {
	a.connect(ref, endpoint.IP(addr), outgoing)
}

func (a *attack) connect(ref PeerRef, at endpoint.Endpoint, outgoing bool) {
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', byte(ref)}}
	hello.Reserved = hello.Reserved.With(wire.FeatureFast).With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: ref, Endpoint: at, Hello: &hello,
		Outgoing: outgoing})
}

var privatePeers = []found{
	1: {endpoint.IP(numbered(1)), []book.Source{book.SourceDHT}},
	2: {endpoint.IP(numbered(2)), []book.Source{book.SourceLSD}},
	3: {endpoint.IP(numbered(3)), []book.Source{book.SourcePEX}},
	4: {endpoint.IP(numbered(4)), []book.Source{book.SourceTracker}},
	5: {endpoint.IP(numbered(5)), []book.Source{book.SourceUser}},
	6: {endpoint.IP(numbered(6)), []book.Source{book.SourceDHT, book.SourceTracker}},
	7: {endpoint.IP(numbered(7)), []book.Source{book.SourceResume}},
	8: {endpoint.IP(numbered(8)), []book.Source{book.SourceIncoming}},
	9: {endpoint.IP(netip.MustParseAddrPort("[100::1]:80")), []book.Source{book.SourceIncoming}},
	0: {endpoint.WebSeed(1), []book.Source{book.SourceIncoming}},
}

// TestPrivateDropsWhoWasFoundOtherwise: once a magnet turns out to be private,
// those stay whom a tracker or the user named, or that are no peers.
func TestPrivateDropsWhoWasFoundOtherwise(t *testing.T) {
	for _, kind := range []EventKind{Private, InfoReady} {
		a := newPrivate(t, privatePeers)
		waiting := numbered(100)
		// It is being dialled.
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(waiting), Source: book.SourceDHT})
		e := Event{Kind: kind}
		if kind == InfoReady {
			e.Info = a.info
		}
		a.event(e)
		for i := range privatePeers {
			_, dropped := a.dropped(PeerRef(i + 1))
			if stays := i == 0 || i >= 4 && i <= 6; dropped == stays {
				t.Errorf("event %d: peer %d dropped: %v, want %v", kind, i, dropped, !stays)
			}
		}
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(101)), Source: book.SourceDHT})
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(102)),
			Source: book.SourceTracker})
		if got := dials(a.actions); !slices.Equal(got, []netip.AddrPort{numbered(102)}) {
			t.Errorf("event %d: dials %v", kind, got)
		}
		// What was being dialled is not wanted, and not dialled again.
		a.link(50, waiting, true)
		if reason, dropped := a.dropped(50); !dropped || reason != ReasonPrivate {
			t.Errorf("event %d: a peer that was being dialled: dropped %v, %v", kind, dropped,
				reason)
		}
		a.event(Event{Kind: Closed, Peer: 50})
		for _, again := range dials(a.wait(time.Hour)) {
			if !a.torrent.book.Vouched(endpoint.IP(again)) {
				t.Errorf("event %d: %v is dialled later", kind, again)
			}
		}
		for _, k := range a.torrent.Known(1000) {
			if !k.Vouched {
				t.Errorf("event %d: %v is remembered", kind, k.Endpoint)
			}
		}
		// A peer that comes by itself was let in by a tracker.
		a.link(60, numbered(60), false)
		if reason, dropped := a.dropped(60); dropped {
			t.Errorf("event %d: a new peer that came: %v", kind, reason)
		}
	}
}

func dials(list []Action) (addrs []netip.AddrPort) {
	for _, a := range list {
		if a.Kind == Dial {
			addrs = append(addrs, a.Endpoint.Addr)
		}
	}
	return addrs
}

// TestPrivateHasNoPeerExchange: of a torrent known to be private from the start
// ut_pex is never offered, told of, nor believed; of one that turns out to be, the
// offer is taken back.
func TestPrivateHasNoPeerExchange(t *testing.T) {
	offers := func(list []Action, ref PeerRef) string {
		t.Helper()
		offer, told := pexOffer(t, list, ref)
		if told > 0 {
			t.Errorf("peer %d is told of others %d times", ref, told)
		}
		return offer
	}
	a := &attack{script: &script{t: t}}
	a.info = privateInfo(t)
	a.now = time.Unix(1_000_000, 0)
	a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
		Private: true})
	a.link(1, numbered(1), false) // while what is there is being checked
	if got := offers(a.actions, 1); got != "unsaid" {
		t.Errorf("known from the start: peer exchange is %s", got)
	}
	a.event(Event{Kind: InfoReady, Info: a.info})
	if got := offers(a.actions, 1); got != "unsaid" {
		t.Errorf("after the check: peer exchange is %s", got)
	}
	a.link(2, numbered(2), false)
	a.extended(1, 7001)
	a.extended(2, 7002)
	a.pex(1, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(9)}}})
	if got := dials(a.then(5 * time.Minute)); len(got) > 0 {
		t.Errorf("dials %v after peer exchange", got)
	}
	offers(a.wait(3*time.Minute), 2)

	b := newPrivate(t, []found{{endpoint.IP(numbered(1)), []book.Source{book.SourceTracker}}})
	if got := offers(b.actions, 1); got != "offered" {
		t.Errorf("not known to be private: peer exchange is %s", got)
	}
	b.event(Event{Kind: InfoReady, Info: b.info})
	if got := offers(b.actions, 1); got != "withdrawn" {
		t.Errorf("turned out to be private: peer exchange is %s", got)
	}
}

// extended has a peer say where it listens, and that it takes peer exchange.
func (a *attack) extended(ref PeerRef, port uint16) {
	a.message(ref, wire.Message{ID: wire.Extended,
		Payload: wire.AppendExtHandshake(nil, wire.ExtHandshake{
			Extensions: wire.OurExtensions(wire.ExtPEX), Port: port, Reqq: 250,
		})})
}

// then returns the actions of the last step, and those of the time after it.
func (a *attack) then(d time.Duration) []Action {
	list := a.actions
	return append(list, a.wait(d)...)
}

// pex has a peer tell of others.
func (a *attack) pex(ref PeerRef, m wire.PEX) {
	a.message(ref, wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtPEX),
		Payload: wire.AppendPEX(nil, m)})
}
