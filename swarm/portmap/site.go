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

// sites returns where port mapping can be asked for.
func (m *Mapper) sites() ([]site, error) {
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
		for _, local := range locals(g.Addr, onLink) {
			if len(all) < pathsMax {
				all = append(all, site{place{g.Index, g.Addr, local, g.Guessed}, onLink,
					interfaces[i]})
			}
		}
	}
	return all, nil
}

// locals returns the addresses from which a router is asked: the one in its network, or all
// addresses of IPv6 that it may let others reach. Each mapping leads to the address that asks
// for it.
func locals(router netip.Addr, onLink []netip.Prefix) (all []netip.Addr) {
	if router.Is4() {
		i := slices.IndexFunc(onLink, func(p netip.Prefix) bool { return p.Contains(router) })
		if i < 0 {
			i = slices.IndexFunc(onLink, func(p netip.Prefix) bool { return p.Addr().Is4() })
		}
		if i >= 0 && onLink[i].Addr() != router {
			all = append(all, onLink[i].Addr())
		}
		return all
	}
	for _, p := range onLink {
		if ip := p.Addr(); ip.Is6() && public(ip) && len(all) < localsMax {
			all = append(all, ip)
		}
	}
	return all
}
