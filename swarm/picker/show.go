package picker

import "math"

// AppendAvailability appends how many peers have each piece, seeds included, and returns
// the longer slice. A number that is too large for its type is the largest one.
func (p *Picker) AppendAvailability(dst []uint16) []uint16 {
	seeds := uint16(min(p.seeds, math.MaxUint16))
	for _, n := range p.avail {
		dst = append(dst, min(n, math.MaxUint16-seeds)+seeds)
	}
	return dst
}

// AppendUnfinished appends the pieces in state InFlight, in the order in which they were
// begun, and returns the longer slice.
func (p *Picker) AppendUnfinished(dst []int) []int {
	for _, pt := range p.active {
		dst = append(dst, int(pt.piece))
	}
	return dst
}
