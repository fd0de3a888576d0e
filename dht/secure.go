package dht

import (
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
)

// securePrefix is how many leading bits of an id BEP 42 derives from the address
// of its node.
const securePrefix = 21

// The bits of an address that its node's id depends on, BEP 42, "Node ID
// restriction": of an IPv6 address only bits of the first half count.
var (
	secureMask4 = []byte{0x03, 0x0f, 0x3f, 0xff}
	secureMask6 = []byte{0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// secureBits returns what the first 21 bits of an id that ends in last have to be
// at ip; its other bits are zero.
func secureBits(ip netip.Addr, last byte) uint32 {
	b, mask := ip.AsSlice(), secureMask6
	if ip.Is4() {
		mask = secureMask4
	}
	b = b[:len(mask)]
	for i := range b {
		b[i] &= mask[i]
	}
	b[0] |= last & 7 << 5
	return crc32.Checksum(b, castagnoli) &^ (1<<(32-securePrefix) - 1)
}

// prefix returns the first 32 bits of id.
func (id *ID) prefix() uint32 {
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}

// secureID returns a random id that is valid for the external address ip by
// BEP 42. Local addresses do not restrict ids.
func secureID(rng *rand.Rand, ip netip.Addr) ID {
	id := randomID(rng)
	if ip.IsValid() && !isLocal(ip) {
		bits := secureBits(ip, id[len(id)-1])
		id[0], id[1], id[2] = byte(bits>>24), byte(bits>>16), byte(bits>>8)|id[2]&7
	}
	return id
}

// isSecure reports whether a node at ip may have that id by BEP 42. A node at a
// local address may have any id.
func isSecure(id ID, ip netip.Addr) bool {
	return isLocal(ip) || (id.prefix()^secureBits(ip, id[len(id)-1]))>>(32-securePrefix) == 0
}
