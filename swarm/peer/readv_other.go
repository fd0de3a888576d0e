//go:build !linux

package peer

import "net"

// A rawReader does nothing here: reading goes through net.Conn.
type rawReader struct{}

func (*rawReader) init(net.Conn) {}

func (*rawReader) ok() bool { return false }

func (*rawReader) read(*input, []byte, int) (int, error) { return 0, net.ErrClosed }
