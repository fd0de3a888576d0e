package daemon

import (
	"time"

	"swarmnode/swarm"
)

// A State describes a torrent at one moment. Sizes are bytes without padding, rates bytes per
// second.
type State struct {
	Status Status
	Name   string // of the content, as the user named it, or as the torrent does
	// Why says, in a sentence for users, why it is Stopped or queued, unless the user wants
	// that; Finished says that a goal was reached.
	Why      string
	Finished bool
	// Error is what the user has to do something about; empty if there is nothing.
	Error string

	Queue   int  // the position in the queue, from 0
	Forced  bool // it does not queue
	Stalled bool // nothing has moved for Settings.QueueStalled

	Dir         string // where the content lies now
	HaveInfo    bool   // the metadata is known
	Private     bool
	Size        int64
	Wanted      int64 // of the files that are wanted
	Got         int64 // of Wanted, in verified pieces
	Left        int64 // of Wanted, missing
	Have        int64 // of Size, in verified pieces
	Files       int   // padding is left out
	Pieces      int
	PiecesHave  int
	PieceLength int

	MetadataSize, MetadataHave int   // bytes, until HaveInfo
	Checked, CheckTotal        int64 // bytes, while Checking
	Moved, MoveTotal           int64 // bytes, while content is copied to another folder

	DownRate, UpRate int64
	ETA              time.Duration // until Left is 0, or the goal is reached; negative: unknown
	Ratio            float64       // given, as a share of the size; negative: unknown
	Totals           swarm.Totals  // of all runs
	Started          time.Time     // when it last began to run; zero if it has not since the start

	// Swarm has the rest; its zero value while the torrent is not open.
	Swarm swarm.State
}

// State returns what the torrent was doing a moment ago. It never waits.
func (t *Torrent) State() State {
	s := State{ETA: -1, Ratio: -1}
	if run := t.opened(); run != nil {
		s.Swarm = run.State()
	}
	return s
}
