//go:build !linux

package transport

import "net"

// A socket cannot be asked on this system.
type socket struct{}

func socketOf(*net.TCPConn) (socket, bool) { return socket{}, false }

func (socket) condition() (condition, bool) { return condition{}, false }

func (socket) keepPace() {}

func (socket) pace(float64) {}
