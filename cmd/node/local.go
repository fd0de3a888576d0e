package main

import (
	"net/netip"
	"slices"

	"swarmnode/swarm/lsd"
)

// searchesLocally reports whether peers on the local networks are looked for: not
// if we listen on this machine alone, where they could not reach us.
func (s *session) searchesLocally() bool {
	return !s.flags.noLSD && slices.ContainsFunc(s.engine.Addrs(), func(a netip.AddrPort) bool {
		return !a.Addr().IsLoopback()
	})
}

// startLSD starts local service discovery on the networks of the addresses that
// we listen on.
func (s *session) startLSD() *lsd.Service {
	var bound []netip.Addr
	for _, a := range s.engine.Addrs() {
		bound = append(bound, a.Addr())
	}
	return lsd.New(lsd.Config{Logger: s.c.log, Bound: bound})
}
