package lanes

// available tells whether processor and system have AVX-512 with what is used of
// it: the foundation, and shuffling of bytes.
var available = func() bool {
	const (
		osxsave  = 1 << 27 // leaf 1, ecx: the system says what it saves
		avx512f  = 1 << 16 // leaf 7, ebx
		avx512bw = 1 << 30 // leaf 7, ebx
		saved    = 0xe6    // all registers of SSE, AVX and AVX-512 are kept
	)
	most, _, _, _ := cpuid(0, 0)
	if most < 7 {
		return false
	}
	if _, _, ecx, _ := cpuid(1, 0); ecx&osxsave == 0 {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	return xgetbv()&saved == saved && ebx&(avx512f|avx512bw) == avx512f|avx512bw
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

// cpuid asks the processor for what it can do.
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv tells which registers the system saves.
func xgetbv() (low uint32)
