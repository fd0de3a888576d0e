package swarm

import (
	"context"
	"net"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// openRelay begins to use a packet connection through the proxy as the only port, unless it is
// nil. Peers of both families are reached by it, and reach us.
func (e *Engine) openRelay(relay net.PacketConn) {
	if relay == nil {
		return
	}
	p := &port{mux: udpmux.New(relay), relay: relay}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(e.ctx)
	p.utp = utp.NewSocket(p.mux, utp.Config{Budget: e.streams})
	e.accept(ctx, utpListener{p.utp}, endpoint.TransportUTP)
	e.ports.mu.Lock()
	defer e.ports.mu.Unlock()
	e.ports.list.Store(&[]*port{p})
}

// relayed returns the uTP socket of a port behind a proxy, or nil while the proxy relays
// nothing.
func (p *port) relayed() *utp.Socket {
	if r, ok := p.relay.(interface{ Up() bool }); ok && !r.Up() {
		return nil
	}
	return p.utp
}
