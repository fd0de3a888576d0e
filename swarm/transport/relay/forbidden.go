package relay

import (
	"net/netip"
	"slices"
)

// private are the prefixes that no relay sends to: addresses of private and shared networks,
// of this host, of links and groups, for documents and measurements, and those in which an
// address of IPv4 is hidden (RFC 6890 and its registries).
var private = parsePrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is what there is of IPv6 outside a network (RFC 4291, section 2.4, and IANA).
var global = netip.MustParsePrefix("2000::/3")

func parsePrefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// forbidden reports whether a relay must not send to a host, whatever its operator says.
func forbidden(host netip.Addr) bool {
	host = host.Unmap()
	if !host.IsValid() || host.Zone() != "" || host.Is6() && !global.Contains(host) {
		return true
	}
	return slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(host) })
}

// Public reports whether an address can be one of the Internet at large: a server relays to no
// others unless it is for private networks.
func Public(ip netip.Addr) bool { return !forbidden(ip) }

// unicast4 is what there is of IPv4 between this network and the groups.
var unicast4 = [2]netip.Addr{netip.MustParseAddr("1.0.0.0"), netip.MustParseAddr("223.255.255.255")}

// within reports whether a relay for private networks may send to a host: any but those of this
// machine, of a link, where clouds keep their credentials, and of a group.
func within(host netip.Addr) bool {
	host = host.Unmap()
	if host.Is4() && (host.Less(unicast4[0]) || unicast4[1].Less(host)) {
		return false
	}
	return host.IsGlobalUnicast() && host.Zone() == ""
}

// sourceOf returns what counts as one client: an IPv4 address, or a /56 of IPv6, which is what
// providers give to one customer.
func sourceOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap()
	bits := 56
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // fails for an address that is not valid
	return p
}
