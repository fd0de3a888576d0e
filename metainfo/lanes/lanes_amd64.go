package lanes

// best is what processor and system have.
var best = func() level {
	const (
		osxsave  = 1 << 27 // leaf 1, ecx: the system says what it saves
		avx2     = 1 << 5  // leaf 7, ebx
		avx512f  = 1 << 16 // leaf 7, ebx: the foundation
		avx512bw = 1 << 30 // leaf 7, ebx: shuffling of bytes
		saved2   = 0x06    // the registers of SSE and AVX are kept
		saved512 = 0xe6    // those of AVX-512, too
	)
	most, _, _, _ := cpuid(0, 0)
	if most < 7 {
		return none
	}
	if _, _, ecx, _ := cpuid(1, 0); ecx&osxsave == 0 {
		return none
	}
	_, ebx, _, _ := cpuid(7, 0)
	saved := xgetbv()
	switch {
	case saved&saved512 == saved512 && ebx&(avx512f|avx512bw) == avx512f|avx512bw:
		return wide
	case saved&saved2 == saved2 && ebx&avx2 != 0:
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

// sha1Half is sha1Blocks for half of the lanes, those whose state is at state and
// Count words behind, five times; with AVX2.
//
//go:noescape
func sha1Half(state *uint32, base *byte, stride, blocks int)

// sha1HalfZeros adds blocks of zeros.
//
//go:noescape
func sha1HalfZeros(state *uint32, blocks int)

// cpuid asks the processor for what it can do.
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv tells which registers the system saves.
func xgetbv() (low uint32)
