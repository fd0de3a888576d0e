package transport

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// unackedTCP asks the system when the last acknowledgement came (TCP_INFO). The answer to a
// probe of a window without room is one.
func unackedTCP(tcp *net.TCPConn) (d time.Duration) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) { // a closed socket has nothing to answer
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && info.Unacked > 0 {
			d = time.Duration(info.Last_ack_recv) * time.Millisecond
		}
	})
	return d
}
