package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/wire"
)

// pexOffer returns what the last extension handshake to a peer says of peer exchange, "" if
// there is none, and how often the peer is told of others.
func pexOffer(t *testing.T, list []Action, ref PeerRef) (last string, told int) {
	t.Helper()
	for _, a := range list {
		if a.Kind != Send || a.Peer != ref || a.Msg.ID != wire.Extended {
			continue
		}
		if a.Msg.Ext != wire.ExtHandshakeNumber {
			told++
			continue
		}
		h, err := wire.ParseExtHandshake(a.Msg.Payload)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case h.Extensions.Has(wire.ExtPEX):
			last = "offered"
		case strings.Contains(string(a.Msg.Payload), "ut_pex"):
			last = "withdrawn"
		default:
			last = "unsaid"
		}
	}
	return last, told
}

// TestPEXOff: peer exchange that is turned off is taken back from those to whom it was
// offered, and neither offered, sent nor believed until it is turned on again.
func TestPEXOff(t *testing.T) {
	a := newExchange(t)
	expect := func(list []Action, ref PeerRef, offer string, told bool) {
		t.Helper()
		if got, n := pexOffer(t, list, ref); got != offer || n > 0 != told {
			t.Errorf("peer %d: %q, told %d times; want %q, %v", ref, got, n, offer, told)
		}
	}
	a.event(Event{Kind: PEXOff})
	expect(a.actions, 1, "", false) // it has no extensions
	expect(a.actions, 2, "withdrawn", false)
	expect(a.actions, 3, "withdrawn", false)
	a.event(Event{Kind: PEXOff})
	expect(a.actions, 2, "", false)

	a.link(4, numbered(4), false)
	expect(a.actions, 4, "unsaid", false)
	a.extended(4, 5004)
	var list []Action
	for i := range 20 { // a client that takes no notice
		a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(1000 + i)}}})
		list = append(list, a.then(30*time.Second)...)
		for _, ref := range []PeerRef{1, 2, 3, 4} {
			a.message(ref, wire.Message{ID: wire.KeepAlive})
		}
	}
	expect(list, 2, "", false)
	expect(list, 4, "", false)
	if got := dials(list); len(got) > 0 {
		t.Errorf("dials %v", got)
	}
	if a.torrent.peers.live(2) == nil {
		t.Error("the client that took no notice is dropped")
	}

	a.event(Event{Kind: PEXOn})
	expect(a.actions, 2, "offered", false)
	expect(a.actions, 4, "offered", false)
	a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(2000)}}})
	list = a.then(90 * time.Second)
	expect(list, 2, "", true)
	expect(list, 4, "", true)
	if got := dials(list); len(got) == 0 || got[0] != numbered(2000) {
		t.Errorf("dials %v", got)
	}
}

// TestNoPEX: a torrent without peer exchange never offers it, and does once it is turned
// on.
func TestNoPEX(t *testing.T) {
	a := newExchangeWith(t, Config{NoPEX: true})
	list := a.then(90 * time.Second)
	a.link(4, numbered(4), false)
	list = append(list, a.actions...)
	for _, ref := range []PeerRef{2, 3, 4} {
		if offer, told := pexOffer(t, list, ref); offer == "offered" || told > 0 {
			t.Errorf("peer %d: %s, told %d times", ref, offer, told)
		}
	}
	a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(1000)}}})
	if got := dials(a.then(time.Minute)); slices.Contains(got, numbered(1000)) {
		t.Errorf("dials %v", got)
	}
	a.event(Event{Kind: PEXOn})
	if offer, _ := pexOffer(t, a.actions, 4); offer != "offered" {
		t.Errorf("turned on: %q", offer)
	}
}

// TestPEXOffFloods: turning peer exchange off is no leave to flood us with it.
func TestPEXOffFloods(t *testing.T) {
	a := newExchange(t)
	a.event(Event{Kind: PEXOff})
	for range 3 * pexStrikes {
		a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: numbered(1000)}}})
		if reason, ok := a.dropped(2); ok {
			if reason != ReasonFlood {
				t.Errorf("dropped: %v", reason)
			}
			return
		}
	}
	t.Error("it may go on for ever")
}
