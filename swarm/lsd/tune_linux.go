package lsd

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// ownInterfaceAlone keeps a socket from hearing packets of interfaces where other sockets
// have joined the group. A kernel without the option hears some packets more than once,
// which does no harm.
func ownInterfaceAlone(fd int, v6 bool) {
	if v6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		return
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
}

// sourceOf returns the control message that sends a packet from an address of an
// interface.
func sourceOf(from netip.Addr, index int) []byte {
	if from.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(index), Spec_dst: from.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Ifindex: uint32(index), Addr: from.As16()})
}
