package reach

import (
	"net/netip"

	"swarmnode/swarm/limit"
)

// Addresses that package netip takes for public ones, and that the internet does not know.
var (
	shared  = netip.MustParsePrefix("100.64.0.0/10") // between a carrier's NAT and its customers
	assigns = netip.MustParsePrefix("192.0.0.0/24")  // RFC 6890, such as of DS-Lite
)

// public reports whether the internet may know a host by ip.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) || assigns.Contains(ip) {
		return false
	}
	return !ip.Is4() || ip.As4()[0] != 0 && ip.As4()[0] < 240
}

// carrier reports whether ip is an address that carriers give to customers behind a NAT of
// theirs.
func carrier(ip netip.Addr) bool { return shared.Contains(ip.Unmap()) }

// clean returns ip in the one form in which addresses are compared.
func clean(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// familyOf returns 0 for IPv4, 1 for IPv6.
func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// network returns what has one vote.
func network(ip netip.Addr) netip.Prefix { return limit.NetworkOf(ip) }
