package swarm

import (
	"net/netip"
	"time"

	"swarmnode/swarm/core"
)

// Rebind makes the engine listen on other addresses, as Config.Listen names them. It binds
// all of them before it gives up the old ones, of which it keeps those that are named again;
// so an address can change from one IP to all of them only together with the port. The
// error is ErrClosed, or that of the first address that cannot be bound, as
// transport.ListenPair returns it: then everything stays as it was.
//
// Running connections stay. Torrents begin a new search, which announces the new port, and tell
// it to their peers (BEP 10, "p"). The UDP sockets of the old addresses are closed, and a
// DHT node that reads them has to be made again with PacketConns. Behind a proxy nobody listens,
// and Rebind does nothing. Which addresses count as
// those of this machine where strangers are limited stays as it was.
func (e *Engine) Rebind(listen []netip.AddrPort) error {
	if e.proxied() {
		return nil
	}
	left, err := e.ports.rebind(listen, e.openPort)
	if err != nil {
		return err
	}
	for _, p := range left {
		e.ports.retire(e.ctx, p, &e.wait)
	}
	e.findPlace()
	e.log.Info("listening on other addresses", "addrs", e.Addrs())
	for _, t := range e.Torrents() {
		t.ask(func(now time.Time) { t.loop.rebound(now) })
	}
	return nil
}

// rebound tells peers and sources the address at which we listen now.
func (l *loop) rebound(now time.Time) {
	port := l.t.engine.Addr().Port()
	l.setOwn()
	l.core.Step(now, core.Event{Kind: core.Rebound, Count: int(port)})
	l.trackers.setPort(port)
	l.search.move(l.t.ctx, now, port)
}
