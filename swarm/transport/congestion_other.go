//go:build !linux

package transport

import "net"

// tellsQueue says whether the system can be asked about the path of a stream.
const tellsQueue = false

// A socket cannot be asked on this system.
type socket struct{}

func socketOf(*net.TCPConn) (socket, bool) { return socket{}, false }

func (socket) condition() (condition, bool) { return condition{}, false }

func (socket) keepPace() {}

func (socket) pace(float64) {}
