package wire

import (
	"net/netip"
	"testing"
)

// Relays survive the way to the peer, of either family.
func TestRelaysInExtHandshake(t *testing.T) {
	four, six := netip.MustParseAddrPort("20.1.2.3:4567"),
		netip.MustParseAddrPort("[2a00::1]:89")
	for _, want := range [][RelaysMax]netip.AddrPort{{}, {four}, {six}, {four, six},
		{four, netip.MustParseAddrPort("20.1.2.4:1")}} {
		h, err := ParseExtHandshake(AppendExtHandshake(nil, ExtHandshake{Relays: want}))
		if err != nil || h.Relays != want {
			t.Errorf("%v became %v, %v", want, h.Relays, err)
		}
	}
}

// What is no list of relays is ignored, and so are those that are too many or named twice.
func TestWrongRelaysInExtHandshake(t *testing.T) {
	one := [RelaysMax]netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:256")}
	for text, want := range map[string][RelaysMax]netip.AddrPort{
		"d6:relaysi5ee":                        {},
		"d6:relays5:12345e":                    {},
		"d7:relays66:123456e":                  {},
		"d6:relays6:\x01\x02\x03\x04\x00\x00e": {},
		"d6:relays6:\x01\x02\x03\x04\x01\x00e": one,
		"d6:relays12:\x01\x02\x03\x04\x01\x00\x01\x02\x03\x04\x01\x00e": one,
		"d6:relays18:\x01\x02\x03\x04\x01\x00\x01\x02\x03\x05\x01\x00\x01\x02\x03\x06\x01\x00e": {
			one[0], netip.MustParseAddrPort("1.2.3.5:256")},
	} {
		h, err := ParseExtHandshake([]byte(text))
		if err != nil || h.Relays != want {
			t.Errorf("%q: %v, %v; want %v", text, h.Relays, err, want)
		}
	}
}
