package dht

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"

	"github.com/anacrolix/dht/v2/int160"
)

// idBits is the width of the key space, BEP 5.
const idBits = 160

// ID is a place in the key space: the id of a node, or a target such as an
// info-hash.
type ID [20]byte

// String returns id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// commonBits counts the leading bits that a and b share, 0 to 160.
func commonBits(a, b *ID) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return i*8 + bits.LeadingZeros8(x)
		}
	}
	return idBits
}

// compareDistance returns a negative number if a is closer to target than b by the
// XOR metric, and zero if a equals b. It runs for every contact of the table on every
// query, so it compares words instead of int160's bytes.
func compareDistance(target, a, b *ID) int {
	for i := 0; i < 16; i += 8 {
		t := binary.BigEndian.Uint64(target[i:])
		x := binary.BigEndian.Uint64(a[i:]) ^ t
		y := binary.BigEndian.Uint64(b[i:]) ^ t
		if x != y {
			return compareUint(x, y)
		}
	}
	t := binary.BigEndian.Uint32(target[16:])
	x := binary.BigEndian.Uint32(a[16:]) ^ t
	y := binary.BigEndian.Uint32(b[16:]) ^ t
	return compareUint(uint64(x), uint64(y))
}

func compareUint(x, y uint64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func randomID(rng *rand.Rand) (id ID) {
	binary.BigEndian.PutUint64(id[0:], rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], rng.Uint64())
	binary.BigEndian.PutUint32(id[16:], rng.Uint32())
	return id
}

// randomIDIn returns an id that shares exactly depth leading bits with own. A lookup
// of that id refreshes the bucket of that depth.
func randomIDIn(rng *rand.Rand, own ID, depth int) ID {
	id, self := int160.FromByteArray(randomID(rng)), int160.FromByteArray(own)
	depth = min(depth, idBits-1)
	for i := range depth {
		id.SetBit(i, self.GetBit(i))
	}
	id.SetBit(depth, !self.GetBit(depth))
	return id.AsByteArray()
}
