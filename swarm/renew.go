package swarm

import (
	"time"

	"swarmnode/swarm/transport"
)

// Renew makes all sockets of the engine again, at the same addresses. It is for a network
// interface that was made again under its old name: what was bound to the old one is dead.
// All connections end, torrents begin a new search, and a DHT node has to be made again with
// PacketConns, as after Rebind. The error is ErrClosed, or that of the first address that
// cannot be bound: then nothing listens, and Renew can be called again.
func (e *Engine) Renew() error {
	if e.proxied() {
		e.Reconnect() // sockets to the proxy end by themselves
		return nil
	}
	left, err := e.ports.renew(e.openPort)
	if err != nil {
		return err
	}
	for _, p := range left {
		p.close() // it may be closed already, and nobody else can have the port
	}
	e.web.Close()
	e.tracker.Renew()
	e.findPlace()
	for _, t := range e.Torrents() {
		t.ask(func(now time.Time) { t.loop.renewed(now) })
	}
	return nil
}

// renewed ends all connections, because their sockets are dead, and looks for peers again.
func (l *loop) renewed(now time.Time) {
	gone := make(addressSet)
	for _, link := range l.links {
		if link.conn != nil {
			gone[transport.LocalAddr(link.conn)] = true
		}
	}
	l.networkChanged(now, gone)
	l.rebound(now)
}
