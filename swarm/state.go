package swarm

import (
	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// A Phase is what a torrent is doing.
type Phase uint8

// The phases. A torrent passes through them downwards, except for Paused and Faulty,
// which it leaves again.
const (
	// fetching the info dictionary, and the piece layers if MetadataOnly
	Metadata    Phase = iota
	Checking          // hashing the content on disk
	Downloading       // some wanted piece is missing
	Seeding           // every wanted piece is there
	Paused            // without traffic, until Torrent.Resume
	Faulty            // waiting for storage to work again; see State.Fault
	Failed            // ended by an error; see Torrent.Err
	Closed            // ended by Close
)

func (p Phase) String() string {
	return [...]string{"metadata", "checking", "downloading", "seeding", "paused", "faulty",
		"failed",
		"closed"}[p]
}

// State says what a torrent was doing at one moment.
type State struct {
	core.Snapshot
	Phase      Phase
	Checked    int64 // bytes hashed so far while Checking
	CheckTotal int64 // bytes to hash while Checking
	CheckHeld  bool  // content on disk has to be hashed, and a pause holds that up
	// Dir is the folder below which the content lies; "" before its storage is open.
	Dir string
	// Moved and MoveTotal are the bytes that Torrent.Move has copied and will copy. Both are
	// 0 unless it copies.
	Moved, MoveTotal int64

	Fault      error // why storage does not work, while Faulty
	Sequential bool  // pieces are fetched in order; see Torrent.SetSequential
	Limits     Limits
	Trackers   tracker.Report
	Totals     Totals // of this run and the earlier ones
}

// State returns what the torrent was doing a moment ago: a tenth of a second, or a second
// for what changes without any event, such as rates. It never waits. What a method of the
// torrent changed is in the next State once the method has returned. After Close it
// returns the last state. Nobody may change the maps of a State.
func (t *Torrent) State() (s State) {
	t.handle.show(&s, t.ctx.Err() != nil)
	s.Limits = t.limits.get()
	return s
}

// status is what the phase of a torrent follows from.
type status struct {
	core         core.State // owns what concerns pieces, and whether storage works
	outcome      outcome
	closing      bool // the torrent is ending
	metadataOnly bool
	haveInfo     bool
	haveStore    bool // the content on disk was checked
	rechecking   bool // the content on disk is being checked again
	paused       bool
	checkHeld    bool // the check of the content waits for the end of a pause
}

// checking reports whether content on disk is being hashed, or has to be.
func (s status) checking() bool {
	return s.rechecking || s.haveInfo && !s.haveStore && !s.metadataOnly
}

// phase returns what a torrent with that status is doing.
func (s status) phase() Phase {
	switch {
	case s.outcome == failed:
		return Failed
	case s.closing:
		return Closed
	case s.paused && (s.checkHeld || !s.checking()):
		return Paused
	case s.core == core.Stalled:
		return Faulty
	case !s.haveInfo, s.metadataOnly && s.outcome == undecided:
		return Metadata
	case s.checking():
		return Checking
	case s.outcome == succeeded:
		return Seeding
	}
	return Downloading
}

// same reports whether s and o say the same, besides what State adds at the last moment.
func (s *State) same(o *State) bool {
	return s.Snapshot.Same(&o.Snapshot) && s.Phase == o.Phase && s.Sequential == o.Sequential
}
