package swarm

import (
	"net/netip"
	"testing"
)

// Renew makes other sockets at the same addresses, more than once, and not after Close.
func TestRenew(t *testing.T) {
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	addrs := e.Addrs()
	old := e.ports.all()[0]
	// The address is that of the old sockets, which are not bound to a vanished interface
	// here: so the first attempt finds the port in use, and gives them up.
	if err := e.Renew(); err == nil {
		t.Fatal("two sockets at one address")
	}
	if err := e.Renew(); err != nil {
		t.Fatal(err)
	}
	if got := e.Addrs(); got[0] != addrs[0] {
		t.Errorf("at %v, want %v", got, addrs)
	}
	if e.ports.all()[0] == old {
		t.Error("the sockets are the old ones")
	}
	if conns := e.PacketConns(); len(conns) != 1 {
		t.Errorf("%d sockets for the DHT", len(conns))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Renew(); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}
