package swarm

import (
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/tracker"
)

// A Phase is what a torrent is doing.
type Phase uint8

// The phases. A torrent passes through them downwards, except for Faulty, which it leaves
// again once storage works.
const (
	// fetching the info dictionary, and the piece layers if MetadataOnly
	Metadata    Phase = iota
	Checking          // hashing the content on disk
	Downloading       // some wanted piece is missing
	Seeding           // every wanted piece is there
	Faulty            // waiting for storage to work again; see State.Fault
	Failed            // ended by an error; see Torrent.Err
	Closed            // ended by Close
)

func (p Phase) String() string {
	return [...]string{"metadata", "checking", "downloading", "seeding", "faulty", "failed",
		"closed"}[p]
}

// State says what a torrent was doing at one moment.
type State struct {
	core.Snapshot
	Phase      Phase
	Checked    int64 // bytes hashed so far while Checking
	CheckTotal int64 // bytes to hash while Checking
	Fault      error // why storage does not work, while Faulty
	Trackers   tracker.Report
}

// State returns what the torrent is doing now.
func (t *Torrent) State() State {
	reply := make(chan State, 1)
	if t.ask(func(time.Time) { reply <- t.loop.state() }) {
		select {
		case s := <-reply:
			return s
		case <-t.ended:
		}
	}
	<-t.ended
	final, _ := t.handle.ending()
	return final
}

// status is what the phase of a torrent follows from.
type status struct {
	core         core.State // owns what concerns pieces, and whether storage works
	outcome      outcome
	closing      bool // the torrent is ending
	metadataOnly bool
	haveInfo     bool
	haveStore    bool // the content on disk was checked
}

// phase returns what a torrent with that status is doing.
func (s status) phase() Phase {
	switch {
	case s.outcome == failed:
		return Failed
	case s.closing:
		return Closed
	case s.core == core.Stalled:
		return Faulty
	case !s.haveInfo, s.metadataOnly && s.outcome == undecided:
		return Metadata
	case !s.haveStore && !s.metadataOnly:
		return Checking
	case s.outcome == succeeded:
		return Seeding
	}
	return Downloading
}

// state returns what the torrent is doing now.
func (l *loop) state() State {
	s := State{Snapshot: l.core.Snapshot(), Trackers: l.trackers.report()}
	if s.Snapshot.State == core.Stalled {
		s.Fault = s.Err
	}
	how, haveInfo := l.t.handle.show(&s)
	s.Phase = status{
		core: s.Snapshot.State, outcome: how, closing: l.t.ctx.Err() != nil,
		metadataOnly: l.t.spec.MetadataOnly, haveInfo: haveInfo, haveStore: l.store != nil,
	}.phase()
	return s
}
