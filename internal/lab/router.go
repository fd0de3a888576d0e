//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A RouterConfig describes the router of a home or of a carrier.
type RouterConfig struct {
	Up, Down Way // of its link: up from the home, down to it
	// NAT is how it translates. A router with Offers has the NAT of the kernel instead.
	NAT NAT
	// Carrier gives it the addresses 100.64.0.0/10 inside (RFC 6598), for the routers of
	// customers. A home has 192.168.1.0/24.
	Carrier bool
	// Behind is the router that this one is behind, such as that of its carrier. nil: none.
	Behind *Host
	// IPv6 gives the hosts inside addresses of IPv6 as well, behind a firewall: nobody
	// outside begins a conversation. NAT.Filtering says who else may answer.
	IPv6 bool
	// Offers are the protocols by which hosts inside may map ports.
	Offers Offers
}

// Router adds a router with NAT, on a modelled link. [Host.Inside] adds hosts behind it.
func (l *Lab) Router(name string, cfg RouterConfig) (*Host, error) {
	if cfg.IPv6 && cfg.Behind != nil {
		return nil, errors.New("a carrier with NAT has no IPv6 in the lab")
	}
	if cfg.Behind != nil && !cfg.Behind.translates {
		return nil, fmt.Errorf("%s is no router", cfg.Behind.Name)
	}
	n, err := l.number()
	if err != nil {
		return nil, err
	}
	h := &Host{
		Name: name, Addr: publicAddr(n, 2), gateway: publicAddr(n, 1), lab: l, number: n,
		link: fmt.Sprintf("to%d", n), translates: true,
		inner: netip.MustParsePrefix("192.168.1.1/24"),
	}
	if cfg.Carrier {
		h.inner = netip.MustParsePrefix("100.64.0.1/24")
	}
	if cfg.Behind != nil {
		h.parent = cfg.Behind.Name
		h.Addr = netip.AddrFrom4([4]byte{100, 64, byte(n), 2})
		h.gateway = netip.AddrFrom4([4]byte{100, 64, byte(n), 1})
	}
	if err := l.attach(h, cfg); err != nil {
		return nil, err
	}
	in := "ip netns exec " + name + " "
	if err := runAll(
		in+"sysctl -qw net.ipv4.ip_forward=1",
		// For Silence, of customers of a carrier.
		in+"nft add table ip lab",
		in+"nft add chain ip lab forward { type filter hook forward priority 0 ; }",
		fmt.Sprintf("ip -n %s link set lo up", name),
		fmt.Sprintf("ip -n %s link add lan type bridge", name),
		fmt.Sprintf("ip -n %s addr add %v dev lan", name, h.inner),
		fmt.Sprintf("ip -n %s link set lan up", name),
	); err != nil {
		return nil, err
	}
	if cfg.IPv6 {
		if err := h.routeIPv6(); err != nil {
			return nil, err
		}
	}
	if cfg.Offers.any() {
		return h, h.translateByKernel(cfg)
	}
	t := newNATTable(cfg.NAT, h.Addr, uint64(n))
	if cfg.IPv6 {
		t.prefix = h.prefix6()
	}
	l.links.translate(h.up, t)
	return h, nil
}

// attach makes the namespace of a router and its link. The outer end leads the network of
// the router's address to it, whatever address it takes from that.
func (l *Lab) attach(h *Host, cfg RouterConfig) (err error) {
	if err := run("ip netns add " + h.Name); err != nil {
		return err
	}
	if err := l.model(); err != nil {
		return err
	}
	if h.up, h.down, err = l.links.link("wan", h.link, cfg.Up, cfg.Down); err != nil {
		return err
	}
	if h.parent != "" {
		if err := run("ip link set " + h.link + " netns " + h.parent); err != nil {
			return err
		}
	}
	network := netip.PrefixFrom(h.Addr, 24).Masked()
	return runAll(
		"ip link set wan netns "+h.Name,
		h.outer("ip link set "+h.link+" up"),
		h.outer(fmt.Sprintf("ip route add %v dev %s", network, h.link)),
		fmt.Sprintf("ip -n %s link set wan up", h.Name),
		fmt.Sprintf("ip -n %s route add default dev wan", h.Name),
	)
}

// model starts the thread that moves packets.
func (l *Lab) model() (err error) {
	if l.links == nil {
		l.links, err = newForwarder()
	}
	return err
}

// publicPrefix6 returns the IPv6 network of a host with a number.
func publicPrefix6(number int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0x0c, 0xb4, 0xc0, 0, byte(number)}), 48)
}

func (h *Host) prefix6() netip.Prefix { return publicPrefix6(h.number) }

// number6 returns an address of a subnet of a /48.
func number6(p netip.Prefix, subnet, host int) netip.Addr {
	a := p.Addr().As16()
	a[7], a[15] = byte(subnet), byte(host)
	return netip.AddrFrom16(a)
}

// routeIPv6 makes a router lead IPv6 between its link and its LAN.
func (h *Host) routeIPv6() error {
	p := h.prefix6()
	h.inner6 = netip.PrefixFrom(number6(p, 1, 1), 64)
	return runAll(
		"sysctl -qw net.ipv6.conf.all.forwarding=1",
		fmt.Sprintf("ip -6 route add %v dev %s", p, h.link),
		"ip netns exec "+h.Name+" sysctl -qw net.ipv6.conf.all.forwarding=1",
		fmt.Sprintf("ip -n %s -6 route add default dev wan", h.Name),
		fmt.Sprintf("ip -n %s addr add %v dev lan nodad", h.Name, h.inner6),
	)
}

// addIPv6 gives a host an address.
func (h *Host) addIPv6(at, gateway netip.Addr) error {
	h.Addr6 = at
	return runAll(
		fmt.Sprintf("ip -n %s addr add %v/64 dev wan nodad", h.Name, at),
		fmt.Sprintf("ip -n %s -6 route add default via %v dev wan", h.Name, gateway),
	)
}

// AddIPv6 gives a host of [Lab.Modelled] a public address of IPv6 as well.
func (h *Host) AddIPv6() error {
	p := h.prefix6()
	gateway := number6(p, 0, 1)
	if err := runAll(
		"sysctl -qw net.ipv6.conf.all.forwarding=1",
		fmt.Sprintf("ip addr add %v/64 dev %s nodad", gateway, h.link),
	); err != nil {
		return err
	}
	return h.addIPv6(number6(p, 0, 2), gateway)
}

// NAT returns what the router, or the one that the host is behind, has done. It fails with
// ErrNoNAT for the NAT of the kernel.
func (h *Host) NAT() (tally NATTally, err error) {
	err = h.lab.links.withNAT(h.router().up, func(t *natTable, now time.Duration) {
		t.sweep(now)
		tally = t.tally
		tally.Mappings = len(t.byOutside)
	})
	return tally, err
}

// Pinhole makes the router of a host pass everything of a protocol, such as
// unix.IPPROTO_UDP, that comes to an endpoint of it: to the same port of the address
// outside, or with IPv6 to the endpoint itself.
func (h *Host) Pinhole(proto uint8, inside netip.AddrPort) error {
	return h.lab.links.withNAT(h.router().up, func(t *natTable, _ time.Duration) {
		t.pinhole(proto, inside)
	})
}
