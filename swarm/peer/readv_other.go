//go:build !linux

package peer

import "net"

// A rawReader does nothing here: reading goes through net.Conn.
type rawReader struct{}

func (*rawReader) init(net.Conn, *reader) {}

func (*rawReader) ok() bool { return false }

func (*rawReader) read(int) (int, error) { return 0, net.ErrClosed }
