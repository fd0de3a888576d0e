package peer

import "net"

// A carrier is a stream that says what it costs besides the bytes of the stream, such as
// one over uTP: how many bytes it has sent and received as headers and the like.
type carrier interface {
	Overhead() (sent, received int64)
}

// carrierOf returns the carrier at the bottom of a stream, or nil.
func carrierOf(conn net.Conn) carrier {
	if hidden, ok := conn.(interface{ Below() net.Conn }); ok {
		conn = hidden.Below()
	}
	c, _ := conn.(carrier)
	return c
}

// An overhead is what a stream costs in one direction, and has not been taken out of a rate
// limit. It is owned by the reader or the writer.
type overhead struct {
	of    carrier // nil if the stream does not say
	ours  bool    // what we send; else what we receive
	known bool    // last is known
	last  int64
}

// due returns the bytes since the last call. Without a limit they are forgotten.
func (o *overhead) due(limited bool) int {
	if o.of == nil {
		return 0
	}
	if !limited {
		o.known = false
		return 0
	}
	sent, n := o.of.Overhead()
	if o.ours {
		n = sent
	}
	due := n - o.last
	o.last = n
	if first := !o.known; first {
		o.known = true
		return 0
	}
	return int(max(due, 0))
}
