//go:build linux

package portmap

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/swarm/egress"
)

// A mapped is a Mapper whose changes can be waited for.
type mapped struct {
	*Mapper
	t       *testing.T
	changed chan struct{}
}

// startMapper starts a Mapper.
func startMapper(t *testing.T, cfg Config) *mapped {
	t.Helper()
	m := &mapped{t: t, changed: make(chan struct{}, 1)}
	cfg.Changed = func() {
		select {
		case m.changed <- struct{}{}:
		default:
		}
	}
	m.Mapper = New(cfg)
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// await waits until all mappings of the Mapper are as wanted.
func (m *mapped) await(what string, want func(*Mapping) bool) []Mapping {
	m.t.Helper()
	timeout := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond) // for changes of Until alone
	defer tick.Stop()
	for {
		list := m.State()
		if len(list) > 0 && !slices.ContainsFunc(list, func(r Mapping) bool { return !want(&r) }) {
			return list
		}
		select {
		case <-m.changed:
		case <-tick.C:
		case <-timeout:
			m.t.Fatalf("timed out: %s: %+v", what, list)
		}
	}
}

// near waits until a host of the internet reaches an address: a busy machine may be late.
func near(t *testing.T, proto Proto, at netip.AddrPort) {
	t.Helper()
	for began := time.Now(); !reached(t, proto, at); {
		if time.Since(began) > patience {
			t.Fatalf("%v %v is not reached from outside", proto, at)
		}
	}
}

// away waits until nobody reaches an address any more.
func away(t *testing.T, proto Proto, at netip.AddrPort) {
	t.Helper()
	for began := time.Now(); reached(t, proto, at); {
		if time.Since(began) > patience {
			t.Fatalf("%v %v is still reached", proto, at)
		}
	}
}

// only returns the methods that are left out where one is tested alone.
func only(one Method) (others []Method) {
	for _, m := range methods {
		if m != one {
			others = append(others, m)
		}
	}
	return others
}

// Ports are mapped by each method of a real router, can be reached from outside, are mapped
// again after the router has started again, renewed, and removed by Close.
func TestRouter(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	h := newHome(t, "")
	for _, c := range []struct {
		by      Method
		without []Method
	}{{PCP, only(PCP)}, {NATPMP, only(NATPMP)}, {UPnP, only(UPnP)}, {PCP, nil}} {
		name := fmt.Sprintf("%v alone", c.by)
		if c.without == nil {
			name = "all"
		}
		t.Run(name, func(t *testing.T) { oneMethod(t, h, c.by, c.without) })
	}
}

func oneMethod(t *testing.T, h *home, by Method, without []Method) {
	_, port := serve(t, ourIP)
	began := time.Now()
	cfg := Config{without: without} // the leases do not end before the test
	if without == nil {
		cfg.Lease = leaseMin
	}
	if by == UPnP { // multicast is what a device could break
		n, err := egress.New(egress.Config{Device: "eth0"})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Net = n
	}
	m := startMapper(t, cfg)
	local := netip.MustParseAddr(ourIP)
	m.Set([]Want{{TCP, port, local}, {UDP, port, local}})
	have := func(r *Mapping) bool { return r.By != None }
	list := m.await("mapped", have)
	t.Logf("mapped after %v", time.Since(began))
	for _, r := range list {
		if r.By != by || r.External.Addr() != netip.MustParseAddr(externalIP) || !r.Public() ||
			r.Gateway != netip.MustParseAddr(routerIP) || r.Local != local {
			t.Errorf("got %+v", r)
		}
		near(t, r.Want.Proto, r.External)
	}
	if without == nil {
		until := list[0].Until
		m.await("renewed", func(r *Mapping) bool { return r.Until.After(until) })
	}

	h.stop()
	h.start()
	restarted := time.Now()
	for _, r := range list {
		near(t, r.Want.Proto, r.External)
	}
	t.Logf("reached %v after the restart", time.Since(restarted))

	closing := time.Now()
	m.Close(t.Context())
	t.Logf("closed within %v", time.Since(closing))
	h.forgets(t, port)
	for _, r := range list {
		away(t, r.Want.Proto, r.External)
	}
}

// A Mapper takes over what another one with its secret has left behind.
func TestTakeover(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	newHome(t, "")
	_, port := serve(t, ourIP)
	cfg := Config{Secret: []byte("a secret of this machine"), without: only(PCP)}
	killed := New(cfg)
	want := []Want{{TCP, port, netip.MustParseAddr(ourIP)}}
	isMapped := func(r *Mapping) bool { return r.By == PCP }
	m := &mapped{Mapper: killed, t: t}
	m.Set(want)
	m.await("mapped", isMapped)
	killed.cancel() // it has no time to remove anything
	<-killed.done

	later := startMapper(t, cfg)
	later.Set(want)
	list := later.await("mapped again", isMapped)
	near(t, TCP, list[0].External)
	later.Close(t.Context())
	away(t, TCP, list[0].External)
}

// A port that another machine has mapped is left to it, and TCP and UDP get the same other
// one. The device is of version 1, which does not choose ports itself.
func TestConflict(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	newHome(t, "force_igd_desc_v1=yes\n")
	const other = "192.168.1.3"
	run(t, "ip addr add "+other+"/24 dev eth0")
	_, port := serve(t, ourIP)
	first := startMapper(t, Config{without: only(UPnP)})
	first.Set([]Want{{UDP, port, netip.MustParseAddr(other)}})
	have := func(r *Mapping) bool { return r.By == UPnP }
	taken := first.await("mapped for another machine", have)
	second := startMapper(t, Config{without: only(UPnP)})
	second.Set([]Want{{UDP, port, netip.IPv4Unspecified()}, {TCP, port, netip.IPv4Unspecified()}})
	list := second.await("mapped", have)
	if taken[0].External.Port() != port || taken[0].Local != netip.MustParseAddr(other) {
		t.Errorf("the first one: %+v", taken[0])
	}
	if len(list) != 2 || list[0].External.Port() == port || list[1].External != list[0].External ||
		list[0].Local != netip.MustParseAddr(ourIP) {
		t.Errorf("the second one: %+v", list)
	}
	for _, r := range list {
		near(t, r.Want.Proto, r.External)
	}
}

// The firewall of a router lets others reach an IPv6 port while a Mapper asks for it.
func TestPinholes(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	h := newHome(t, "")
	for _, by := range []Method{PCP, UPnP} {
		t.Run(by.String(), func(t *testing.T) {
			_, port := serve(t, ourIP6)
			at := netip.AddrPortFrom(netip.MustParseAddr(ourIP6), port)
			if reached(t, TCP, at) {
				t.Fatal("the router has no firewall")
			}
			began := time.Now()
			cfg := Config{without: only(by)}
			if by == UPnP {
				cfg.Lease = leaseMin
			}
			m := startMapper(t, cfg)
			// A port that is open at all addresses of IPv6 has nothing to do with IPv4.
			m.Set([]Want{{TCP, port, netip.IPv6Unspecified()}, {UDP, port, at.Addr()}})
			list := m.await("mapped", func(r *Mapping) bool { return r.By == by })
			t.Logf("mapped after %v", time.Since(began))
			for _, r := range list {
				if r.External != at || !r.Public() || len(list) != 2 {
					t.Errorf("got %+v", r)
				}
				near(t, r.Want.Proto, at)
			}
			if by == UPnP { // of PCP, miniupnpd 2.3 does not remove what it has renewed
				until := list[0].Until
				m.await("renewed", func(r *Mapping) bool { return r.Until.After(until) })
				near(t, TCP, at)
			}
			m.Close(t.Context())
			h.forgets(t, port)
			away(t, TCP, at)
		})
	}
}
