package swarmnode

import (
	"net/netip"
	"slices"

	"swarmnode/swarm/portmap"
	"swarmnode/swarm/reach"
)

// endpointsMax bounds the endpoints that Node.Endpoints returns.
const endpointsMax = 8

// Endpoints returns the endpoints at which others can begin to talk to the node, as far as it
// knows, the best first: those that routers map or that strangers have reached, those by which
// a NAT lets in whom the node calls as well, those that a router maps into the network of its
// carrier, and the addresses at relays if there is nothing better. They are what a link should
// name (x.pe, BEP 9). While nothing is known there are none.
func (n *Node) Endpoints() []netip.AddrPort { return endpointsOf(n.Reach(), n.Mappings()) }

// endpointsOf returns the endpoints of a node that stands so, with its mappings.
func endpointsOf(is Standing, mapped []portmap.Mapping) (list []netip.AddrPort) {
	add := func(at netip.AddrPort) {
		if at.IsValid() && at.Port() != 0 && !slices.Contains(list, at) &&
			len(list) < endpointsMax {
			list = append(list, at)
		}
	}
	add(is.ExternalTCP4)
	add(is.ExternalTCP6)
	switch is.UTP {
	case reach.Open, reach.Mapped, reach.Punch:
		add(is.External4)
		add(is.External6)
	}
	for _, row := range mapped {
		if row.By != portmap.None && !row.Public() {
			add(row.External)
		}
	}
	if is.TCP != reach.Open && is.TCP != reach.Mapped && is.UTP != reach.Open &&
		is.UTP != reach.Mapped {
		for _, at := range is.Relayed {
			add(at)
		}
	}
	return list
}
