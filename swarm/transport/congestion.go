package transport

import (
	"net"
	"net/netip"
)

// KeepPace makes the system send on a stream to a peer by the congestion control BBR, and
// reports whether it does. BBR sends at the rate that the path has carried, and is not
// slowed down by packets that are lost at random: over a path of 50 ms that loses 1 % of
// the packets it is forty times as fast as CUBIC. It also fills no more of a router's
// queue than twice what the path holds, where CUBIC fills all of it, so others on a home
// line wait less.
//
// Nothing changes for streams within a machine or a local network, where BBR only costs
// time, for streams that are not TCP, and on systems that have no BBR or do not allow it to
// this process. On Linux, net.ipv4.tcp_allowed_congestion_control lists what everybody may
// use.
func KeepPace(conn net.Conn) bool {
	for {
		outer, ok := conn.(interface{ Below() net.Conn })
		if !ok {
			break
		}
		conn = outer.Below()
	}
	tcp, ok := conn.(*net.TCPConn)
	return ok && distant(RemoteAddrPort(tcp).Addr()) && keepPace(tcp)
}

// sharedSpace is for hosts of one provider behind its NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// distant reports whether the way to ip leads over the internet.
func distant(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !sharedSpace.Contains(ip)
}
