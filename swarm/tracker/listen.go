package tracker

import (
	"context"
	"net/netip"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/transport"
)

// Listen binds addrs by sockets of n, which may be nil, each for TCP and UDP at once, or none
// of them. A Server serves each of
// the pairs. The error is that of transport.ListenPair.
func Listen(ctx context.Context, n *egress.Net, addrs []netip.AddrPort) ([]*transport.Pair, error) {
	var pairs []*transport.Pair
	for _, a := range addrs {
		p, err := transport.ListenPair(ctx, n, a)
		if err != nil {
			for _, p := range pairs {
				p.Close()
			}
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}
