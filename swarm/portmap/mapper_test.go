package portmap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/egress"
)

// A noProxy is a proxy that is never asked.
type noProxy struct{ t *testing.T }

func (p noProxy) DialTCP(context.Context, string, uint16) (net.Conn, error) {
	p.t.Error("the proxy was asked")
	return nil, errors.ErrUnsupported
}

func (p noProxy) DialUDP(context.Context, string, uint16) (net.Conn, error) {
	p.t.Error("the proxy was asked")
	return nil, errors.ErrUnsupported
}

// Behind a proxy nobody is asked, and the state says why.
func TestProxied(t *testing.T) {
	n, err := egress.New(egress.Config{Proxy: noProxy{t}})
	if err != nil {
		t.Fatal(err)
	}
	m := New(Config{Net: n, Changed: func() { t.Error("something has changed") }})
	m.Set([]Want{{TCP, 6881, netip.Addr{}}})
	m.NetworkChanged()
	if list := m.State(); len(list) != 1 || !errors.Is(list[0].Err, egress.ErrProxied) {
		t.Errorf("got %+v", list)
	}
	m.Close(t.Context())
	m.Close(t.Context())
}

// Without a router that is known, the state says so; what cannot be mapped is told apart.
func TestNoGateway(t *testing.T) {
	n, err := egress.New(egress.Config{Device: "lo"})
	if err != nil {
		t.Skip(err)
	}
	changed := make(chan struct{}, 1)
	m := New(Config{Net: n, Changed: func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}})
	wants := []Want{{TCP, 0, netip.Addr{}}, {99, 1, netip.Addr{}}}
	for i := range wantsMax {
		wants = append(wants, Want{UDP, uint16(1000 + i), netip.Addr{}})
	}
	m.Set(wants)
	<-changed
	list := m.State()
	if len(list) != len(wants) {
		t.Fatalf("got %d rows", len(list))
	}
	for i, row := range list {
		want := ErrNoGateway
		switch {
		case i < 2:
			want = ErrWant
		case i >= wantsMax:
			want = ErrTooMany
		}
		if !errors.Is(row.Err, want) || row.Want != wants[i] || row.External.IsValid() {
			t.Errorf("row %d: %+v, want %v", i, row, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m.Close(ctx)
	if list := m.State(); !errors.Is(list[5].Err, ErrClosed) || ctx.Err() != nil {
		t.Errorf("after Close: %+v", list[5])
	}
	m.Set(nil) // does nothing
	m.NetworkChanged()
}

// From which addresses a router is asked.
func TestLocals(t *testing.T) {
	prefixes := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.5/8"), netip.MustParsePrefix("192.168.1.2/24"),
		netip.MustParsePrefix("fe80::2/64"), netip.MustParsePrefix("fd00::2/64"),
		netip.MustParsePrefix("2001:db8::2/64"), netip.MustParsePrefix("2001:db8::3/64"),
		netip.MustParsePrefix("2001:db8::4/64"), netip.MustParsePrefix("2001:db8::5/64"),
		netip.MustParsePrefix("2001:db8::6/64"),
	}
	if got := locals(router4, prefixes, nil); len(got) != 1 || got[0] != local4 {
		t.Errorf("in its network: %v", got)
	}
	if got := locals(netip.MustParseAddr("172.16.0.1"), prefixes, nil); len(got) != 1 ||
		got[0] != netip.MustParseAddr("10.0.0.5") {
		t.Errorf("outside: %v", got)
	}
	if got := locals(router6, prefixes, nil); len(got) != localsMax ||
		got[0] != netip.MustParseAddr("2001:db8::2") {
		t.Errorf("IPv6: %v", got)
	}
	if got := locals(local4, prefixes, nil); len(got) != 0 {
		t.Errorf("we are the router: %v", got)
	}
	named := []Want{{TCP, 1, netip.MustParseAddr("10.0.0.5")},
		{TCP, 1, netip.MustParseAddr("2001:db8::6")}}
	if got := locals(router4, prefixes, named); len(got) != 2 || got[0] != local4 {
		t.Errorf("with another one that is named: %v", got)
	}
	if got := locals(router6, prefixes, named); got[0] != named[1].Addr {
		t.Errorf("IPv6 with one that is named: %v", got)
	}
}
