package swarm

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/core"
)

const (
	// namedPeersMax bounds the peers taken from a magnet link or a command
	// line: each host name is looked up, and each address dialled.
	namedPeersMax = 100
	// namedPeersWait bounds the look-up of one host name.
	namedPeersWait = 5 * time.Second
)

// findNamed tells the core the addresses of the peers that were given by name.
// It blocks while host names are looked up.
func (l *loop) findNamed() {
	names := slices.Clone(l.spec.Peers)
	if !l.spec.PeersOnly {
		names = append(names, l.spec.Magnet.Peers...)
	}
	for _, name := range names[:min(len(names), namedPeersMax)] {
		addrs, err := resolve(l.ctx, name)
		if err != nil {
			l.log.Warn("peer given by name", "peer", name, "err", err)
			continue
		}
		for _, addr := range addrs {
			l.post(core.Event{Kind: core.Found, Addr: addr, Source: core.SourceUser})
		}
	}
}

// resolve returns the addresses that HOST:PORT stands for, at least one.
func resolve(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	if addr, err := netip.ParseAddrPort(hostport); err == nil {
		return []netip.AddrPort{addr}, nil
	}
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, namedPeersWait)
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return addrs, nil
}
