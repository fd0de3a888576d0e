package core

import (
	"net/netip"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// privilegedMax is the last of the ports that the services of a system have.
const privilegedMax = 1023

// discard is the prefix of IPv6 to which nothing is ever sent (RFC 6666).
var discard = netip.MustParsePrefix("100::/64")

// nowhere are the IPv4 networks in which nobody can be: "this" one (RFC 1122)
// and those of no use (RFC 1112), with the broadcast address.
var nowhere = [...]netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("240.0.0.0/4")}

// sharedSpace is what carriers number their own networks with (RFC 6598), and
// siteLocal what sites did (RFC 3879).
var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
	siteLocal   = netip.MustParsePrefix("fec0::/10")
)

// local reports whether ip leads to this machine or to a network of its own, by
// whichever of the ways that IPv6 has to an IPv4 address.
func local(ip netip.Addr) bool {
	ip = limit.Unwrap(ip)
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() ||
		sharedSpace.Contains(ip) || siteLocal.Contains(ip)
}

// usable reports whether a peer could be at e, so that it can be dialled and told to
// others.
func usable(e endpoint.Endpoint) bool {
	ip := limit.Unwrap(e.Host())
	if !e.Dialable() || ip.IsUnspecified() || ip.IsMulticast() || discard.Contains(ip) {
		return false
	}
	return !nowhere[0].Contains(ip) && !nowhere[1].Contains(ip)
}

// MayName reports whether an address that s names is taken. Whoever is not the user
// must not lead us to the services of this machine and network, which trust those who
// are inside: not to a port of the system, and not to a link-local address, where
// clouds have their secrets. Peers on a cable without any other address are found by
// those who are there themselves: by local search, and by connecting to us.
func (s Source) MayName(addr netip.AddrPort) bool {
	switch ip := limit.Unwrap(addr.Addr()); {
	case s == SourceUser || !local(ip):
		return true
	case addr.Port() <= privilegedMax:
		return false
	default:
		return !ip.IsLinkLocalUnicast() || s == SourceLSD || s == SourceIncoming
	}
}
