//go:build linux

package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// Two hosts whose home routers give each destination another port meet at a relay alone. One
// of them has an allocation, through the port that it uses for everything; the other one knows
// nothing of relays.
func TestBehindNATs(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	l := lab.Open(t)
	// The routers are 198.18.1.2 and 198.18.2.2, and the internet is 198.18.1.1.
	ours, theirs := behind(t, l, "ours"), behind(t, l, "theirs")
	internet, home := netip.MustParseAddr("198.18.1.1"), netip.MustParseAddr("198.18.2.2")
	const rate = 500_000
	s := serve(t, func(c *ServerConfig) {
		c.Listen = []netip.AddrPort{netip.AddrPortFrom(internet, 0)}
		c.Lend = []Lent{{Public: internet}}
		c.Limits = Limits{TenantRate: rate, TenantBurst: 50_000}
	})

	m := udpmux.New(port(t, ours))
	defer m.Close()
	cfg := configFor(s, netip.MustParseAddr("198.18.1.2"), UDP)
	cfg.Shared = Share(m)
	start := time.Now()
	a, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.Mapped().Addr() != netip.MustParseAddr("198.18.1.2") {
		t.Errorf("mapped to %v", a.Mapped())
	}
	letIn(t, a, home.String())
	over := udpmux.New(a)
	defer over.Close()
	socket := utp.NewSocket(over, utp.Config{DatagramMax: DatagramMax})
	defer socket.Close()
	peerMux := udpmux.New(port(t, theirs))
	defer peerMux.Close()
	peer := utp.NewSocket(peerMux, utp.Config{})
	defer peer.Close()
	from, err := peer.Dial(t.Context(), a.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	to, err := socket.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("connected after %v", time.Since(start))
	wantShare(t, "in", from, to, rate)
	wantShare(t, "out", to, from, rate)
}

// behind adds a host behind a router that gives each destination another port.
func behind(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	h, err := l.Behind(name, 20, true)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// port returns a UDP socket on a host.
func port(t *testing.T, h *lab.Host) (pc net.PacketConn) {
	t.Helper()
	if err := h.Do(func() error {
		pc = socketAt(t, netip.AddrPortFrom(h.Addr, 0))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return pc
}
