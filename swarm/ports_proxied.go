package swarm

import (
	"context"
	"net"

	"swarmnode/swarm/transport/socks"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// relayedMax bounds the datagrams of uTP through a proxy. The proxy's header makes each of them
// longer, and beyond 1,400 bytes fragments on the way are likely. The proxy does not say which
// sizes get through, so paths cannot be probed for more.
const relayedMax = 1400 - socks.HeaderBytes

// openRelay begins to use a packet connection through the proxy as the only port, unless it is
// nil. Peers of both families are reached by it, and reach us.
func (e *Engine) openRelay(relay net.PacketConn) {
	if relay == nil {
		return
	}
	p := &port{mux: udpmux.New(relay), relay: relay}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(e.ctx)
	e.openUTP(ctx, p, relayedMax)
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
