//go:build !linux

package egress

import (
	"net"
	"net/netip"
)

// interfacePrefixes returns the addresses of all interfaces by the number of the interface.
func interfacePrefixes() (map[int][]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	all := make(map[int][]netip.Prefix)
	for _, ifi := range interfaces {
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it has gone meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				ip := p.Addr().Unmap()
				all[ifi.Index] = append(all[ifi.Index], netip.PrefixFrom(ip,
					p.Bits()-(p.Addr().BitLen()-ip.BitLen())))
			}
		}
	}
	return all, nil
}
