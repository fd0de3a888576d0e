package swarm

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
)

const (
	// namedPeersMax bounds the peers taken from a magnet link, and those from a
	// command line: each host name is looked up, and each address dialled.
	namedPeersMax = 100
	// namedAddrsMax bounds the addresses taken of one name.
	namedAddrsMax = 16
	// namedPeersWait bounds the look-up of one host name.
	namedPeersWait = 5 * time.Second
)

// findNamed tells the core the addresses of the peers that the user named, and of those
// that the link names, which a stranger wrote. It blocks while host names are looked up.
func (l *loop) findNamed() {
	l.findPeers(l.t.spec.Peers, core.SourceUser)
	if !l.t.spec.PeersOnly {
		l.findPeers(l.t.spec.Magnet.Peers, core.SourceLink)
	}
}

// findPeers tells the core the addresses of peers that a source names. It warns once of
// those to which the source must not lead.
func (l *loop) findPeers(names []string, source core.Source) {
	level := slog.LevelWarn
	for _, name := range names[:min(len(names), namedPeersMax)] {
		addrs, err := resolve(l.t.ctx, name)
		if err != nil {
			l.t.log.Warn("peer given by name", "peer", name, "err", err)
			continue
		}
		for _, addr := range addrs[:min(len(addrs), namedAddrsMax)] {
			if !source.MayName(addr) {
				l.t.log.Log(l.t.ctx, level, "a peer of the link is left out", "peer", name, "err",
					errNearby)
				level = slog.LevelInfo
				break
			}
			l.t.post(core.Event{Kind: core.Found, Endpoint: endpoint.IP(addr), Source: source})
		}
	}
}

// errNearby is why a peer that a link names is not asked.
var errNearby = errors.New("a link must not lead to services of this machine or network (try: " +
	"--peer)")

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
