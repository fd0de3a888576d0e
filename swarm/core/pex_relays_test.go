package core

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// Peers hear of the relays that lead to others, as of peers over uTP, and that they are gone.
func TestPEXTellsRelays(t *testing.T) {
	a := newRelayed(t, 4)
	words := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtPEX)}
	a.came(1, numbered(50), overTCP, true)
	a.tell(1, words)
	a.meet(2, 2, netip.MustParseAddrPort("30.1.1.1:40000"), overUTP, false)
	words.Port, words.Relays = 6881, [wire.RelaysMax]netip.AddrPort{relayOne}
	a.tell(2, words)
	list := a.wait(3 * time.Second)
	got := told(list, 1)
	if flags, is := got[relayOne]; !is || flags&wire.PEXUTP == 0 || flags&wire.PEXReachable != 0 {
		t.Errorf("told are %v", got)
	}
	if _, own := told(list, 2)[relayOne]; own {
		t.Error("a peer is told of its own relay")
	}
	a.tell(2, wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtPEX), Port: 6881})
	gone := false
	for _, action := range a.wait(2 * pexEvery) {
		if action.Kind != Send || action.Peer != 1 || action.Msg.Ext != uint8(wire.ExtPEX) {
			continue
		}
		m, err := wire.ParsePEX(action.Msg.Payload)
		for _, at := range m.Dropped {
			gone = gone || err == nil && at == relayOne
		}
	}
	if !gone {
		t.Error("a relay that leads nowhere any more is not told to be gone")
	}
}

// A peer that came by a relay is named the port of the relay.
func TestRelayedPeerHearsThePortOfTheRelay(t *testing.T) {
	a := newRelayed(t, 4)
	hello := wire.Hello{InfoHash: a.info.Hash(), PeerID: [20]byte{'P', 1}}
	hello.Reserved = hello.Reserved.With(wire.FeatureExtension)
	a.event(Event{Kind: Connected, Peer: 1, Endpoint: endpoint.IP(behindNAT), Hello: &hello,
		Transport: endpoint.TransportRelay, Count: 5001})
	for _, action := range a.actions {
		if action.Kind != Send || action.Msg.ID != wire.Extended {
			continue
		}
		if h, err := wire.ParseExtHandshake(action.Msg.Payload); err != nil || h.Port != 5001 {
			t.Errorf("named is port %d, %v", h.Port, err)
		}
		return
	}
	t.Error("no extension handshake")
}
