package swarm

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/wire"
)

// relayed is an observation that changes the standing.
func relayed(port uint16) reach.Relayed {
	return reach.Relayed{Addrs: []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), port)}}
}

// Listeners hear the present standing, then each change in order, also one that a listener
// causes, and nothing after stop.
func TestListenersHearTheStanding(t *testing.T) {
	var s standing
	now := time.Now()
	s.init(now)
	var heard, late []uint16
	observe := func(port uint16) {
		s.observe(now, relayed(port))
		for s.tell() {
		}
	}
	port := func(is reach.Standing) uint16 {
		if len(is.Relayed) == 0 {
			return 0
		}
		return is.Relayed[0].Port()
	}
	stop := s.listen(func(is reach.Standing) {
		heard = append(heard, port(is))
		if port(is) == 1 {
			s.observe(now, relayed(2))
		}
	})
	s.tell()
	observe(1)
	observe(2) // no change
	defer s.listen(func(is reach.Standing) { late = append(late, port(is)) })()
	s.tell()
	observe(3)
	stop()
	stop()
	observe(4)
	if want := []uint16{0, 1, 2, 3}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if want := []uint16{2, 3, 4}; !slices.Equal(late, want) {
		t.Errorf("the late listener heard %v, want %v", late, want)
	}
}

// Whatever many goroutines observe, a listener ends up with the last standing.
func TestListenersKeepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s standing
		now := time.Now()
		s.init(now)
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		defer wait.Wait()
		defer cancel()
		wait.Go(func() { s.run(ctx) })
		var last reach.Standing // calls never overlap: the race detector would see it
		defer s.listen(func(is reach.Standing) { last = is })()
		var observers sync.WaitGroup
		for i := range 8 {
			observers.Go(func() {
				for j := range 50 {
					s.observe(now, relayed(uint16(100*i+j)))
				}
			})
		}
		observers.Wait()
		synctest.Wait()
		if !last.Equal(s.now()) || len(last.Relayed) == 0 {
			t.Errorf("the listener heard %v last, and the standing is %v", last, s.now())
		}
	})
}

// An engine says where it listens, and a new address makes what was seen at the old one void.
func TestEngineKnowsWhereItListens(t *testing.T) {
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if is := e.Reach(); is.UTP != reach.None || is.TCP != reach.None {
		t.Errorf("an engine on loopback is %v", is)
	}
	public := netip.MustParseAddr("50.0.0.1")
	e.Observe(reach.Bound{Listen: []netip.AddrPort{netip.AddrPortFrom(public, 6881)},
		Machine: []netip.Addr{public}})
	if is := e.Reach(); is.UTP != reach.Open || is.TCP != reach.Open {
		t.Errorf("an engine at a public address is %v", is)
	}
	if err := e.Rebind([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}); err != nil {
		t.Fatal(err)
	}
	if is := e.Reach(); is.UTP != reach.None || is.External4.IsValid() {
		t.Errorf("an engine back on loopback is %v", is)
	}
}

// The machine has its ticks when it wants them, and no sooner.
func TestStandingTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s standing
		s.init(time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		defer wait.Wait()
		defer cancel()
		wait.Go(func() { s.run(ctx) })
		s.tick(time.Now()) // nothing to do
		at := netip.MustParseAddrPort("0.0.0.0:6881")
		s.observe(time.Now(), reach.Bound{Listen: []netip.AddrPort{at},
			Machine: []netip.Addr{netip.MustParseAddr("192.168.1.2")}})
		for i := range 3 {
			s.observe(time.Now(), reach.Seen{By: netip.AddrFrom4([4]byte{60, 0, byte(i), 1}),
				As: netip.MustParseAddrPort("50.0.0.1:7"), Via: reach.DHT})
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if is := s.now(); is.Filtering != reach.FilteringUnknown || is.UTP != reach.Punch {
			t.Errorf("after 20 s: %+v", is)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if is := s.now(); is.Filtering != reach.FilteringRestricted {
			t.Errorf("after 31 s: %+v", is)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if is := s.now(); is.External4.IsValid() {
			t.Errorf("after an hour without votes: %+v", is)
		}
	})
}

// Peers that we have dialled say how they see us, each once; those beyond a relay do not
// count.
func TestPeersSayHowTheySeeUs(t *testing.T) {
	e := &Engine{}
	now := time.Now()
	e.standing.init(now)
	e.Observe(reach.Bound{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:6881")}})
	tr := &Torrent{engine: e}
	says := func(ip string) *wire.Message {
		h := wire.ExtHandshake{YourIP: netip.MustParseAddr(ip)}
		return &wire.Message{ID: wire.Extended, Ext: wire.ExtHandshakeNumber,
			Payload: wire.AppendExtHandshake(nil, h)}
	}
	peer := func(n byte, over endpoint.Transport, outgoing bool) *link {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{60, 0, n, 1}), 6881)
		return &link{torrent: tr, endpoint: endpoint.IP(at), over: over, outgoing: outgoing}
	}
	for i := range byte(4) {
		peer(i, endpoint.TransportRelay, true).hearAddress(says("50.0.0.1"))
		peer(10+i, endpoint.TransportTCP, false).hearAddress(says("50.0.0.1"))
		peer(20+i, endpoint.TransportTCP, true).hearAddress(&wire.Message{ID: wire.Extended,
			Ext: wire.ExtHandshakeNumber, Payload: []byte("i1e")})
		peer(30+i, endpoint.TransportTCP, true).hearAddress(&wire.Message{ID: wire.Unchoke})
	}
	if is := e.Reach(); is.External4.IsValid() {
		t.Errorf("those who cannot know say %v", is.External4)
	}
	first := peer(1, endpoint.TransportTCP, true)
	for range 5 {
		first.hearAddress(says("51.0.0.1"))
		first.hearAddress(says("50.0.0.1"))
	}
	if is := e.Reach(); is.External4.IsValid() {
		t.Errorf("one peer says %v", is.External4)
	}
	for i := range byte(3) {
		peer(2+i, endpoint.TransportUTP, true).hearAddress(says("50.0.0.1"))
	}
	if is := e.Reach(); is.External4.String() != "50.0.0.1:0" {
		t.Errorf("three peers say %v", is.External4)
	}
}
