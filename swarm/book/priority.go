package book

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// castagnoli is the polynomial of CRC32-C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// canonicalPriority returns how much a connection between two peers is worth (BEP 40,
// "Canonical Peer Priority"): the greater, the more. Each peer computes it alone and both
// get the same. When everybody dials and keeps peers by it, the connections of a swarm
// spread evenly, and nobody can choose whose neighbour to be without owning addresses all
// over the internet. The order of a and b does not matter. Between families it is 0.
func canonicalPriority(a, b netip.AddrPort) uint32 {
	ipA, ipB := a.Addr().Unmap().WithZone(""), b.Addr().Unmap().WithZone("")
	if ipA.BitLen() != ipB.BitLen() || !ipA.IsValid() {
		return 0
	}
	if ipA == ipB {
		low, high := min(a.Port(), b.Port()), max(a.Port(), b.Port())
		var both [4]byte
		binary.BigEndian.PutUint16(both[:2], low)
		binary.BigEndian.PutUint16(both[2:], high)
		return crc32.Checksum(both[:], castagnoli)
	}
	low, high := ipA, ipB
	whole := maskedFrom(ipA, ipB)
	maskA, maskB := masked(ipA, whole), masked(ipB, whole)
	if string(maskA) > string(maskB) {
		low, high = ipB, ipA
	}
	return crc32.Checksum(append(masked(low, whole), masked(high, whole)...), castagnoli)
}

// maskedFrom returns from which byte on only every other bit counts: a network
// cannot choose those before it, and whoever shares them is told apart by the
// next. Of IPv4 these are /16 and /24 and all; of IPv6 /48, /56, and so on.
func maskedFrom(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	whole := 2
	if len(x) == 16 {
		whole = 6
	}
	for whole < len(x) && string(x[:whole]) == string(y[:whole]) {
		whole++
	}
	return whole
}

func masked(ip netip.Addr, whole int) []byte {
	b := ip.AsSlice()
	for i := whole; i < len(b); i++ {
		b[i] &= 0x55
	}
	return b
}
