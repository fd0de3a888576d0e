package swarm

import (
	"errors"
	"net"
	"os"
	"time"

	"swarmnode/swarm/transport"
)

// readFaultsMax is how many reads in a row may fail before we give up on a socket: the
// system reports on reads that datagrams sent earlier did not arrive.
const readFaultsMax = 100

// refuse reads the UDP sockets of the engine while nobody else does, so that attempts to
// connect by uTP are refused at once. Clients that try uTP first would otherwise wait for
// half a minute before they try TCP.
func (e *Engine) refuse() {
	for _, p := range e.ports {
		conn := transport.RefuseUTP(p.UDP)
		e.refusing.Go(func() {
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
}

// PacketConns returns the UDP sockets of the engine's ports for a DHT node, which reads
// from them from then on. Reading also refuses attempts to connect by uTP. Close closes
// the sockets.
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
