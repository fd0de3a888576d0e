package swarm

import (
	"net"
	"net/netip"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// A dial over a port that is given up in the middle is no fault of the peer.
func TestDialOverPortGivenUp(t *testing.T) {
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	e, err := Listen(Config{Listen: []netip.AddrPort{loopback}, NoTCP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c := callTo(limit.ByUser, metainfo.Hash{1})
	c.to = endpoint.IP(silent.LocalAddr().(*net.UDPAddr).AddrPort())
	failed := make(chan error)
	go func() {
		_, err := e.dialer.meet(t.Context(), c)
		failed <- err
	}()
	if _, _, err := silent.ReadFrom(make([]byte, 1500)); err != nil {
		t.Fatal(err)
	}
	e.Renew() // closes the port, and fails if that comes too late for binding it again
	if err := <-failed; err == nil || !blameless(err) {
		t.Errorf("the dial failed with %v", err)
	}
}
