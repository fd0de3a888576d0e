package wire

import (
	"encoding/binary"
	"math/bits"
)

// Limits on the hash messages of BEP 52.
const (
	// HashesMax bounds the hashes that we ask for with one message, proof
	// apart, and so those of an answer. BEP 52 names 512 as what should be
	// answered.
	HashesMax = 512
	// HashProofMax bounds the layers of proof: a tree of 16 KiB leaves that
	// is higher would be of a file that no index of BEP 3 can reach.
	HashProofMax = 48

	// HashRangeSize is the length of an encoded HashRange, in bytes.
	HashRangeSize = hashSize + 4*4

	hashSize = 32
)

// A HashRange names a run of hashes of one layer of a file's hash tree, and
// the proof that goes with it. It is what HashRequest asks for, and what
// HashReject and Hashes repeat (BEP 52, "hash request").
type HashRange struct {
	Root   [32]byte // pieces root of the file
	Base   uint32   // layer, 0 being that of the 16 KiB blocks
	Index  uint32   // first hash, a multiple of Length
	Length uint32   // number of hashes, a power of two
	Proof  uint32   // layers of proof, counted from Base
}

// AppendHashRange appends h, the payload of HashRequest and HashReject and the
// start of that of Hashes, to dst. The hashes of Hashes follow it.
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
// are a ProtocolError. BEP 52 allows lengths from 2 to 512 alone, but common
// clients ask for 1 at the end of a long layer, and for all blocks of a large
// piece: such ranges are sound here, for the caller to answer or to reject.
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
// complete answer: one for each layer of Proof, less those that the range
// itself lets its receiver compute (BEP 52, "hashes").
func (h HashRange) Uncles() int {
	own := bits.TrailingZeros32(h.Length) // layers from Base to the root of the run
	return max(0, int(h.Proof)-(own-1))
}
