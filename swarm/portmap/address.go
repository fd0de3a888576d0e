package portmap

import "net/netip"

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reservedV4  = netip.MustParsePrefix("240.0.0.0/4")   // class E and broadcast
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: carriers' own networks
	protocolV4  = netip.MustParsePrefix("192.0.0.0/24")  // RFC 7335: DS-Lite
	globalV6    = netip.MustParsePrefix("2000::/3")
)

// possible reports whether a router can have ip as its external address.
func possible(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLoopback() &&
		!ip.IsLinkLocalUnicast() && !thisNetwork.Contains(ip) && !reservedV4.Contains(ip)
}

// public reports whether anybody on the internet can send to ip, as far as its range says. An
// external address that is not public is that of a router behind another one, often of a
// carrier.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.Is6() {
		return globalV6.Contains(ip)
	}
	return possible(ip) && !ip.IsPrivate() && !sharedSpace.Contains(ip) &&
		!protocolV4.Contains(ip)
}
