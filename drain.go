package swarmnode

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A drain reads UDP sockets while no DHT node does, so that attempts to connect by uTP are
// refused, which reading them does.
type drain struct {
	conns []net.PacketConn
	wait  sync.WaitGroup
}

// readFaultsMax is how many reads in a row may fail before a drain gives up on a socket:
// the system reports on reads that datagrams sent earlier did not arrive.
const readFaultsMax = 100

// start reads conns until stop, or until they are closed.
func (d *drain) start(conns []net.PacketConn) {
	d.conns = conns
	for _, c := range conns {
		d.wait.Go(func() {
			b := make([]byte, 2048) // longer datagrams are of no protocol of ours, and cut off
			for faults := 0; faults < readFaultsMax; {
				_, _, err := c.ReadFrom(b)
				switch {
				case err == nil:
					faults = 0
				case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
					return
				default:
					faults++
				}
			}
		})
	}
}

// stop leaves the sockets to others.
func (d *drain) stop() {
	for _, c := range d.conns {
		c.SetReadDeadline(time.Unix(1, 0))
	}
	d.wait.Wait()
	for _, c := range d.conns {
		c.SetReadDeadline(time.Time{})
	}
	d.conns = nil
}
