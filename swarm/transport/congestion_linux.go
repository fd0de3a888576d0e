package transport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a TCP socket whose congestion control can be changed.
type socket struct{ raw syscall.RawConn }

func socketOf(tcp *net.TCPConn) (socket, bool) {
	raw, err := tcp.SyscallConn()
	return socket{raw}, err == nil
}

// condition asks the system about the path (TCP_INFO).
func (s socket) condition() (c condition, ok bool) {
	err := s.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		ok = true
		c = condition{
			rtt:    time.Duration(info.Rtt) * time.Microsecond,
			rttMin: time.Duration(info.Min_rtt) * time.Microsecond,
			lost:   info.Total_retrans,
			rate:   info.Delivery_rate,
		}
	})
	return c, ok && err == nil
}

// keepPace sets BBR (TCP_CONGESTION), if the system has and allows it.
func (s socket) keepPace() {
	s.raw.Control(func(fd uintptr) { // without it the stream works as before
		unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
	})
}
