package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/egress"
)

// loopback is where servers of tests listen and lend.
var loopback = netip.MustParseAddr("127.0.0.1")

// serve starts a server on this machine that relays to any of its addresses. change may be nil.
func serve(t testing.TB, change func(*ServerConfig)) *Server {
	t.Helper()
	cfg := ServerConfig{
		Listen: []netip.AddrPort{netip.AddrPortFrom(loopback, 0)},
		Lend:   []Lent{{Public: loopback}}, Keys: NewKeys(time.Now()), anywhere: true,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := Serve(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// configFor returns what a client at ip needs for an allocation of s.
func configFor(s *Server, ip netip.Addr, transport Transport) Config {
	user, password := s.cfg.Keys.Credentials(ip, time.Now())
	return Config{Local: ip, Server: URI{Host: s.Addrs()[0].Addr().String(),
		Port: s.Addrs()[0].Port(), Transport: transport, User: user, Password: password}}
}

// allocate gets an allocation of s for a client at ip.
func allocate(t testing.TB, s *Server, ip string, transport Transport) *Allocation {
	t.Helper()
	a, err := Dial(t.Context(), configFor(s, netip.MustParseAddr(ip), transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// socket returns a UDP socket at an address of this machine.
func socket(t testing.TB, ip string) *net.UDPConn {
	t.Helper()
	return socketAt(t, netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
}

// socketAt returns a UDP socket at an address and port.
func socketAt(t testing.TB, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	var n *egress.Net
	pc, err := n.ListenUDP(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

// letIn lets hosts through.
func letIn(t testing.TB, a *Allocation, hosts ...string) {
	t.Helper()
	var ips []netip.Addr
	for _, host := range hosts {
		ips = append(ips, netip.MustParseAddr(host))
	}
	if err := a.Permit(t.Context(), ips); err != nil {
		t.Fatal(err)
	}
}

// packet returns a datagram that looks like uTP, with text in it.
func packet(text string) []byte {
	return append(append([]byte{0x01}, make([]byte, 19)...), text...)
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// receive reads a datagram, with its sender.
func receive(t testing.TB, pc net.PacketConn) (string, netip.AddrPort) {
	t.Helper()
	_ = pc.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 2048)
	n, from, err := pc.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[min(n, 20):n]), addrPortOf(from)
}

// send sends a datagram.
func send(t testing.TB, pc net.PacketConn, text string, to netip.AddrPort) {
	t.Helper()
	if _, err := pc.WriteTo(packet(text), net.UDPAddrFromAddrPort(to)); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the end of an allocation.
func ended(t testing.TB, a *Allocation) error {
	t.Helper()
	select {
	case <-a.Done():
		return a.Err()
	case <-time.After(patience):
		t.Fatal("the allocation goes on")
		return nil
	}
}
