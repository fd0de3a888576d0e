package peer

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// aheadOf returns the function that sets how many bytes the system takes ahead of what the
// path of conn carries (TCP_NOTSENT_LOWAT), or nil if conn is no TCP stream.
func aheadOf(conn net.Conn) func(bytes int) {
	raw := socketBelow(conn)
	if raw == nil {
		return nil
	}
	return func(bytes int) {
		raw.Control(func(fd uintptr) { // without the option the stream works as well
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
		})
	}
}
