package core

import (
	"fmt"
	"net/netip"
	"testing"

	"swarmnode/swarm/wire"
)

// Peers beyond the local network are told of the port that a router maps ours to (BEP 10,
// "p"), those of the local network of ours.
func TestPublicPorts(t *testing.T) {
	const first = 10
	a := newAttackWith(t, Config{Port: 1000})
	for i, at := range []string{"9.0.0.1:5", "[2001:4860::1]:5", "192.168.1.9:5"} {
		a.link(PeerRef(first+i), netip.MustParseAddrPort(at), false)
	}
	told := func(what string, four, six uint16, want string) {
		t.Helper()
		a.event(Event{Kind: PublicPortsChanged, Count: PublicPorts(four, six)})
		got := ""
		for _, action := range a.actions {
			if action.Kind != Send || action.Msg.Ext != wire.ExtHandshakeNumber {
				t.Errorf("%s: %s", what, showAction(&action))
				continue
			}
			h, err := wire.ParseExtHandshake(action.Msg.Payload)
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%d:%d ", action.Peer, h.Port)
		}
		if got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	told("as it was", 0, 0, "")
	told("ours by number", 1000, 1000, "")
	told("mapped", 2000, 1000, "10:2000 ")
	told("the same again", 2000, 1000, "")
	told("IPv6", 2000, 3000, "11:3000 ")
	told("no mapping", 0, 0, "10:1000 11:1000 ")
	a.event(Event{Kind: Rebound})
	told("nobody can connect", 2000, 2000, "")
}
