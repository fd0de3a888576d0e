//go:build !unix

package portmap

import (
	"net"
	"net/netip"
)

// multicastFrom leaves the choice of the interface to the system.
func multicastFrom(*net.UDPConn, netip.Addr) {}
