package swarm

import (
	"time"

	"swarmnode/swarm/core"
)

// A PiecesState describes the pieces of a torrent at one moment: Have, those that are
// verified; Availability, how many of the connected peers have each piece, seeds and web
// seeds included; InFlight, those of which some blocks were asked for or have come. It
// shares nothing with the torrent.
type PiecesState = core.PiecesInfo

// Pieces describes the pieces of the torrent. It is the zero value before the content on
// disk is checked, and after the end of the torrent. It costs a copy of 2.1 bytes per
// piece.
func (t *Torrent) Pieces() PiecesState {
	var s PiecesState
	t.command(func(time.Time) error {
		s = t.loop.core.PiecesInfo()
		return nil
	})
	return s
}
