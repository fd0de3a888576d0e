package book

import (
	"net/netip"
	"testing"
)

// TestCanonicalPriority has the vectors of BEP 40, and the properties that it
// names where it gives none.
func TestCanonicalPriority(t *testing.T) {
	p := func(a, b string) uint32 {
		return canonicalPriority(netip.MustParseAddrPort(a), netip.MustParseAddrPort(b))
	}
	for _, c := range []struct {
		a, b string
		want uint32
	}{
		{"123.213.32.10:0", "98.76.54.32:0", 0xec2d7224},
		{"123.213.32.10:0", "123.213.32.234:0", 0x99568189},
		{"[::ffff:123.213.32.10]:0", "98.76.54.32:9", 0xec2d7224},
		// CRC32-C of the two ports, the lesser first, as RFC 3720 computes it.
		{"10.0.0.1:0", "10.0.0.1:0", 0x48674bc7},
	} {
		if got := p(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %08x, want %08x", c.a, c.b, got, c.want)
		}
		if p(c.a, c.b) != p(c.b, c.a) {
			t.Errorf("%s and %s: the order matters", c.a, c.b)
		}
	}
	const v4, v6 = "123.213.32.10:1", "[2001:db8:1:2233::1]:1"
	for _, c := range []struct {
		own, a, b string
		same      bool
		why       string
	}{
		{v4, "98.76.0.0:1", "98.76.170.170:1", true,
			"elsewhere half of the bits of the last two bytes do not count"},
		{v4, "98.76.0.0:1", "98.76.1.0:1", false, "and the other half does"},
		{v4, "98.76.0.0:1", "98.77.0.0:1", false, "and the first two bytes do"},
		{v4, "123.213.9.0:1", "123.213.9.170:1", true,
			"in the same /16 half of the bits of the last byte do not count"},
		{v4, "123.213.9.0:1", "123.213.11.0:1", false, "and all of the third do"},
		{v4, "123.213.32.1:1", "123.213.32.3:1", false, "in the same /24 all bits count"},
		{v4, "98.76.0.0:1", "98.76.0.0:2", true, "ports of different addresses do not count"},
		{v4, "123.213.32.10:2", "123.213.32.10:3", false, "those of the same address do"},
		{v6, "[2001:db9:1::]:1", "[2001:db9:1:aaaa:aaaa::aaaa]:1", true,
			"elsewhere half of the bits behind the /48 do not count"},
		{v6, "[2001:db9:1::]:1", "[2001:db9:2::]:1", false, "and all of the /48 do"},
		{v6, "[2001:db8:1:1100::]:1", "[2001:db8:1:1300::]:1", false,
			"in the same /48 all of the seventh byte counts"},
		{v6, "[2001:db8:1:1100::]:1", "[2001:db8:1:11aa::]:1", true, "and half of the eighth does"},
		{v6, "[2001:db8:1:2200::]:1", "[2001:db8:1:2202::]:1", false,
			"in the same /56 all of the eighth byte counts"},
		{v6, "[2001:db8:1:2233::5]:2", "[2001:db8:1:2233::5]:3", true,
			"ports of different addresses do not count"},
		{v6, "[2001:db8:1:2233::1]:2", "[2001:db8:1:2233::1]:3", false,
			"those of the same address do"},
	} {
		if got := p(c.own, c.a) == p(c.own, c.b); got != c.same {
			t.Errorf("%s to %s and %s: same %v; %s", c.own, c.a, c.b, got, c.why)
		}
	}
	if p(v4, v6) != 0 {
		t.Error("a priority between families")
	}
}
