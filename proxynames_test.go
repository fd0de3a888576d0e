package swarmnode

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/dht"
	"swarmnode/internal/socksserver"
	"swarmnode/swarm/transport/socks"
)

// newRelayed returns a namingConn over a proxy that knows hosts, once it has a relay.
func newRelayed(t *testing.T, hosts map[string]string) *namingConn {
	t.Helper()
	s := socksserver.Start(t, socksserver.Options{Hosts: hosts})
	server, err := socks.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan error, 10)
	c := newNamingConn(socks.New(socks.Config{Server: server}).PacketConn(func(err error) {
		up <- err
	}))
	t.Cleanup(func() { c.Close() })
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	return c
}

// read reads from c until it is closed.
func read(c *namingConn) {
	b := make([]byte, 2048)
	for {
		if _, _, err := c.ReadFrom(b); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// A DHT node answers a ping by name, and so its address is known.
func TestNamesByPing(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	node, err := dht.New(dht.Config{Conns: []net.PacketConn{pc}})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	at := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	c := newRelayed(t, map[string]string{"router.example": "127.0.0.1"})
	go read(c)
	ip, err := c.find(t.Context(), "router.example", at.Port())
	if err != nil || ip != at.Addr() {
		t.Errorf("got %v, %v, want %v", ip, err, at.Addr())
	}
	if c.pings.Load() != 0 || len(c.waiting) != 0 {
		t.Error("a ping is left over")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if ip, err := c.find(ctx, "unknown.example", at.Port()); err == nil {
		t.Errorf("an unknown name has the address %v", ip)
	}
}

// What does not answer a ping leads to no address.
func TestNamesAreNotForged(t *testing.T) {
	c := newRelayed(t, nil)
	answer := make(chan netip.AddrPort, 1)
	id := [transactionBytes]byte([]byte("abcdefgh"))
	c.waiting[id] = answer
	from := netip.MustParseAddrPort("192.0.2.1:6881")
	for _, b := range []string{"", "d", "d1:t8:", "d1:t8:abcdefg", "d1:t8:abcdefgX1:y1:re",
		"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t8:abcdefgh1:y1:qe", "d1:y1:r1:t8:abcd"} {
		c.heard([]byte(b), from)
	}
	if len(answer) != 0 {
		t.Error("an address was taken from it")
	}
	c.heard([]byte("d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t8:abcdefgh1:y1:re"), from)
	if got := <-answer; got != from {
		t.Errorf("got %v", got)
	}
}
