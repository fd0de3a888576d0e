package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// A user of streams alone does without a UDP socket that the system does not make. A port that is
// in use is still another program's.
func TestStreamsWithoutUDP(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:0")
	for _, tt := range []struct {
		why   error
		alone bool // TCP is enough
	}{
		{errors.New("winapi error #10045"), true},
		{syscall.EPROTONOSUPPORT, true},
		{syscall.EADDRINUSE, false},
	} {
		fails := func(context.Context, netip.AddrPort) (*net.UDPConn, error) { return nil, tt.why }
		if _, err := bindPair(t.Context(), nil, at, fails); err == nil {
			t.Errorf("%v: a pair without UDP", tt.why)
		}
		p, err := bindPair(t.Context(), nil, at, unlessInUse(fails))
		if (err == nil) != tt.alone || err != nil && !errors.Is(err, ErrInUse) {
			t.Errorf("%v: %v", tt.why, err)
		}
		if err != nil {
			continue
		}
		if p.UDP != nil || p.AddrPort().Port() == 0 {
			t.Errorf("%v: %+v", tt.why, p)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	p, err := ListenStreams(t.Context(), nil, at)
	if err != nil || p.UDP == nil {
		t.Fatalf("where there is UDP: %+v, %v", p, err)
	}
	p.Close()
}
