package dht

import (
	"encoding/binary"
	"net/netip"

	"swarmnode/swarm/limit"
)

const (
	compactAddr4 = 6  // bytes of a compact IPv4 address and port, BEP 5
	compactAddr6 = 18 // the same for IPv6, BEP 32
	compactNode4 = 20 + compactAddr4
	compactNode6 = 20 + compactAddr6
)

// cleanAddr returns the one form of a socket's address in which addresses are
// compared: IPv4 unmapped, no zone.
func cleanAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// isLocal reports whether ip belongs to a range that is exempt from BEP 42, from
// limits per address and from the rules about distinct networks: many nodes of a
// private network share an address, so it does not tell them apart.
func isLocal(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// usable reports whether a node or peer at a can be sent to at all.
func usable(a netip.AddrPort) bool {
	ip := a.Addr()
	if a.Port() == 0 || !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.Is4In6() {
		return false
	}
	if ip.Is4() {
		b := ip.As4()
		return b[0] != 0 && b[0] < 240 // "this network" and the reserved class E
	}
	return true
}

// reachable reports whether we may use an address that a stranger at from told us.
// A node of the public network must not lead us into our private one.
func reachable(from, told netip.AddrPort) bool {
	return usable(told) && (!isLocal(told.Addr()) || isLocal(from.Addr()))
}

// network returns the block of addresses that counts as one party: a /24 for IPv4
// or a /64 for IPv6. Each local address is a party of its own.
func network(a netip.AddrPort) netip.Prefix {
	ip := a.Addr()
	bits := 64
	switch {
	case isLocal(ip):
		bits = ip.BitLen()
	case ip.Is4():
		bits = 24
	}
	p, _ := ip.Prefix(bits)
	return p
}

// source returns the address that stands for one user: an IPv4 address itself, or
// the /64 of an IPv6 address, because one host can use all of its /64. Each local
// address is a source of its own.
func source(ip netip.Addr) netip.Addr {
	if isLocal(ip) {
		return ip
	}
	return limit.SourceOf(ip)
}

// owner returns the block of addresses that counts as one owner when a store is
// full: a /24, or a /48, which is the most that an IPv6 customer usually gets. An
// owner's block is wider than a network because independent nodes may share a /48,
// while no single owner needs a whole store.
func owner(ip netip.Addr) netip.Prefix {
	bits := 48
	switch {
	case isLocal(ip):
		bits = ip.BitLen()
	case ip.Is4():
		bits = 24
	}
	p, _ := ip.Prefix(bits)
	return p
}

// parseAddr reads a compact address of 6 or 18 bytes.
func parseAddr(b []byte) (netip.AddrPort, bool) {
	if len(b) != compactAddr4 && len(b) != compactAddr6 {
		return netip.AddrPort{}, false
	}
	ip, _ := netip.AddrFromSlice(b[:len(b)-2])
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[len(b)-2:])), true
}

// appendAddr appends a in its compact form.
func appendAddr(dst []byte, a netip.AddrPort) []byte {
	if ip := a.Addr(); ip.Is4() {
		b := ip.As4()
		dst = append(dst, b[:]...)
	} else {
		b := ip.As16()
		dst = append(dst, b[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, a.Port())
}

// endpoint is an address and port in 18 bytes, for large tables.
type endpoint struct {
	ip   [16]byte
	port uint16
}

func pack(a netip.AddrPort) endpoint { return endpoint{a.Addr().As16(), a.Port()} }

func (e endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.ip).Unmap(), e.port)
}
