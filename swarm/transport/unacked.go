package transport

import (
	"net"
	"time"
)

// Unacked returns for how long the other end of a stream has answered nothing, while
// something that was sent waits for an answer. It is 0 if nothing waits, and for streams of
// which nobody knows it: TCP elsewhere than on Linux, and pipes. The stream may be encrypted.
//
// A stream that has an Unacked method, as a utp.Conn does, is asked itself.
func Unacked(conn net.Conn) time.Duration {
	if outer, ok := conn.(interface{ Below() net.Conn }); ok {
		conn = outer.Below()
	}
	switch c := conn.(type) {
	case interface{ Unacked() time.Duration }:
		return c.Unacked()
	case *net.TCPConn:
		return unackedTCP(c)
	}
	return 0
}
