package peer

import (
	"net"
	"syscall"
)

// An acker makes the system acknowledge at once what has come; otherwise it would wait for
// 40 ms for data to go out with. Peers that do not set TCP_NODELAY, libtorrent among them,
// hold back their next requests until their last message is acknowledged. A have has no
// answer, so a seed with nothing more to send would acknowledge it last. It is owned by
// the reader.
type acker struct {
	conn syscall.RawConn // nil when the connection is no socket
	set  func(fd uintptr)
}

func (a *acker) init(conn net.Conn) {
	a.conn = socketBelow(conn)
	a.set = func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}
}

// now acknowledges what was read. It has an effect until something is sent.
func (a *acker) now() {
	if a.conn != nil {
		a.conn.Control(a.set) // an error shows at the next read
	}
}

// socketBelow returns the socket that carries conn, be it encrypted or not, or nil.
func socketBelow(conn net.Conn) syscall.RawConn {
	if tunnel, ok := conn.(interface{ Below() net.Conn }); ok {
		conn = tunnel.Below()
	}
	return socketOf(conn)
}
