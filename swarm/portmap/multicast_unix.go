//go:build unix

package portmap

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// multicastFrom makes multicast leave by the interface that has an IPv4 address. If that
// fails, the system chooses.
func multicastFrom(conn *net.UDPConn, local netip.Addr) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, local.As4())
	})
}
