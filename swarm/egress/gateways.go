package egress

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// gatewaysMax bounds the gateways that are returned.
const gatewaysMax = 16

// A Gateway is the router to which an interface sends what leaves its own networks.
type Gateway struct {
	Index int // the number of the interface
	// Addr is the address of the router on the network of the interface. A link-local
	// address of IPv6 has the zone of the interface.
	Addr netip.Addr
	// Guessed says that the system named no router, and that Addr is where one usually is:
	// the first address of the network.
	Guessed bool
}

// Gateways returns the gateways of all interfaces, or of the device alone, in the families in
// use, without duplicates and at most 16. On systems other than Linux and Windows, all of them
// are guessed, and there are none of IPv6.
func (n *Net) Gateways() ([]Gateway, error) {
	prefixes, err := n.Prefixes()
	if err != nil {
		return nil, err
	}
	routes, err := defaultRoutes(prefixes)
	if err != nil {
		return nil, err
	}
	var all []Gateway
	for _, g := range routes {
		own, known := prefixes[g.Index]
		switch {
		case !known, len(all) >= gatewaysMax:
			continue
		case !g.Addr.IsValid():
			g.Addr, g.Guessed = guess(own), true
		}
		if g.Addr.IsValid() && n.Family().Has(g.Addr) && !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all, nil
}

// guess returns the first address of the first private IPv4 network among own, which is that
// of most routers, or an address that is not valid. A tunnel, whose network has one address,
// is taken for a part of a /24, since the far end of most tunnels is its first address.
func guess(own []netip.Prefix) netip.Addr {
	for _, p := range own {
		if !p.Addr().Is4() || !p.Addr().IsPrivate() {
			continue
		}
		bits := p.Bits()
		if bits >= 31 {
			bits = 24
		}
		first := netip.PrefixFrom(p.Addr(), bits).Masked().Addr().Next()
		if first != p.Addr() {
			return first
		}
	}
	return netip.Addr{}
}

// zoned returns g with the name of its interface as the zone of a link-local address.
func (g Gateway) zoned() Gateway {
	if !g.Addr.Is6() || !g.Addr.IsLinkLocalUnicast() {
		return g
	}
	zone := strconv.Itoa(g.Index)
	if ifi, err := net.InterfaceByIndex(g.Index); err == nil {
		zone = ifi.Name
	}
	g.Addr = g.Addr.WithZone(zone)
	return g
}
