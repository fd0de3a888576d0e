package swarmnode

import (
	"context"
	"log/slog"
	"net/netip"

	"swarmnode/swarm/portmap"
	"swarmnode/swarm/reach"
)

// A PortMap keeps ports of a program mapped at the routers of this machine, so that others can
// connect to it (see package portmap). Its methods are safe for concurrent use. None but Close
// waits for anything, and those of a nil PortMap do nothing.
type PortMap struct{ mapper *portmap.Mapper }

// MapPorts returns a PortMap for a program that listens through Egress itself; a Node and a
// DHTNode have their own. It asks nobody before Set. With an interface of its own, a Network
// asks the routers of that interface alone. With a proxy it asks nobody, and MapPorts returns
// nil. log takes a line for each port that is mapped, and may be nil.
func (w *Network) MapPorts(log *slog.Logger) *PortMap {
	return newPortMap(portmap.Config{Net: w.Egress(), Log: log})
}

// newPortMap is MapPorts with any Config.
func newPortMap(cfg portmap.Config) *PortMap {
	if !cfg.Net.Local() {
		return nil
	}
	return &PortMap{portmap.New(cfg)}
}

// Set replaces the ports that are mapped by those of addrs, for TCP, UDP or both. The
// unspecified address stands for all addresses of its family. Ports of loopback and link-local
// addresses are left out, because no router leads there.
func (p *PortMap) Set(addrs []netip.AddrPort, tcp, udp bool) {
	if p == nil {
		return
	}
	var wants []portmap.Want
	for _, a := range addrs {
		ip := a.Addr().WithZone("")
		if !ip.IsValid() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		want := portmap.Want{Proto: portmap.TCP, Port: a.Port(), Addr: ip}
		if tcp {
			wants = append(wants, want)
		}
		if want.Proto = portmap.UDP; udp {
			wants = append(wants, want)
		}
	}
	p.mapper.Set(wants)
}

// State returns what has become of each port, as portmap.Mapper.State does.
func (p *PortMap) State() []portmap.Mapping {
	if p == nil {
		return nil
	}
	return p.mapper.State()
}

// NetworkChanged says that addresses or routes of this machine have changed, so that the routers
// are asked again at once. Otherwise that is noticed within 15 seconds.
func (p *PortMap) NetworkChanged() {
	if p != nil {
		p.mapper.NetworkChanged()
	}
}

// leave begins to remove all mappings. Close waits for that.
func (p *PortMap) leave() {
	if p != nil {
		p.mapper.Leave()
	}
}

// Close removes all mappings. It waits at most a second for the routers.
func (p *PortMap) Close() {
	if p != nil {
		p.mapper.Close(context.Background())
	}
}

// Mappings returns what has become of the ports that the node asks the routers to map: one row
// for each port, protocol and router, or one that says why there is none. There are none with
// Config.NoPortmap, behind a proxy, and while the node listens on loopback alone.
func (n *Node) Mappings() []portmap.Mapping { return n.mapped.State() }

// openPortMap starts to map the ports of the node, which must listen.
func (n *Node) openPortMap() {
	if n.cfg.NoPortmap || n.cfg.Network.Proxied() {
		n.engine.Observe(reach.Mappings{Off: true})
		return
	}
	n.mapped = newPortMap(portmap.Config{Net: n.cfg.Network.Egress(), Log: n.cfg.Logger,
		Secret: n.dir.secret(n.cfg.Logger), Changed: n.tellMappings})
}

// tellMappings tells the engine which ports are mapped. It does not block.
func (n *Node) tellMappings() { n.engine.Observe(mappingsOf(n.mapped.State())) }

// mappingsOf returns what is known of mappings.
func mappingsOf(rows []portmap.Mapping) (known reach.Mappings) {
	for _, row := range rows {
		switch {
		case row.By != portmap.None:
			known.Ports = append(known.Ports, reach.MappedPort{TCP: row.Want.Proto == portmap.TCP,
				Port: row.Want.Port, External: row.External, By: row.By.String()})
		case row.Err == nil:
			known.Asking = true
		}
	}
	return known
}

// setPortMap maps the ports at which the node listens now. n.mu is held.
func (n *Node) setPortMap() {
	n.mapped.Set(n.Addrs(), !n.cfg.NoTCP, !n.cfg.NoUTP || n.wantDHT)
	if n.mapped != nil {
		n.tellMappings()
	}
}

// tellPublicPorts tells the DHT node, if one runs, at which ports others reach us.
func (n *Node) tellPublicPorts() {
	n.telling.Lock() // so that the ports that were read last are told last
	defer n.telling.Unlock()
	if node := n.dht.Node(); node != nil {
		node.SetPublicPorts(n.engine.PublicPorts())
	}
}

// networkChanged follows a change of our addresses. It does not block.
func (n *Node) networkChanged() {
	n.mapped.NetworkChanged()
	n.dht.networkChanged()
}
