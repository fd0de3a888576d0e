package transmission

import (
	"context"
	"time"

	"swarmnode/daemon"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// needs is a set of what fields read of a torrent.
type needs uint16

// What fields read. The state of a torrent is always there.
const (
	needOptions  needs = 1 << iota
	needFacts          // what the metainfo says in a few words
	needFiles          // for each file
	needLayout         // which pieces files have
	needPeers          // for each peer
	needPieces         // for each piece
	needTrackers       // for each tracker
	needWebSeeds       // for each web seed
)

// A view is what the fields of one torrent are read from. It is filled again for the next
// torrent of the same request.
type view struct {
	h   *Handler
	ctx context.Context
	now time.Time
	all *daemon.Settings

	t        *daemon.Torrent
	state    daemon.State
	options  daemon.Options
	facts    *facts
	files    []swarm.FileState
	ranks    map[int]int8     // priorities of files that are not wanted
	layout   *metainfo.Layout // nil before the metadata is known
	peers    []swarm.PeerState
	pieces   swarm.PiecesState
	trackers []swarm.TrackerState
	webSeeds []swarm.WebSeedState
}

// fill reads what a plan needs of a torrent. What cannot be read, such as the files of a
// torrent that is being removed, stays empty.
func (v *view) fill(t *daemon.Torrent, need needs) {
	v.t, v.state = t, t.State()
	if need == 0 {
		return
	}
	if need&needOptions != 0 {
		v.options = t.Options()
	}
	if need&needFacts != 0 {
		v.facts = v.h.facts.of(v.ctx, t)
	}
	if need&needFiles != 0 {
		v.files, _ = t.Files(v.ctx)
		v.ranks = ranksIn(t.Options().Notes[notePrefix+rankNote])
	}
	if need&needLayout != 0 {
		v.layout = layoutOf(v.ctx, t)
	}
	if need&needPeers != 0 {
		v.peers = t.Peers()
	}
	if need&needPieces != 0 {
		v.pieces = t.Pieces()
	}
	if need&needTrackers != 0 {
		v.trackers = t.Trackers()
	}
	if need&needWebSeeds != 0 {
		v.webSeeds = t.WebSeeds()
	}
}

// layoutOf returns the layout of a torrent, or nil while it is not known.
func layoutOf(ctx context.Context, t *daemon.Torrent) *metainfo.Layout {
	torrent, err := t.Metainfo(ctx)
	if err != nil {
		return nil
	}
	return torrent.Info().Layout()
}

// note returns what a client has set of the torrent and the daemon does not use, or a number
// in force for that.
func (v *view) note(name string) string { return v.options.Notes[notePrefix+name] }

// goalOf returns the number of a goal that is in force for a torrent, or 0.
func goalOf[T float64 | time.Duration](g daemon.Goal[T], all T) T {
	switch g.Mode {
	case daemon.GoalGlobal:
		return all
	case daemon.GoalOwn:
		return g.At
	}
	return 0
}
