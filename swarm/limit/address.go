package limit

import (
	"net/netip"
	"slices"
)

// Prefixes of IPv6 addresses that contain an IPv4 address and lead to it.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, deprecated
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 7915
)

// Unwrap returns the address of the host that packets to ip reach in the end: the IPv4
// address inside an IPv6 one that leads there, else ip itself. The result has no zone. One
// IPv4 host has many such IPv6 addresses, up to a whole /48, and could pass for as many
// hosts.
func Unwrap(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() || ip.IsUnspecified() || ip.IsLoopback() {
		return ip
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip), compatible.Contains(ip), translated.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case teredo.Contains(ip): // it is inverted, to get past translators
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	}
	return ip
}

// SourceOf returns what counts as one user: an IPv4 address, or the first address of a
// /64, since a single user of IPv6 has a /64. An address that leads to an IPv4 address
// counts as that one. The result is not valid if ip is not.
func SourceOf(ip netip.Addr) netip.Addr { return first(Unwrap(ip), 32, 64).Addr() }

// NetworkOf returns what counts as one network: a /24 of IPv4 or a /48 of IPv6, the
// smallest prefixes that are routed by themselves. The owner of a network owns all of its
// sources.
func NetworkOf(ip netip.Addr) netip.Prefix { return first(Unwrap(ip), 24, 48) }

func first(ip netip.Addr, bits4, bits6 int) netip.Prefix {
	bits := bits6
	if ip.Is4() {
		bits = bits4
	}
	p, _ := ip.Prefix(bits) // fails for an address that is not valid
	return p
}

// A Home holds the addresses where we listen. All nodes of this machine meet there, so
// these addresses say nothing about who is behind them. What counts by source makes an
// exception of them, and of no other address of a local network.
type Home []netip.Addr

// NewHome returns the Home of a process that listens on bound. A process that listens on
// an unspecified address is reached at every address of the machine; of these, Home is the
// one that programs of the machine use, 127.0.0.1 or ::1.
func NewHome(bound []netip.Addr) Home {
	var h Home
	for _, ip := range bound {
		ip = ip.Unmap().WithZone("")
		switch {
		case ip == netip.IPv4Unspecified():
			ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		case ip == netip.IPv6Unspecified():
			ip = netip.IPv6Loopback()
		}
		if ip.IsValid() && !slices.Contains(h, ip) {
			h = append(h, ip)
		}
	}
	return h
}

// Has reports whether ip is one of h.
func (h Home) Has(ip netip.Addr) bool {
	return slices.Contains(h, ip.Unmap().WithZone(""))
}
