package limit

import (
	"net/netip"
	"testing"
)

func TestConnections(t *testing.T) {
	c := NewConnections(9, 2, NewHome([]netip.Addr{netip.IPv4Unspecified()}))
	ip := netip.MustParseAddr
	for i, step := range []struct {
		ip   string
		want bool
	}{
		{"192.0.2.1", true}, {"::ffff:192.0.2.1", true}, {"192.0.2.1", false},
		{"2002:c000:201::5", false},
		{"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, // where we listen
		{"127.0.0.2", true}, {"127.0.0.2", true}, {"127.0.0.2", false}, // where we do not
		{"2001:db8::1", true}, {"2001:db8::2", true}, {"2001:db8::3", false}, // one /64
		{"192.0.2.2", false},
	} {
		if got := c.TryAcquire(ip(step.ip)); got != step.want {
			t.Errorf("step %d, %s: %v, want %v", i, step.ip, got, step.want)
		}
	}
	if !c.Full() || c.Used() != 9 {
		t.Errorf("full %v, used %d, want full with 9", c.Full(), c.Used())
	}
	c.Release(ip("192.0.2.1"))
	if !c.TryAcquire(ip("192.0.2.2")) {
		t.Error("no place after a release")
	}
}

// A place that is promised is nobody else's, and the promise does not go beyond what a
// source may have.
func TestConnectionsPromised(t *testing.T) {
	c := NewConnections(2, 1, nil)
	a, b, d := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.3.1"),
		netip.MustParseAddr("192.0.4.1")
	if !c.TryAcquire(a) || !c.TryAcquire(b) {
		t.Fatal("no place")
	}
	c.Claim()
	if c.Redeem(d) {
		t.Error("a place was taken that is not free")
	}
	c.Release(a)
	if c.TryAcquire(a) || !c.Full() {
		t.Error("a place was taken that is promised")
	}
	if c.Redeem(b) {
		t.Error("a source has more than it may")
	}
	if !c.Redeem(d) || c.Used() != 2 {
		t.Error("a promise was not kept")
	}
	c.Claim()
	c.Release(b)
	c.Disclaim()
	if !c.TryAcquire(a) {
		t.Error("a promise that was given up keeps a place")
	}
}

// Connections are counted by network, too, but for those with our own address.
func TestConnectionsByNetwork(t *testing.T) {
	c := NewConnections(0, 0, NewHome([]netip.Addr{netip.IPv4Unspecified()}))
	take := func(s string) netip.Addr {
		t.Helper()
		ip := netip.MustParseAddr(s)
		if !c.TryAcquire(ip) {
			t.Fatal("no place for ", s)
		}
		return ip
	}
	for range 9 {
		take("127.0.0.1")
	}
	own := take("192.0.2.1")
	take("192.0.2.99")
	take("2001:db8:1:1::1")
	take("2001:db8:1:2::1")
	third := take("2001:db8:1:3::1")
	if p, n := c.Largest(); p != netip.MustParsePrefix("2001:db8:1::/48") || n != 3 {
		t.Errorf("%d with %v, want 3 with 2001:db8:1::/48", n, p)
	}
	if n := c.Neighbours(netip.MustParseAddr("192.0.2.7")); n != 2 {
		t.Errorf("%d with the network of 192.0.2.7, want 2", n)
	}
	if n := c.Neighbours(netip.MustParseAddr("127.0.0.1")); n != 0 {
		t.Errorf("%d with a network of our own address, want none", n)
	}
	if c.HasAll(own) || c.HasAll(netip.MustParseAddr("127.0.0.1")) {
		t.Error("a source has all although it may have more")
	}
	for range 3 {
		take("192.0.2.1")
	}
	if !c.HasAll(own) {
		t.Error("a source has all, and is said to have less")
	}
	for range 3 {
		c.Release(own)
	}
	c.Release(third)
	c.Release(netip.MustParseAddr("2001:db8:1:2::77")) // the same /64
	c.Release(own)
	if p, n := c.Largest(); n != 1 || p != netip.MustParsePrefix("192.0.2.0/24") {
		t.Errorf("%d with %v, want 1 with 192.0.2.0/24", n, p)
	}
}

// TestConnectionsSetMax: a lower bound holds for newcomers at once, and those who are there
// keep their places.
func TestConnectionsSetMax(t *testing.T) {
	c := NewConnections(3, 0, Home{})
	ips := []netip.Addr{netip.MustParseAddr("60.0.0.1"), netip.MustParseAddr("60.0.0.2"),
		netip.MustParseAddr("60.0.0.3")}
	for _, ip := range ips {
		if !c.TryAcquire(ip) {
			t.Fatal("no place")
		}
	}
	if n := c.SetMax(1); n != 2 || c.Max() != 1 || c.Used() != 3 {
		t.Errorf("%d are too many of %d, at most %d", n, c.Used(), c.Max())
	}
	for i, ip := range ips {
		if c.TryAcquire(ip) {
			t.Errorf("a place beside %d others", 3-i)
		}
		c.Release(ip)
	}
	if !c.TryAcquire(ips[0]) || c.TryAcquire(ips[1]) {
		t.Error("the bound of 1 does not hold")
	}
	if n := c.SetMax(0); n != 0 || c.Max() != ConnectionsMax || !c.TryAcquire(ips[1]) {
		t.Errorf("without a bound: %d are too many, at most %d", n, c.Max())
	}
}
