package wire

import (
	"crypto/sha1"
	"encoding/binary"
	"net/netip"
	"slices"

	"swarmnode/metainfo"
)

// AllowedFastMax bounds an allowed-fast set; BEP 6 suggests 10.
const AllowedFastMax = 10

// AllowedFastSet appends to dst the pieces that the peer at ip may ask for
// while choked, at most k of them, in the order in which BEP 6 ("Allowed Fast
// Set Generation") finds them. The set is defined for IPv4 alone: for other
// addresses it is empty. k is cut to AllowedFastMax and to the number of
// pieces: with fewer pieces than k the search of BEP 6 would not end.
func AllowedFastSet(dst []uint32, ip netip.Addr, hash metainfo.Hash, pieces, k int) []uint32 {
	ip = ip.Unmap()
	k = min(k, AllowedFastMax, pieces)
	if !ip.Is4() || k <= 0 {
		return dst
	}
	start := len(dst)
	if k == pieces {
		// Every piece is in the set, and drawing the last one could take long.
		for i := range pieces {
			dst = append(dst, uint32(i))
		}
		return dst
	}
	four := ip.As4()
	four[3] = 0 // the whole /24 shares one set, so that more addresses gain nothing
	x := sha1.Sum(append(four[:], hash[:]...))
	for {
		for i := 0; i < len(x); i += 4 {
			index := binary.BigEndian.Uint32(x[i:]) % uint32(pieces)
			if !slices.Contains(dst[start:], index) {
				dst = append(dst, index)
			}
			if len(dst)-start == k {
				return dst
			}
		}
		x = sha1.Sum(x[:])
	}
}
