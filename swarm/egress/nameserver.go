package egress

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
)

const (
	// upstreamFile is where systemd-resolved, which itself listens on loopback, names the
	// servers that it asks.
	upstreamFile = "/run/systemd/resolve/resolv.conf"
	// upstreamBytesMax bounds what is read of that file, and upstreamsMax the servers.
	upstreamBytesMax = 64 << 10
	upstreamsMax     = 8
)

// upstreams chooses among the servers of upstreamFile.
type upstreams struct {
	turn atomic.Uint32 // of the next server
}

// next returns the server that is next, or one that is not valid if none can be asked
// through an interface.
func (u *upstreams) next(servers []netip.Addr) netip.Addr {
	if len(servers) == 0 {
		return netip.Addr{}
	}
	return servers[int(u.turn.Add(1)-1)%len(servers)]
}

// dialNameServer connects to a name server of the system, through the device. A server on
// loopback cannot be asked that way: one of those takes its place which systemd-resolved asks.
func (n *Net) dialNameServer(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if !n.loopback && server.Addr().Unmap().IsLoopback() {
		instead := n.upstream.next(readServers(upstreamFile))
		if !instead.IsValid() {
			return nil, dialError(network, server, &DeviceError{n.cfg.Device, ErrNameServer})
		}
		server = netip.AddrPortFrom(instead, server.Port())
	}
	d := net.Dialer{Control: n.control}
	return d.DialContext(ctx, network, server.String())
}

// readServers returns the name servers that a file in the form of resolv.conf(5) names,
// without those on loopback.
func readServers(path string) (servers []netip.Addr) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, upstreamBytesMax))
	for lines.Scan() && len(servers) < upstreamsMax {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		ip, err := netip.ParseAddr(words[1])
		if err == nil && !ip.Unmap().IsLoopback() && !ip.IsUnspecified() {
			servers = append(servers, ip.Unmap())
		}
	}
	return servers
}
