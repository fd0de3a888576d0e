//go:build !amd64

package lanes

// best is none where nothing is written for the processor; then none of the
// functions below is called.
const best = none

const missing = "lanes: not for this processor"

func sha1Blocks(*[5][Count]uint32, *byte, int, int)                { panic(missing) }
func sha1Zeros(*[5][Count]uint32, int)                             { panic(missing) }
func sha256Blocks(*[8][Count]uint32, *byte, int, int, *[64]uint32) { panic(missing) }
func sha1Half(*uint32, *byte, int, int)                            { panic(missing) }
func sha1HalfZeros(*uint32, int)                                   { panic(missing) }
