package wire

import (
	"encoding/binary"
	"math/bits"
)

// Limits on the hash messages of BEP 52.
const (
	// HashesMax bounds the hashes of one request, and so of an answer, without the
	// proof. BEP 52 names 512 as the most that should be answered.
	HashesMax = 512
	// HashProofMax bounds the layers of proof: a higher tree of 16 KiB leaves
	// would belong to a file that no index of BEP 3 can reach.
	HashProofMax = 48

	// HashRangeSize is the length of an encoded HashRange, in bytes.
	HashRangeSize = hashSize + 4*4

	hashSize = 32
)

// A HashRange names a run of hashes of one layer of a file's hash tree, and
// the proof that goes with it. HashRequest asks for a range, and HashReject and Hashes
// repeat it (BEP 52, "hash request").
type HashRange struct {
	Root   [32]byte // pieces root of the file
	Base   uint32   // layer; layer 0 is that of the 16 KiB blocks
	Index  uint32   // first hash, a multiple of Length
	Length uint32   // number of hashes, a power of two
	Proof  uint32   // layers of proof, counted from Base
}

// AppendHashRange appends h, the payload of HashRequest and HashReject and the
// start of the payload of Hashes, to dst. In Hashes, the hashes follow.
func AppendHashRange(dst []byte, h HashRange) []byte {
	be := binary.BigEndian
	dst = append(dst, h.Root[:]...)
	dst = be.AppendUint32(dst, h.Base)
	dst = be.AppendUint32(dst, h.Index)
	dst = be.AppendUint32(dst, h.Length)
	return be.AppendUint32(dst, h.Proof)
}

// ParseHashRange reads the payload of a hash message. hashes is a view of the
// 32-byte hashes that follow in a Hashes message, and empty in the others.
// Ranges that name no run of a tree, or whose number of hashes does not fit,
// are a ProtocolError. BEP 52 allows only lengths from 2 to 512, but common
// clients ask for 1 at the end of a long layer, and for all blocks of a large
// piece. Such ranges are accepted here; the caller answers or rejects them.
func ParseHashRange(payload []byte) (h HashRange, hashes []byte, err error) {
	bad := ProtocolError{RuleHashes}
	if len(payload) < HashRangeSize {
		return HashRange{}, nil, bad
	}
	be := binary.BigEndian
	copy(h.Root[:], payload)
	rest := payload[hashSize:]
	h.Base, h.Index, h.Length, h.Proof = be.Uint32(rest), be.Uint32(rest[4:]), be.Uint32(rest[8:]),
		be.Uint32(rest[12:])
	hashes = payload[HashRangeSize:]
	if bits.OnesCount32(h.Length) != 1 ||
		h.Index%h.Length != 0 || h.Base > HashProofMax || h.Proof > HashProofMax {
		return HashRange{}, nil, bad
	}
	if len(hashes) != 0 && int64(len(hashes)) != hashSize*(int64(h.Length)+int64(h.Uncles())) {
		return HashRange{}, nil, bad
	}
	return h, hashes, nil
}

// Uncles returns how many hashes of proof follow the hashes of the range in a
// complete answer: one for each layer of Proof, except for the layers that the receiver
// computes from the range itself (BEP 52, "hashes").
func (h HashRange) Uncles() int {
	own := bits.TrailingZeros32(h.Length) // layers from Base to the root of the run
	return max(0, int(h.Proof)-(own-1))
}
