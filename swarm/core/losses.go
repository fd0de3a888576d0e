package core

import "swarmnode/swarm/bits"

// losses are the pieces that peers were told we have, and that we lost. Peers that do not
// know BEP 54 go on requesting them, by no fault of theirs.
type losses struct {
	pieces *bits.Set // nil before the first
}

// add records that a piece, one of count, is lost.
func (l *losses) add(piece uint32, count int) {
	if l.pieces == nil {
		l.pieces = bits.New(count)
	}
	l.pieces.Add(int(piece))
}

// has reports whether a piece was ever lost.
func (l *losses) has(piece uint32) bool {
	return l.pieces != nil && int64(piece) < int64(l.pieces.Len()) && l.pieces.Has(int(piece))
}
