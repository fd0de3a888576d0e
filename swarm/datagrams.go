package swarm

import (
	"errors"
	"net"
	"os"
	"sync"

	"swarmnode/swarm/transport"
)

// readFaultsMax is how many reads in a row may fail before we give up on a socket: the
// system reports on reads that datagrams sent earlier did not arrive.
const readFaultsMax = 100

// refuse reads a UDP socket of the engine while nobody else does, so that attempts to
// connect by uTP are refused at once. Clients that try uTP first would otherwise wait for
// half a minute before they try TCP. The reader is of wait.
func (e *Engine) refuse(udp *net.UDPConn, wait *sync.WaitGroup) {
	conn := transport.RefuseUTP(udp)
	wait.Go(func() {
		b := make([]byte, 2048) // longer datagrams are of no protocol of ours, and cut off
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

// PacketConns returns the UDP sockets of the engine's ports for a DHT node, which reads
// from them from then on. Reading also refuses attempts to connect by uTP. Close closes
// the sockets, and Rebind those of ports that are given up: after it PacketConns returns
// others.
func (e *Engine) PacketConns() []net.PacketConn { return e.ports.packetConns() }
