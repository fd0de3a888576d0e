package core

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// TestRendezvousReplay: what was said about rendezvous replays with the same actions from a dump,
// which tells no address of it.
func TestRendezvousReplay(t *testing.T) {
	a := newPunches(t, Config{})
	a.meets(2, netip.MustParseAddrPort("81.2.69.1:4000"), endpoint.TransportUTP, false, true, 5000)
	a.meets(3, netip.MustParseAddrPort("81.2.70.1:6881"), endpoint.TransportTCP, true, true, 0)
	at := netip.MustParseAddrPort("81.2.71.1:6881")
	a.pex(3, tells(at, wire.PEXHolepunch))
	a.passes(300 * time.Millisecond)
	got := a.hears(3, wire.Holepunch{Type: wire.HolepunchFailed, Addr: at,
		Err: wire.HolepunchNotConnected})
	got = append(got, a.hears(3, wire.Holepunch{Type: wire.HolepunchConnect, Addr: at})...)
	third := netip.MustParseAddrPort("81.2.70.1:6881")
	got = append(got, a.hears(2, wire.Holepunch{Addr: third})...)
	a.expect("before the dump", got, "dial 81.2.71.1:6881 at once", "2: connect 81.2.70.1:6881",
		"3: connect 81.2.69.1:4000")
	dump := dumpOf(t, a.torrent)
	if strings.Contains(dump, "81.2.") || strings.Contains(dump, "510247") {
		t.Errorf("the dump tells an address:\n%s", dump)
	}
	var transcript strings.Builder
	if r := replayOf(t, dump, &transcript); r.Broken != nil || r.Partial || r.Inexact ||
		r.Differs != 0 {
		t.Errorf("%+v\n%s\n%s", r, &transcript, dump)
	}
}
