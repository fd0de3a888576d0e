package relay

import (
	"net/netip"
	"testing"
)

func TestForbidden(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
		"255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::10.0.0.1",
		"64:ff9b::a00:1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001::1",
		"2001:db8::1", "2002:a00:1::1", "3fff::1", "2a00::1%eth0",
	} {
		if !forbidden(netip.MustParseAddr(text)) {
			t.Errorf("%s is relayed to", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "100.63.0.1", "172.32.0.1", "192.0.1.1",
		"223.255.255.1", "2a00::1", "2001:200::1", "2606:4700::1111", "::ffff:1.1.1.1"} {
		if forbidden(netip.MustParseAddr(text)) {
			t.Errorf("%s is not relayed to", text)
		}
	}
	if !forbidden(netip.Addr{}) {
		t.Error("no address is relayed to")
	}
}

// A server does not relay into its own networks, to its own addresses, or to whom its
// operator refuses.
func TestMayReach(t *testing.T) {
	s := &Server{
		cfg: ServerConfig{
			Lend: []Lent{{Public: netip.MustParseAddr("11.0.0.1"),
				Bind: netip.MustParseAddr("12.0.0.1")}},
			Refuse: func(ip netip.Addr) bool { return ip == netip.MustParseAddr("1.1.1.1") },
		},
		prefixes: parsePrefixes("15.0.0.0/24", "2a00:1::/64"),
	}
	for text, want := range map[string]bool{
		"11.0.0.1": false, "12.0.0.1": false, "1.1.1.1": false, "15.0.0.77": false,
		"2a00:1::77": false, "10.0.0.1": false,
		"11.0.0.2": true, "1.1.1.2": true, "15.0.1.1": true, "2a00:2::1": true,
	} {
		if got := s.mayReach(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestSourceOf(t *testing.T) {
	for text, want := range map[string]string{
		"11.0.0.1": "11.0.0.1/32", "::ffff:11.0.0.1": "11.0.0.1/32",
		"2a00:1:2:3ff::1": "2a00:1:2:300::/56",
	} {
		if got := sourceOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}
