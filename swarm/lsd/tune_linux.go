package lsd

import "golang.org/x/sys/unix"

// ownInterfaceAlone keeps a socket from hearing what comes in on interfaces
// where other sockets have joined the group. Kernels that cannot are passed
// over: a packet is heard more than once there, which does no harm.
func ownInterfaceAlone(fd int, v6 bool) {
	if v6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		return
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
}
