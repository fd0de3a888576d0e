package swarm

import (
	"errors"
	"net"
	"os"
	"time"

	"swarmnode/swarm/transport"
)

// readFaultsMax is how many reads in a row may fail before a socket is left
// alone: the system reports there what became of datagrams sent before.
const readFaultsMax = 100

// refuse reads the UDP sockets of the engine as long as nobody else does, so
// that attempts to connect by uTP are refused at once: clients that try it first
// would otherwise wait for half a minute before they try TCP.
func (e *Engine) refuse() {
	for _, p := range e.ports {
		conn := transport.RefuseUTP(p.UDP)
		e.refusing.Go(func() {
			b := make([]byte, 2048) // what is longer is cut off, and nobody's all the same
			for faults := 0; faults < readFaultsMax; {
				_, _, err := conn.ReadFromUDPAddrPort(b)
				switch {
				case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
					return
				case err != nil:
					faults++
				default:
					faults = 0
				}
			}
		})
	}
}

// PacketConns returns the UDP sockets of the engine's ports, for a DHT node,
// which is to read from them from then on: attempts to connect by uTP are
// refused in passing. They are closed by Close.
func (e *Engine) PacketConns() []net.PacketConn {
	e.handOver.Do(func() {
		for _, p := range e.ports {
			p.UDP.SetReadDeadline(time.Unix(1, 0))
		}
		e.refusing.Wait()
		for _, p := range e.ports {
			p.UDP.SetReadDeadline(time.Time{})
		}
	})
	conns := make([]net.PacketConn, len(e.ports))
	for i, p := range e.ports {
		conns[i] = transport.RefuseUTP(p.UDP)
	}
	return conns
}
