package utp

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// A socket that is bound to all addresses keeps to the one that its peer has dialled, and both
// ends know their own.
func TestConnectionsKeepTheirAddress(t *testing.T) {
	everywhere, err := Listen(t.Context(), netip.MustParseAddrPort("0.0.0.0:0"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer everywhere.Close()
	port := everywhere.AddrPort().Port()
	for _, ip := range []string{"127.0.0.1", "127.0.0.77"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), port)
		a, err := everywhere.Dial(t.Context(), listen(t).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		if got := a.LocalAddr().(*net.UDPAddr).AddrPort(); got != netip.AddrPortFrom(
			netip.MustParseAddr("127.0.0.1"), port) {
			t.Errorf("dialled from %v", got)
		}
		a, err = listen(t).Dial(t.Context(), at)
		if err != nil {
			t.Fatalf("dialling %v: %v", at, err)
		}
		b, err := everywhere.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := b.LocalAddr().(*net.UDPAddr).AddrPort(); got != at {
			t.Errorf("accepted at %v, want %v", got, at)
		}
		go b.Write(make([]byte, 300_000))
		a.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(a, make([]byte, 300_000)); err != nil {
			t.Error(err)
		}
		b.Close()
	}
}
