package core

import "swarmnode/swarm/bits"

// A PiecesInfo says what the pieces of a torrent are like. It shares nothing with the
// torrent.
type PiecesInfo struct {
	Have *bits.Set // verified
	// Availability is how many of the connected peers have each piece, seeds included.
	Availability []uint16
	InFlight     []int // pieces of which some blocks were asked for or have come
}

// PiecesInfo returns what the pieces are like. It is the zero value before InfoReady.
func (t *Torrent) PiecesInfo() PiecesInfo {
	if t.pick == nil {
		return PiecesInfo{}
	}
	return PiecesInfo{
		Have:         t.pick.Have().Clone(),
		Availability: t.pick.AppendAvailability(make([]uint16, 0, t.pick.Pieces())),
		InFlight:     t.pick.AppendUnfinished(nil),
	}
}
