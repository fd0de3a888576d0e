package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"swarmnode/swarm/book"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport/socks"
)

// A refusingProxy fails every request with the same error.
type refusingProxy struct{ err error }

func (p refusingProxy) DialTCP(context.Context, string, uint16) (net.Conn, error) {
	return nil, p.err
}

func (p refusingProxy) DialUDP(context.Context, string, uint16) (net.Conn, error) {
	return nil, p.err
}

// listenProxied returns an engine behind a proxy.
func listenProxied(t *testing.T, err error) *Engine {
	t.Helper()
	n, failed := egress.New(egress.Config{Proxy: refusingProxy{err}})
	if failed != nil {
		t.Fatal(failed)
	}
	e, failed := Listen(Config{Net: n, Listen: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:0")}})
	if failed != nil {
		t.Fatal(failed)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// An engine behind a proxy listens nowhere, and has no address to tell.
func TestProxiedEngineListensNowhere(t *testing.T) {
	e := listenProxied(t, errors.ErrUnsupported)
	if len(e.Addrs()) > 0 || e.Addr().IsValid() || len(e.PacketConns()) > 0 ||
		len(*e.own.Load()) > 0 {
		t.Errorf("it listens on %v, %v", e.Addrs(), *e.own.Load())
	}
	if err := e.Rebind([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}); err != nil ||
		len(e.Addrs()) > 0 {
		t.Errorf("it listens on %v: %v", e.Addrs(), err)
	}
	if err := e.Renew(); err != nil || len(e.Addrs()) > 0 {
		t.Errorf("it listens on %v: %v", e.Addrs(), err)
	}
}

// Strangers do not send us into the network of the proxy. A peer of the user there is dialled
// again when its connection broke.
func TestNearProxy(t *testing.T) {
	proxied := listenProxied(t, errors.ErrUnsupported)
	direct, err := Listen(Config{Listen: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	for _, tt := range []struct {
		addr string
		told limit.Told
		near bool
	}{
		{"192.0.2.1:6881", limit.ByRumour, false},
		{"[2001:db8::1]:6881", limit.ByRumour, false},
		{"10.0.0.1:6881", limit.ByRumour, true},
		{"127.0.0.1:6881", limit.ByRumour, true},
		{"[::1]:6881", limit.ByRumour, true},
		{"10.0.0.1:6881", limit.Introduced, true},
		{"192.0.2.1:6881", limit.Introduced, false},
		{"10.0.0.1:6881", limit.ByItself, false},
		{"192.168.1.1:6881", limit.ByUser, false},
	} {
		to := endpoint.IP(netip.MustParseAddrPort(tt.addr))
		if got := proxied.nearProxy(to, tt.told); got != tt.near {
			t.Errorf("%s, %v: near is %v, want %v", tt.addr, tt.told, got, tt.near)
		}
		if direct.nearProxy(to, tt.told) {
			t.Errorf("%s is near a proxy that is not there", tt.addr)
		}
	}
}

// A failure of the proxy is no fault of the peer, and its replies say what the system would.
func TestProxyFaults(t *testing.T) {
	away := fmt.Errorf("dialling: %w", &socks.ServerError{Err: errors.New("away")})
	if !blameless(away) || blameless(&socks.ReplyError{Reply: socks.ConnectionRefused}) ||
		blameless(errors.New("other")) {
		t.Error("the wrong one is blamed")
	}
	closed := fmt.Errorf("dialling: %w", &net.OpError{Op: "dial", Err: net.ErrClosed})
	if !blameless(closed) || isThere(closed) {
		t.Error("the peer is blamed for a port that we gave up")
	}
	for reply, want := range map[socks.Reply]book.Fault{
		socks.ConnectionRefused: book.FaultRefused, socks.Expired: book.FaultTimeout,
		socks.HostUnreachable: book.FaultUnreachable, socks.GeneralFailure: book.FaultOther,
	} {
		if got := faultOf(&socks.ReplyError{Reply: reply}); got != want {
			t.Errorf("%v: got %v, want %v", reply, got, want)
		}
	}
	for err, want := range map[error]book.Fault{
		errNearProxy: book.FaultInward, fmt.Errorf("call: %w", errNoWay): book.FaultNoWay,
	} {
		if got := faultOf(err); got != want || isThere(err) {
			t.Errorf("%v: got %v, there %v, want %v", err, got, isThere(err), want)
		}
	}
}
