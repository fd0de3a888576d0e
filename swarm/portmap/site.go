package portmap

import (
	"cmp"
	"net"
	"net/netip"
	"slices"

	"swarmnode/swarm/egress"
)

const (
	// pathsMax bounds the gateways that are asked, each from one address.
	pathsMax = 8
	// localsMax bounds the IPv6 addresses from which one gateway is asked. A machine has one
	// that stays, and several that change from day to day.
	localsMax = 4
)

// A site is a place, with what this machine knows of the network there.
type site struct {
	place  place
	onLink []netip.Prefix // the addresses of the interface, with their networks
	ifi    net.Interface
}

// sites returns where ports can be mapped that are wanted.
func (m *Mapper) sites(wants []Want) ([]site, error) {
	gateways, err := m.cfg.Net.Gateways()
	if err != nil {
		return nil, err
	}
	prefixes, err := m.cfg.Net.Prefixes()
	if err != nil {
		return nil, err
	}
	interfaces, err := m.cfg.Net.Interfaces()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(gateways, func(a, b egress.Gateway) int {
		return cmp.Compare(a.Index, b.Index)
	})
	var all []site
	for _, g := range gateways {
		i := slices.IndexFunc(interfaces, func(ifi net.Interface) bool {
			return ifi.Index == g.Index && ifi.Flags&net.FlagUp != 0 &&
				ifi.Flags&net.FlagLoopback == 0
		})
		if i < 0 {
			continue
		}
		onLink := prefixes[g.Index]
		for n, local := range locals(g.Addr, onLink, wants) {
			if len(all) < pathsMax {
				at := place{g.Index, g.Addr, local, g.Guessed, n > 0 && local.Is4()}
				all = append(all, site{at, onLink, interfaces[i]})
			}
		}
	}
	return all, nil
}

// locals returns the addresses from which a router is asked. Each mapping leads to the address
// that asks for it. Of IPv4, that is the first one in the network of the router, before others
// that a want names. Of IPv6, it is every address that strangers could reach.
func locals(router netip.Addr, onLink []netip.Prefix, wants []Want) (all []netip.Addr) {
	add := func(ip netip.Addr) {
		if len(all) < localsMax && ip != router && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	named := func(ip netip.Addr) bool {
		return slices.ContainsFunc(wants, func(w Want) bool { return w.Addr.Unmap() == ip })
	}
	if router.Is4() {
		i := slices.IndexFunc(onLink, func(p netip.Prefix) bool { return p.Contains(router) })
		if i < 0 {
			i = slices.IndexFunc(onLink, func(p netip.Prefix) bool { return p.Addr().Is4() })
		}
		if i >= 0 {
			add(onLink[i].Addr())
		}
	}
	for _, wanted := range []bool{true, false} {
		for _, p := range onLink {
			ip := p.Addr()
			if ip.Is4() == router.Is4() && named(ip) == wanted &&
				(wanted || ip.Is6() && public(ip)) {
				add(ip)
			}
		}
	}
	return all
}
