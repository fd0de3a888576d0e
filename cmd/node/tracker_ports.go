package main

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"swarmnode"
	"swarmnode/swarm/tracker"
)

// trackerSockets are those of one port, for TCP and UDP.
type trackerSockets struct {
	tcp tracker.Listener
	udp net.PacketConn
	at  netip.AddrPort
}

// close closes both sockets.
func (p trackerSockets) close() {
	p.tcp.Close()
	p.udp.Close()
}

// listenTracker binds addrs, or none of them.
func listenTracker(ctx context.Context, n *swarmnode.Network,
	addrs []netip.AddrPort) (list []trackerSockets, err error) {
	pairs, err := tracker.Listen(ctx, n.Egress(), addrs)
	for _, p := range pairs {
		list = append(list, trackerSockets{p.TCP, p.UDP, p.AddrPort()})
	}
	return list, err
}

// trackerPorts are the ports of a tracker. They are made again when the interface of
// --bind-device was made again.
type trackerPorts struct {
	server  *tracker.Server
	network *swarmnode.Network
	bound   []netip.AddrPort
	mapped  *swarmnode.PortMap // nil without port mapping
	failed  chan error         // takes the first failure that ends the tracker

	// Of the goroutine of serve:
	cancel context.CancelFunc // ends serving the present sockets
	wait   sync.WaitGroup     // for that
}

// newTrackerPorts returns the ports of server at those of list, which serve serves.
func newTrackerPorts(server *tracker.Server, n *swarmnode.Network,
	list []trackerSockets) *trackerPorts {
	p := &trackerPorts{server: server, network: n, failed: make(chan error, 1)}
	for _, port := range list {
		p.bound = append(p.bound, port.at)
	}
	return p
}

// serve serves the ports of list until ctx ends. follow calls for other sockets, as that of
// swarmnode.Network.WatchDevice does.
func (p *trackerPorts) serve(ctx context.Context, list []trackerSockets,
	follow func(context.Context, func() error)) {
	p.begin(ctx, list)
	follow(ctx, func() error { return p.renew(ctx) })
	p.wait.Wait()
	p.cancel()
}

// begin starts to serve the ports of list.
func (p *trackerPorts) begin(ctx context.Context, list []trackerSockets) {
	index, _ := p.network.Egress().Present()
	ctx, p.cancel = context.WithCancel(ctx)
	for _, port := range list {
		p.wait.Go(func() {
			err := p.server.Serve(ctx, port.tcp, port.udp)
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
	list, err := listenTracker(ctx, p.network, p.bound)
	if err != nil {
		return err
	}
	p.begin(ctx, list)
	p.mapped.NetworkChanged()
	return nil
}
