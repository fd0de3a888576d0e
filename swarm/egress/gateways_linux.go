package egress

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The longest prefixes that count as a default route. VPNs cover the default route with two
// routes of one bit, and IPv6 in use fits into three bits.
const (
	defaultBits4 = 1
	defaultBits6 = 3
)

// defaultRoutes returns the routers of the default routes of all tables (rtnetlink(7),
// RTM_GETROUTE). The address of one is not valid for a route to an interface without a router,
// such as a tunnel.
func defaultRoutes(map[int][]netip.Prefix) ([]Gateway, error) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETROUTE, unix.AF_UNSPEC)
	if err != nil {
		return nil, os.NewSyscallError("netlinkrib", err)
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, os.NewSyscallError("parsenetlinkmessage", err)
	}
	var all []Gateway
	for i := range messages {
		if messages[i].Header.Type == unix.RTM_NEWROUTE && isDefault(messages[i].Data) {
			all = append(all, parseRoute(&messages[i])...)
		}
	}
	return all, nil
}

// isDefault reports whether a struct rtmsg is that of a default route to other machines.
func isDefault(b []byte) bool {
	if len(b) < unix.SizeofRtMsg || b[7] != unix.RTN_UNICAST {
		return false
	}
	switch family, bits := b[0], b[1]; family {
	case unix.AF_INET:
		return bits <= defaultBits4
	case unix.AF_INET6:
		return bits <= defaultBits6
	}
	return false
}

// parseRoute returns the routers of one route: several if it has several next hops.
func parseRoute(m *syscall.NetlinkMessage) []Gateway {
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return nil
	}
	var g Gateway
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.RTA_OIF:
			if len(a.Value) >= 4 {
				g.Index = int(binary.NativeEndian.Uint32(a.Value))
			}
		case unix.RTA_GATEWAY:
			g.Addr, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_MULTIPATH:
			return parseHops(a.Value)
		}
	}
	if g.Index == 0 || m.Data[0] == unix.AF_INET6 && !g.Addr.IsValid() {
		return nil
	}
	return []Gateway{g.zoned()}
}

// parseHops returns the routers of several struct rtnexthop.
func parseHops(b []byte) (all []Gateway) {
	for len(b) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		g := Gateway{Index: int(binary.NativeEndian.Uint32(b[4:]))}
		for rest := b[unix.SizeofRtNexthop:size]; len(rest) >= unix.SizeofRtAttr; {
			length := int(binary.NativeEndian.Uint16(rest))
			if length < unix.SizeofRtAttr || length > len(rest) {
				break
			}
			if binary.NativeEndian.Uint16(rest[2:]) == unix.RTA_GATEWAY {
				g.Addr, _ = netip.AddrFromSlice(rest[unix.SizeofRtAttr:length])
			}
			rest = rest[min(len(rest), (length+3)&^3):]
		}
		if g.Addr.IsValid() {
			all = append(all, g.zoned())
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return all
}
