package transport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tellsQueue says whether the system can be asked about the path of a stream.
const tellsQueue = true

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
			acked:  info.Bytes_acked, unsent: info.Notsent_bytes,
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

// pace holds the stream to a rate in bytes per second (SO_MAX_PACING_RATE); 0 is any.
func (s socket) pace(rate float64) {
	most := ^uint64(0)
	if rate > 0 {
		most = uint64(rate)
	}
	s.raw.Control(func(fd uintptr) { // without it the stream works as before
		unix.SetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, most)
	})
}
