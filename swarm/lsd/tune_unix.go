//go:build unix

package lsd

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// tune makes a multicast socket hear other programs of this machine, reach no
// further than the link, send on its own interface, and hear its own interface
// alone.
func tune(conn *net.UDPConn, index int, v6 bool) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		s := int(fd)
		if v6 {
			failed = errors.Join(
				unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 1),
				unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 1),
				unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index),
			)
		} else {
			failed = errors.Join(
				unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1),
				unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1),
			)
		}
		ownInterfaceAlone(s, v6)
	})
	return errors.Join(err, failed)
}
