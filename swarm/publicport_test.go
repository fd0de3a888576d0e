package swarm

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/reach"
)

// The port to announce is that of TCP where others can connect, or else that by which a NAT
// lets in those to whom we send.
func TestPublicPort(t *testing.T) {
	at := netip.MustParseAddrPort
	var none netip.AddrPort
	for _, c := range []struct {
		name     string
		tcp, udp netip.AddrPort
		want     uint16
	}{
		{"nothing is known", none, none, 0},
		{"mapped", at("9.9.9.9:5000"), at("9.9.9.9:5001"), 5000},
		{"seen", none, at("9.9.9.9:5001"), 5001},
		{"another one for each destination", none, at("9.9.9.9:0"), 0},
		{"ours", at("9.9.9.9:1000"), at("9.9.9.9:5001"), 0},
		{"seen as ours", none, at("9.9.9.9:1000"), 0},
	} {
		if got := publicPort(c.tcp, c.udp, 1000); got != c.want {
			t.Errorf("%s: port %d, want %d", c.name, got, c.want)
		}
	}
}

// Changes of the public ports are told at once, and those that come too fast later.
func TestPublicPortsTakeTurns(t *testing.T) {
	var p publicPorts
	p.init()
	now := time.Now()
	if p.turn(now) {
		t.Error("told of nothing")
	}
	for port := range uint16(publicBurst) {
		p.hear(1000+port, 6)
		if !p.turn(now) || p.turn(now) {
			t.Errorf("change %d was not told once", port)
		}
		if four, six := p.get(); four != 1000+port || six != 6 {
			t.Errorf("told of %d and %d", four, six)
		}
	}
	p.hear(2000, 6)
	if p.turn(now) || p.turn(now.Add(publicPause-1)) {
		t.Error("told too often")
	}
	if !p.turn(now.Add(publicPause)) {
		t.Error("a change was lost")
	}
	if four, _ := p.get(); four != 2000 {
		t.Errorf("told of %d, want 2000", four)
	}
}

// What a router maps is announced by family, and the engine does not dial itself there.
func TestMappedPortIsAnnounced(t *testing.T) {
	changed := make(chan struct{}, 1)
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")},
		PortsChanged: func() { changed <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	own := e.Addr().Port()
	if four, six := e.PublicPorts(); four != own || six != 0 {
		t.Errorf("ports %d and %d, want %d and none", four, six, own)
	}
	outside := netip.MustParseAddrPort("9.9.9.9:7")
	e.Observe(reach.Mappings{Ports: []reach.MappedPort{
		{TCP: true, Port: own, External: outside, By: "PCP"}}})
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatal("nobody was told of the mapped port")
	}
	if four, six := e.PublicPorts(); four != 7 || six != 0 {
		t.Errorf("ports %d and %d, want 7 and none", four, six)
	}
	if e.publicPort(false) != 7 || e.publicPort(true) != 0 {
		t.Error("a family has the port of the other one")
	}
	for _, at := range *e.own.Load() {
		if at == outside {
			return
		}
	}
	t.Errorf("%v is not among our own addresses", outside)
}
