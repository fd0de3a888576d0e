package tracker

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of compact peers, in bytes: an address and a port, both big-endian.
const (
	compact4 = 4 + 2  // BEP 23
	compact6 = 16 + 2 // BEP 7
)

// appendCompact appends addr in the compact form of its family.
func appendCompact(dst []byte, addr netip.AddrPort) []byte {
	if ip := addr.Addr(); ip.Is4() {
		b := ip.As4()
		dst = append(dst, b[:]...)
	} else {
		b := ip.As16()
		dst = append(dst, b[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, addr.Port())
}

// parseCompact appends the peers of b, each size bytes long, to dst, up to
// PeersMax of them. A part of a peer at the end is ignored.
func parseCompact(dst []netip.AddrPort, b []byte, size int) []netip.AddrPort {
	for ; len(b) >= size && len(dst) < PeersMax; b = b[size:] {
		ip, _ := netip.AddrFromSlice(b[:size-2])
		dst = append(dst, netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[size-2:])))
	}
	return dst
}
