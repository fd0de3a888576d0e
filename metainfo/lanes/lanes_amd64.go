package lanes

import "golang.org/x/sys/cpu"

// best is the level that the processor has and the system supports by saving the
// registers. AVX-512 means F, the foundation, and BW, which shuffles bytes.
var best = func() level {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW:
		return wide
	case cpu.X86.HasAVX2:
		return half
	}
	return none
}()

// sha1Blocks adds blocks of 64 bytes from base on to each message, stride bytes
// from one message to the next.
//
//go:noescape
func sha1Blocks(state *[5][Count]uint32, base *byte, stride, blocks int)

// sha1Zeros adds blocks of zeros.
//
//go:noescape
func sha1Zeros(state *[5][Count]uint32, blocks int)

// sha256Blocks is sha1Blocks for SHA-256, with its constants k.
//
//go:noescape
func sha256Blocks(state *[8][Count]uint32, base *byte, stride, blocks int, k *[64]uint32)

// sha1Half is sha1Blocks for half of the lanes, with AVX2. Their five words of state are
// at state and every Count words after it.
//
//go:noescape
func sha1Half(state *uint32, base *byte, stride, blocks int)

// sha1HalfZeros adds blocks of zeros.
//
//go:noescape
func sha1HalfZeros(state *uint32, blocks int)
