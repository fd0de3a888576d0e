package main

import (
	"context"
	"net/netip"
	"sync"

	"swarmnode"
	"swarmnode/swarm/tracker"
	"swarmnode/swarm/transport"
)

// trackerPorts are the ports of a tracker. They are made again when the interface of
// --bind-device was made again.
type trackerPorts struct {
	server  *tracker.Server
	network *swarmnode.Network
	bound   []netip.AddrPort
	failed  chan error // takes the first failure that ends the tracker

	// Of the goroutine of serve:
	cancel context.CancelFunc // ends serving the present sockets
	wait   sync.WaitGroup     // for that
}

// newTrackerPorts returns the ports of server at pairs, which serve serves.
func newTrackerPorts(server *tracker.Server, n *swarmnode.Network,
	pairs []*transport.Pair) *trackerPorts {
	p := &trackerPorts{server: server, network: n, failed: make(chan error, 1)}
	for _, pair := range pairs {
		p.bound = append(p.bound, pair.AddrPort())
	}
	return p
}

// serve serves pairs until ctx ends. follow calls for other sockets, as that of
// swarmnode.Network.WatchDevice does.
func (p *trackerPorts) serve(ctx context.Context, pairs []*transport.Pair,
	follow func(context.Context, func() error)) {
	p.begin(ctx, pairs)
	follow(ctx, func() error { return p.renew(ctx) })
	p.wait.Wait()
	p.cancel()
}

// begin starts to serve pairs.
func (p *trackerPorts) begin(ctx context.Context, pairs []*transport.Pair) {
	index, _ := p.network.Egress().Present()
	ctx, p.cancel = context.WithCancel(ctx)
	for _, pair := range pairs {
		p.wait.Go(func() {
			err := p.server.Serve(ctx, pair.TCP, pair.UDP)
			if now, _ := p.network.Egress().Present(); err == nil || now != index {
				return // the sockets are dead, and renew makes others
			}
			select {
			case p.failed <- err:
			default:
			}
		})
	}
}

// renew makes the ports again, at the same addresses. On an error nobody is served, and renew
// can be called again.
func (p *trackerPorts) renew(ctx context.Context) error {
	p.cancel()
	p.wait.Wait()
	pairs, err := tracker.Listen(ctx, p.network.Egress(), p.bound)
	if err != nil {
		return err
	}
	p.begin(ctx, pairs)
	return nil
}
