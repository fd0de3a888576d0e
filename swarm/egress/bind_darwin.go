package egress

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindSocket binds a socket to an interface (IP_BOUND_IF, IPV6_BOUND_IF): it sends and
// receives there alone. A socket is of one family, so one of the two options fails.
func bindSocket(c syscall.RawConn, device string) error {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return &DeviceError{device, ErrMissing}
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BOUND_IF, ifi.Index)
		if failed != nil {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_BOUND_IF, ifi.Index)
		}
	})
	if err == nil {
		err = failed
	}
	return bindError(device, err)
}
