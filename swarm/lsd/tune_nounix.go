//go:build !unix

package lsd

import "net"

// tune leaves a socket as it is: a time to live of 1 is the default, and so is
// hearing other programs of this machine, where the receiver decides.
func tune(*net.UDPConn, int, bool) error { return nil }
