package udpmux

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// A sockaddr is struct sockaddr_in or sockaddr_in6. Family and scope are in the order of the
// machine, the port in that of the network.
type sockaddr [unix.SizeofSockaddrInet6]byte

// Where the fields are.
const (
	atPort  = 2
	at4     = 4
	at6     = 8
	atScope = 24
)

// addrPort returns the address and port, an IPv4 address as such.
func (s *sockaddr) addrPort(z *zones) netip.AddrPort {
	port := binary.BigEndian.Uint16(s[atPort:])
	switch binary.NativeEndian.Uint16(s[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[at4:])), port)
	case unix.AF_INET6:
		ip := netip.AddrFrom16([16]byte(s[at6:])).Unmap()
		if scope := binary.NativeEndian.Uint32(s[atScope:]); scope != 0 && ip.Is6() {
			ip = ip.WithZone(z.name(scope))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// set makes s the address to, for a socket of IPv6 or of IPv4. It returns the length of s,
// or 0 if such a socket cannot send there.
func (s *sockaddr) set(to netip.AddrPort, six bool) int {
	ip := to.Addr()
	binary.BigEndian.PutUint16(s[atPort:], to.Port())
	if !six {
		if ip = ip.Unmap(); !ip.Is4() {
			return 0
		}
		binary.NativeEndian.PutUint16(s[:], unix.AF_INET)
		b := ip.As4()
		copy(s[at4:], b[:])
		clear(s[at4+4 : unix.SizeofSockaddrInet4])
		return unix.SizeofSockaddrInet4
	}
	if !ip.IsValid() {
		return 0
	}
	binary.NativeEndian.PutUint16(s[:], unix.AF_INET6)
	clear(s[at4:at6]) // the flow
	b := ip.As16()
	copy(s[at6:], b[:])
	scope := uint32(0)
	if zone := ip.Zone(); zone != "" {
		scope = scopeOf(zone)
	}
	binary.NativeEndian.PutUint32(s[atScope:], scope)
	return unix.SizeofSockaddrInet6
}

// zonesMax bounds the interfaces whose names are remembered.
const zonesMax = 64

// zones are the names of the interfaces that link-local peers are behind. It is owned by the
// reader.
type zones struct{ names map[uint32]string }

// name returns the name of the interface with a number, as in package net.
func (z *zones) name(scope uint32) string {
	if name, ok := z.names[scope]; ok {
		return name
	}
	name := strconv.Itoa(int(scope))
	if i, err := net.InterfaceByIndex(int(scope)); err == nil {
		name = i.Name
	}
	if z.names == nil || len(z.names) >= zonesMax {
		z.names = make(map[uint32]string)
	}
	z.names[scope] = name
	return name
}

// scopeOf returns the number of an interface with that name, or 0.
func scopeOf(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
