package swarm

import (
	"net"
	"net/netip"
	"testing"

	"swarmnode/swarm/endpoint"
)

// A localConn is a stream of which only our own address is known.
type localConn struct {
	net.Conn
	local net.Addr
}

func (c localConn) LocalAddr() net.Addr { return c.local }

// TestLinkIsLost: a stream from an address that is gone is lost. One by uTP whose socket
// has no address of its own is lost with each address of the family.
func TestLinkIsLost(t *testing.T) {
	v4, v6, local := addresses("192.0.2.1"), addresses("2001:db8::1"), addresses("127.0.0.1")
	for _, c := range []struct {
		over          endpoint.Transport
		local, remote string
		gone          addressSet
		want          bool
	}{
		{byTCP, "192.0.2.1", "60.0.0.1", v4, true},
		{byTCP, "192.0.2.2", "60.0.0.1", v4, false},
		{byUTP, "192.0.2.1", "60.0.0.1", v4, true},
		{byUTP, "192.0.2.2", "60.0.0.1", v4, false},
		{byUTP, "0.0.0.0", "60.0.0.1", v4, true},
		{byUTP, "0.0.0.0", "60.0.0.1", v6, false},
		{byUTP, "0.0.0.0", "60.0.0.1", local, false},
		{byUTP, "0.0.0.0", "127.0.0.1", v4, false},
		{byUTP, "::", "2001:db8::9", v6, true},
		{byUTP, "::", "2001:db8::9", v4, false},
	} {
		at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.local), 1))
		l := &link{conn: localConn{local: at}, over: c.over,
			endpoint: endpoint.IP(netip.AddrPortFrom(netip.MustParseAddr(c.remote), 2))}
		if got := l.lost(c.gone); got != c.want {
			t.Errorf("%v from %s to %s without %v: lost %v, want %v", c.over, c.local, c.remote,
				c.gone, got, c.want)
		}
	}
	if (&link{endpoint: endpoint.WebSeed(1)}).lost(v4) {
		t.Error("a web seed is lost with an address")
	}
}
