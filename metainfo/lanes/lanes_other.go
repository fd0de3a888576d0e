//go:build !amd64

package lanes

// best is none on processors without code of their own; the functions below are never
// called there.
const best = none

const missing = "lanes: not for this processor"

func sha1Blocks(*[5][Count]uint32, *byte, int, int)                { panic(missing) }
func sha1Zeros(*[5][Count]uint32, int)                             { panic(missing) }
func sha256Blocks(*[8][Count]uint32, *byte, int, int, *[64]uint32) { panic(missing) }
func sha1Half(*uint32, *byte, int, int)                            { panic(missing) }
func sha1HalfZeros(*uint32, int)                                   { panic(missing) }
