package main

import (
	"net/netip"
	"slices"

	"swarmnode/swarm/lsd"
)

// searchesLocally reports whether to look for peers on the local networks. A node that
// listens on loopback alone does not, because peers could not reach it.
func (s *session) searchesLocally() bool {
	return !s.flags.noLSD && slices.ContainsFunc(s.engine.Addrs(), func(a netip.AddrPort) bool {
		return !a.Addr().IsLoopback()
	})
}

// startLSD starts local service discovery on the networks of the addresses that the node
// listens on.
func (s *session) startLSD() *lsd.Service {
	var bound []netip.Addr
	for _, a := range s.engine.Addrs() {
		bound = append(bound, a.Addr())
	}
	return lsd.New(lsd.Config{Logger: s.c.log, Bound: bound})
}
