// Package lanes hashes sixteen messages of equal length at once, where the
// processor has AVX-512 or AVX2: each instruction works on sixteen or
// eight messages instead of one. With AVX-512,
// hashing is several times as fast as with the SHA instructions;
// with AVX2, SHA-1 is faster, and SHA-256 is left to the standard library.
//
// It owns nothing but arithmetic. Callers ask Available first. They use the
// standard library where it is false, and for the rest when there are fewer than
// sixteen messages.
//
// Its nouns: a lane is one of the messages; a block is the 64 bytes that SHA-1
// and SHA-256 take at a time; the stride is the distance of lanes in memory.
package lanes

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
)

const (
	// Count is the number of lanes.
	Count = 16
	// BlockBytes is the unit in which messages are written.
	BlockBytes = 64
)

// A level says how many messages the processor takes at once.
type level uint8

const (
	none level = iota
	half       // half of the lanes, with AVX2
	wide       // all, with AVX-512
)

// used is best, except in tests.
var used = best

// Available reports whether this processor can hash in lanes. If not, nothing else of
// the package may be used.
func Available() bool { return used != none }

// Gain returns how many times as fast as the standard library a core hashes SHA-1,
// rounded down. If that is more than 1, it is about half as many times as fast for
// SHA-256.
func Gain() int {
	if used == wide {
		return 4
	}
	return 1
}

// SHA1 hashes Count messages. Reset must be called first. It is for one goroutine.
type SHA1 struct {
	state  [5][Count]uint32
	length uint64 // bytes written to each lane
}

var start1 = [5]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}

// Reset starts new messages.
func (s *SHA1) Reset() {
	for i := range s.state {
		for lane := range Count {
			s.state[i][lane] = start1[i]
		}
	}
	s.length = 0
}

// Write appends n bytes, a multiple of BlockBytes, to each message. The bytes of lane
// i start at data[i*stride].
func (s *SHA1) Write(data []byte, stride, n int) {
	check(data, stride, n)
	if n > 0 {
		s.add(data, stride, n/BlockBytes)
		s.length += uint64(n)
	}
}

func (s *SHA1) add(data []byte, stride, blocks int) {
	if used == wide {
		sha1Blocks(&s.state, &data[0], stride, blocks)
		return
	}
	sha1Half(&s.state[0][0], &data[0], stride, blocks)
	sha1Half(&s.state[0][Count/2], &data[Count/2*stride], stride, blocks)
}

// WriteZeros appends n zero bytes, a multiple of BlockBytes, to each message. It
// takes less than half the time of Write.
func (s *SHA1) WriteZeros(n int) {
	if n < 0 || n%BlockBytes != 0 {
		panic(misuse)
	}
	switch {
	case n == 0:
	case used == wide:
		sha1Zeros(&s.state, n/BlockBytes)
	default:
		sha1HalfZeros(&s.state[0][0], n/BlockBytes)
		sha1HalfZeros(&s.state[0][Count/2], n/BlockBytes)
	}
	s.length += uint64(n)
}

// Sum returns the hash of each message. Before the next Write comes Reset.
func (s *SHA1) Sum() (sums [Count][sha1.Size]byte) {
	end := padding(s.length)
	s.add(end[:], 0, 1)
	for lane := range sums {
		for i := range s.state {
			binary.BigEndian.PutUint32(sums[lane][4*i:], s.state[i][lane])
		}
	}
	return sums
}

// padding returns the block that ends a message of whole blocks (FIPS 180-4, section
// 5.1.1).
func padding(length uint64) (end [BlockBytes]byte) {
	const lengthBytes = 8
	end[0] = 0x80
	binary.BigEndian.PutUint64(end[BlockBytes-lengthBytes:], length<<3)
	return end
}

const misuse = "lanes: no whole blocks, or more than there is"

// check panics unless n is a number of whole blocks, and each lane has as many bytes in
// data.
func check(data []byte, stride, n int) {
	if n%BlockBytes != 0 || n < 0 || stride < 0 || n > 0 && (Count-1)*stride+n > len(data) {
		panic(misuse)
	}
}

var start256 = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// Sum256 returns SHA-256 of Count messages of n bytes each, a multiple of
// BlockBytes: the message of lane i starts at data[i*stride].
func Sum256(data []byte, stride, n int) (sums [Count][sha256.Size]byte) {
	check(data, stride, n)
	if used != wide {
		for lane := range sums {
			sums[lane] = sha256.Sum256(data[min(lane*stride, len(data)):][:n])
		}
		return sums
	}
	var state [8][Count]uint32
	for i := range state {
		for lane := range Count {
			state[i][lane] = start256[i]
		}
	}
	if n > 0 {
		sha256Blocks(&state, &data[0], stride, n/BlockBytes, &constants256)
	}
	end := padding(uint64(n))
	sha256Blocks(&state, &end[0], 0, 1, &constants256)
	for lane := range sums {
		for i := range state {
			binary.BigEndian.PutUint32(sums[lane][4*i:], state[i][lane])
		}
	}
	return sums
}

// constants256 are the first 32 bits of the fractional parts of the cube roots of
// the first 64 primes (FIPS 180-4, section 4.2.2).
var constants256 = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
