package main

import (
	"net"
	"net/netip"
	"slices"

	"swarmnode/swarm/lsd"
)

// searchesLocally tells whether peers on the local networks are looked for: not
// if we listen on this machine alone, where they could not reach us.
func (s *session) searchesLocally() bool {
	return !s.flags.noLSD && slices.ContainsFunc(s.engine.Addrs(), func(a netip.AddrPort) bool {
		return !a.Addr().IsLoopback()
	})
}

// startLSD starts local service discovery on the networks of the addresses that
// we listen on.
func (s *session) startLSD() *lsd.Service {
	bound := s.engine.Addrs()
	return lsd.New(lsd.Config{
		Logger: s.c.log,
		Use:    func(i net.Interface) bool { return listensOn(i, bound) },
	})
}

// listensOn tells whether one of the bound addresses is, or stands for, an
// address of the interface.
func listensOn(i net.Interface, bound []netip.AddrPort) bool {
	if slices.ContainsFunc(bound, func(a netip.AddrPort) bool { return a.Addr().IsUnspecified() }) {
		return true
	}
	addrs, err := i.Addrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && slices.ContainsFunc(bound, func(b netip.AddrPort) bool {
			return b.Addr().Unmap().WithZone("") == p.Addr().Unmap()
		})
	})
}
