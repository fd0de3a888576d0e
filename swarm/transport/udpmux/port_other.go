//go:build !linux

package udpmux

import "net"

// newPort returns a port over pc.
func newPort(pc net.PacketConn) port { return newPlainPort(pc) }
