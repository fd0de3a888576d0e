package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// hostN returns the n-th of many hosts.
func hostN(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{11, 0, byte(n >> 8), byte(n)})
}

func newPeers() *peers {
	p := new(peers)
	p.init()
	return p
}

func TestPermits(t *testing.T) {
	p := newPeers()
	a, b := hostN(1), hostN(2)
	lack, err := p.lacking(1, []netip.Addr{a, b})
	if err != nil || len(lack) != 2 {
		t.Fatalf("lack %v, %v", lack, err)
	}
	p.granted(1, lack)
	if lack, _ := p.lacking(2, []netip.Addr{a, b}); len(lack) != 0 {
		t.Errorf("lack %v with permits", lack)
	}
	// A permit is renewed before five minutes are over, while it is in use.
	if hosts := p.aging(permitRenewal, 8); len(hosts) != 0 {
		t.Errorf("renewing %v too early", hosts)
	}
	now := permitRenewal + 2
	for now < permitIdle {
		hosts := p.aging(now, 8)
		if len(hosts) != 2 {
			t.Fatalf("after %v: renewing %v", now, hosts)
		}
		p.granted(now, hosts)
		now += permitRenewal
	}
	p.permitted(now, a)
	if hosts := p.aging(now, 8); len(hosts) != 1 || hosts[0] != a {
		t.Errorf("renewing %v, want the host with traffic", hosts)
	}
	p.granted(now, []netip.Addr{a})
	p.aging(now+2*time.Minute, 8)
	if p.permitted(now, b) || !p.permitted(now, a) {
		t.Error("the permit without traffic counts after it has expired")
	}
}

func TestPermitsAreBounded(t *testing.T) {
	p := newPeers()
	for i := range PermitsMax {
		if _, err := p.lacking(1, []netip.Addr{hostN(i)}); err != nil {
			t.Fatal(i, err)
		}
		p.granted(1, []netip.Addr{hostN(i)})
	}
	if _, err := p.lacking(1, []netip.Addr{hostN(PermitsMax)}); !errors.Is(err, ErrPermits) {
		t.Errorf("one more: %v", err)
	}
	if _, err := p.lacking(1, []netip.Addr{hostN(3)}); err != nil {
		t.Errorf("one of them again: %v", err)
	}
	if _, err := p.lacking(1+permitLife, []netip.Addr{hostN(PermitsMax)}); err != nil {
		t.Errorf("after they have expired: %v", err)
	}
}

// Where permits are short, only those are renewed that were used since the last renewal.
func TestCrowdedPermitsLapse(t *testing.T) {
	for _, n := range []int{permitsCrowd - 1, permitsCrowd} {
		p := newPeers()
		for i := range n {
			p.granted(1, []netip.Addr{hostN(i)})
		}
		p.permitted(2, hostN(0))
		renewed := len(p.aging(1+permitRenewal, PermitsMax))
		if want := map[bool]int{true: 1, false: n}[n >= permitsCrowd]; renewed != want {
			t.Errorf("%d of %d are renewed, want %d", renewed, n, want)
		}
	}
}

// An address gets a channel with its third datagram, keeps it while it is in use, and loses it
// before the server forgets it. Its number rests until it is free on the server.
func TestChannels(t *testing.T) {
	p := newPeers()
	host := hostN(1)
	p.granted(1, []netip.Addr{host})
	to := netip.AddrPortFrom(host, 6881)
	if _, _, ok := p.way(1, netip.AddrPortFrom(hostN(2), 1)); ok {
		t.Error("a way to a host without a permit")
	}
	for i := 1; i <= 4; i++ {
		channel, worth, ok := p.way(1, to)
		if channel != 0 || worth != (i == routeWorth) || !ok {
			t.Fatalf("datagram %d: channel %x, worth one: %v, %v", i, channel, worth, ok)
		}
	}
	got, channel, ok := p.unbound(1)
	if !ok || got != to || channel != channelFirst {
		t.Fatalf("to bind: %v %x %v", got, channel, ok)
	}
	// The server may use the channel before its answer has come.
	if from, ok := p.from(1, channel); !ok || from != to {
		t.Errorf("from %v, %v", from, ok)
	}
	p.bound(1, to, channel, false)
	if n, _, _ := p.way(1, to); n != channelFirst {
		t.Errorf("the way has channel %x", n)
	}
	if _, _, ok := p.unbound(channelRenewal); ok {
		t.Error("renewed too early")
	}
	p.granted(channelRenewal, []netip.Addr{host})
	now := channelRenewal + 2
	if _, _, ok := p.unbound(now); ok {
		t.Error("renewed without traffic")
	}
	p.from(now, channel)
	if _, n, ok := p.unbound(now); !ok || n != channel {
		t.Errorf("not renewed: %x %v", n, ok)
	}
	// Without an answer, it ends.
	p.granted(channelLife, []netip.Addr{host})
	p.aging(channelLife+1, 8)
	if n, _, _ := p.way(channelLife+1, to); n != 0 {
		t.Errorf("channel %x is in use when the server may have forgotten it", n)
	}
	if _, ok := p.from(channelLife+1, channel); ok {
		t.Error("the channel goes on")
	}
	if _, n, _ := p.unbound(channelLife + 1); n != channelFirst+1 {
		t.Errorf("the next channel is %x", n)
	}
}

// A server that refuses a channel is not asked again.
func TestChannelRefused(t *testing.T) {
	p := newPeers()
	p.granted(1, []netip.Addr{hostN(1)})
	to := netip.AddrPortFrom(hostN(1), 6881)
	for range routeWorth {
		p.way(1, to)
	}
	_, channel, _ := p.unbound(1)
	p.bound(1, to, channel, true)
	if _, _, ok := p.unbound(1); ok {
		t.Error("asked again")
	}
	if n, _, ok := p.way(1, to); n != 0 || !ok {
		t.Errorf("the way has channel %x, %v", n, ok)
	}
}

// A host that sends from many ports takes up neither memory nor all channels.
func TestRoutesAreBounded(t *testing.T) {
	p := newPeers()
	p.granted(1, []netip.Addr{hostN(1)})
	for port := range uint16(2000) {
		for range 4 {
			p.way(1, netip.AddrPortFrom(hostN(1), 1024+port))
		}
		if to, channel, ok := p.unbound(1); ok {
			p.bound(1, to, channel, false)
		}
	}
	bound := 0
	for _, n := range p.numbers {
		if n.of != nil {
			bound++
		}
	}
	if len(p.routes) > routesMax || bound != channels {
		t.Errorf("%d routes, %d channels", len(p.routes), bound)
	}
	p.aging(permitLife+1, 8)
	if len(p.routes) != 0 || len(p.permits) != 0 {
		t.Errorf("%d routes, %d permits are left", len(p.routes), len(p.permits))
	}
	if _, ok := p.from(permitLife+1, channelFirst); ok {
		t.Error("a channel is left")
	}
}

func TestChannelsOfStrangers(t *testing.T) {
	p := newPeers()
	for _, channel := range []uint16{0, channelFirst - 1, channelFirst,
		channelFirst + channels, 0xffff} {
		if from, ok := p.from(1, channel); ok {
			t.Errorf("channel %s is of %v", fmt.Sprintf("%#x", channel), from)
		}
	}
}
