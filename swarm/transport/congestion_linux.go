package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

// keepPace sets TCP_CONGESTION of a stream.
func keepPace(tcp *net.TCPConn) bool {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
	})
	return err == nil && failed == nil
}
