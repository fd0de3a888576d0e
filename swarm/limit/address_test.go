package limit

import (
	"net/netip"
	"slices"
	"testing"
)

// One user has a whole /64, and whoever routes has a /24 or a /48. An IPv4 host is the
// same one by whichever of its many IPv6 addresses it is reached.
func TestSourcesAndNetworks(t *testing.T) {
	for _, c := range []struct{ ip, source, network string }{
		{"1.2.3.4", "1.2.3.4", "1.2.3.0/24"},
		{"::ffff:1.2.3.4", "1.2.3.4", "1.2.3.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::/48"},
		{"fe80::1%lo", "fe80::", "fe80::/48"},
		{"fd00:1:2:3::4", "fd00:1:2:3::", "fd00:1:2::/48"},
		{"127.0.0.9", "127.0.0.9", "127.0.0.0/24"},
		{"::1", "::", "::/48"},
		{"2002:102:304:5:6::7", "1.2.3.4", "1.2.3.0/24"}, // 6to4
		{"64:ff9b::102:304", "1.2.3.4", "1.2.3.0/24"},    // NAT64
		// a form of the operator's own
		{"64:ff9b:1::102:304", "64:ff9b:1::", "64:ff9b:1::/48"},
		{"2001:0:4136:e378:8000:63bf:fefd:fcfb", "1.2.3.4", "1.2.3.0/24"}, // Teredo, another server
		{"2001::8000:1:fefd:fcfb", "1.2.3.4", "1.2.3.0/24"},               // and another port
		{"2001:1::1", "2001:1::", "2001:1::/48"},
		{"::1.2.3.4", "1.2.3.4", "1.2.3.0/24"},
		{"::ffff:0:1.2.3.4", "1.2.3.4", "1.2.3.0/24"},
	} {
		ip := netip.MustParseAddr(c.ip)
		if got := SourceOf(ip); got != netip.MustParseAddr(c.source) {
			t.Errorf("the source of %s is %v, want %s", c.ip, got, c.source)
		}
		if got := NetworkOf(ip); got != netip.MustParsePrefix(c.network) {
			t.Errorf("the network of %s is %v, want %s", c.ip, got, c.network)
		}
	}
	if SourceOf(netip.Addr{}).IsValid() || NetworkOf(netip.Addr{}).IsValid() {
		t.Error("nobody is somebody")
	}
}

func TestHome(t *testing.T) {
	for _, c := range []struct {
		bound []string
		want  Home
	}{
		{nil, nil},
		{[]string{"0.0.0.0", "::"}, Home{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}},
		{[]string{"127.0.0.1", "127.0.0.1"}, Home{netip.MustParseAddr("127.0.0.1")}},
		{[]string{"192.0.2.1", "fe80::1%eth0"}, Home{netip.MustParseAddr("192.0.2.1"),
			netip.MustParseAddr("fe80::1")}},
	} {
		var bound []netip.Addr
		for _, s := range c.bound {
			bound = append(bound, netip.MustParseAddr(s))
		}
		if got := NewHome(bound); !slices.Equal(got, c.want) {
			t.Errorf("home of %v is %v, want %v", c.bound, got, c.want)
		}
	}
	h := NewHome([]netip.Addr{netip.IPv4Unspecified()})
	if !h.Has(netip.MustParseAddr("::ffff:127.0.0.1")) || h.Has(netip.MustParseAddr("127.0.0.2")) ||
		h.Has(netip.IPv6Loopback()) {
		t.Errorf("%v has others, or lacks its own", h)
	}
}
