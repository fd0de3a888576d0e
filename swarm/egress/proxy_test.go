package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// errAsked is the answer of a fakeProxy.
var errAsked = errors.New("asked")

// A fakeProxy records what it is asked for.
type fakeProxy struct{ asked []string }

func (p *fakeProxy) DialTCP(_ context.Context, host string, port uint16) (net.Conn, error) {
	p.asked = append(p.asked, fmt.Sprintf("tcp %s %d", host, port))
	return nil, errAsked
}

func (p *fakeProxy) DialUDP(_ context.Context, host string, port uint16) (net.Conn, error) {
	p.asked = append(p.asked, fmt.Sprintf("udp %s %d", host, port))
	return nil, errAsked
}

// Connections to others lead through the proxy, with names as they are.
func TestProxyIsAsked(t *testing.T) {
	p := new(fakeProxy)
	n, err := New(Config{Proxy: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.DialTCP(t.Context(), netip.Addr{},
		netip.MustParseAddrPort("[::ffff:192.0.2.1]:6881")); !errors.Is(err, errAsked) {
		t.Errorf("DialTCP: %v", err)
	}
	refused := errors.New("refused")
	check := func(host string) error {
		if host == "inner.example" {
			return refused
		}
		return nil
	}
	address := func(netip.AddrPort) error {
		t.Error("an address was judged, which nobody here knows")
		return nil
	}
	for _, host := range []string{"tracker.example", "2001:db8::1", "inner.example"} {
		_, err := n.DialHost(t.Context(), Host{Name: host, Port: 80, Check: address,
			CheckName: check})
		want := errAsked
		if host == "inner.example" {
			want = refused
		}
		if !errors.Is(err, want) {
			t.Errorf("DialHost to %s: %v, want %v", host, err, want)
		}
	}
	want := []string{"tcp 192.0.2.1 6881", "tcp tracker.example 80", "tcp 2001:db8::1 80"}
	if !slices.Equal(p.asked, want) {
		t.Errorf("the proxy was asked for %q, want %q", p.asked, want)
	}
}

// What a proxy cannot do is not done in another way.
func TestProxyFailsClosed(t *testing.T) {
	p := new(fakeProxy)
	n, err := New(Config{Proxy: p})
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	lo := &net.Interface{Index: 1, Name: "lo"}
	for name, err := range map[string]error{
		"ListenTCP": second(n.ListenTCP(t.Context(), loopback)),
		"ListenUDP": second(n.ListenUDP(t.Context(), loopback)),
		"ListenMulticast": second(n.ListenMulticast(lo,
			netip.MustParseAddrPort("239.192.152.143:6771"))),
		"DialUDP": second(n.DialUDP(netip.Addr{}, netip.MustParseAddrPort("127.0.0.1:9"))),
	} {
		if !errors.Is(err, ErrProxied) {
			t.Errorf("%s: %v, want ErrProxied", name, err)
		}
	}
	for _, lookUp := range []func() error{
		func() error { return second(n.LookupNetIP(t.Context(), Any, "localhost")) },
		func() error { return second(n.LookupHostPort(t.Context(), "localhost:80")) },
	} {
		var dns *net.DNSError
		if err := lookUp(); !errors.As(err, &dns) {
			t.Errorf("a name was looked up: %v", err)
		}
	}
	four, err := New(Config{Proxy: p, Family: IPv4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := four.DialTCP(t.Context(), netip.Addr{},
		netip.MustParseAddrPort("[2001:db8::1]:6881")); !errors.Is(err, ErrFamily) {
		t.Errorf("an address of a family that is off: %v", err)
	}
	if len(p.asked) > 0 {
		t.Errorf("the proxy was asked for %q", p.asked)
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }
