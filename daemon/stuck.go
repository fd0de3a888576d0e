package daemon

import (
	"context"
	"strings"
	"sync"
	"time"

	"swarmnode"
	"swarmnode/daemon/stuck"
	"swarmnode/dht"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// lookAround is how long what is known of the node is used again, for all torrents.
const lookAround = time.Second

// surroundings are what the reasons of all torrents depend on.
type surroundings struct {
	dht    *dht.Stats // nil while off
	cutOff string
	reach  swarmnode.Standing
	limits swarm.EngineLimits
	alt    bool // the alternative limits are in force
	groups []Group
}

// An outlook remembers the surroundings for a moment. It is safe for concurrent use.
type outlook struct {
	mu   sync.Mutex
	at   time.Time     // of the last look; zero: never
	seen *surroundings // nobody changes it
}

// around returns the surroundings, which are as of lookAround ago at most. Nobody may change
// them.
func (d *Daemon) around(now time.Time) *surroundings {
	o := &d.outlook
	o.mu.Lock()
	defer o.mu.Unlock()
	if since := now.Sub(o.at); !o.at.IsZero() && 0 <= since && since < lookAround {
		return o.seen
	}
	set := d.Settings()
	o.at = now
	o.seen = &surroundings{cutOff: d.node.CutOff(), reach: d.node.Reach(),
		limits: d.node.Limits(), groups: set.Groups}
	o.seen.alt = set.Alt || o.seen.limits.Down != set.Down && o.seen.limits.Down == set.AltDown
	if n := d.node.DHT(); n.On() {
		st := n.Stats()
		o.seen.dht = &st
	}
	return o.seen
}

// facts writes what is known of the torrent apart from its surroundings. s is its state, with
// the status. t.mu is held.
func (t *Torrent) facts(s *State, f *stuck.Facts) {
	d := &t.drive
	f.Queue, f.Piece = s.Queue, -1
	for _, tier := range t.trackerTiers() {
		f.Trackers += len(tier)
	}
	if d.failed {
		f.Err = d.fault
	}
	if t.run != nil {
		f.Swarm = s.Swarm
	}
	switch s.Status {
	case Stopped:
		f.Stage = stuck.Resting
		if s.Finished && !t.rec.Options.Stopped {
			f.Stage, f.Why = stuck.AtGoal, t.rec.Goal
		}
	case CheckQueued:
		f.Stage = stuck.AwaitCheck
	case Checking:
		f.Stage = stuck.Checking
	case DownloadQueued, SeedQueued:
		f.Stage, f.Why = waitOf(d), d.why
	}
}

// waitOf says what a torrent waits for that does not run yet.
func waitOf(d *drive) stuck.Stage {
	switch {
	case d.aim == aimRun && d.short:
		return stuck.AwaitMemory
	case d.aim == aimRun, d.why == "":
		return stuck.Opening
	case strings.HasPrefix(d.why, turnPrefix):
		return stuck.AwaitTurn
	}
	return stuck.AwaitRoom
}

// look adds the surroundings of the torrent to its facts.
func (s *surroundings) look(f *stuck.Facts, now time.Time, state *State, o *limited) {
	if !state.Started.IsZero() {
		f.Age = now.Sub(state.Started)
	}
	f.CutOff, f.Reach, f.DHTOff = s.cutOff, s.reach, s.dht == nil
	if !state.Private {
		f.DHT = s.dht
	}
	f.Limit, f.LimitBy = s.limit(o)
}

// limited are the options of a torrent by which its download is limited.
type limited struct {
	down  int64
	alone bool
	group string
}

// limit returns the lowest limit of the download of a torrent, and what sets it; 0: nothing.
func (s *surroundings) limit(o *limited) (rate int64, by string) {
	take := func(limit int64, what string) {
		if limit > 0 && (rate == 0 || limit < rate) {
			rate, by = limit, what
		}
	}
	take(o.down, "its own limit")
	alone := o.alone
	if o.group != "" {
		for i := range s.groups {
			if g := &s.groups[i]; g.Name == o.group {
				take(g.Down, "the limit of the group "+g.Name)
				alone = alone || g.Alone
			}
		}
	}
	switch {
	case alone:
	case s.alt:
		take(s.limits.Down, "the alternative limit")
	default:
		take(s.limits.Down, "the limit of all torrents")
	}
	return rate, by
}

// Stuck says why the torrent does not get on, in more detail than State.Stuck; the zero Verdict is
// that it does. It costs more for a torrent of many files.
func (t *Torrent) Stuck(ctx context.Context) stuck.Verdict {
	var s State
	var f stuck.Facts
	t.examine(&s, &f)
	if f.Reason() == stuck.NobodyHas {
		f.Piece = t.lacking(ctx)
	}
	return f.Verdict()
}

// lacking returns the first piece that is wanted, missing, and that no connected peer has; -1 if
// that is not known.
func (t *Torrent) lacking(ctx context.Context) int {
	run := t.opened()
	if run == nil {
		return -1
	}
	pieces, info := run.Pieces(), run.Info()
	if pieces.Have == nil || info == nil || ctx.Err() != nil {
		return -1
	}
	return firstLacking(&pieces, info.Layout(), t.Options().Files)
}

// firstLacking is lacking for files with some priorities.
func firstLacking(p *swarm.PiecesState, l *metainfo.Layout, files []swarm.Priority) int {
	lowest := -1
	for i := range l.Files {
		if l.Files[i].Pad || i < len(files) && files[i] == swarm.Unwanted {
			continue
		}
		first, end := l.FilePieces(i)
		if lowest >= 0 {
			end = min(end, lowest)
		}
		for piece := first; piece < end; piece++ {
			if !p.Have.Has(piece) && p.Availability[piece] == 0 {
				lowest = piece
				break
			}
		}
	}
	return lowest
}

// A gaze remembers why torrents were stuck. Only the goroutine of tidy uses it.
type gaze map[ID]stuck.Reason

// look tells of torrents that are stuck for another reason than at the last look though nothing
// else about them has changed: time has passed, or the node has lost its connection.
func (g gaze) look(list []*Torrent) {
	for _, t := range list {
		t.mu.Lock()
		busy := t.run != nil && t.drive.running
		t.mu.Unlock()
		if !busy {
			delete(g, t.id)
			continue
		}
		now := t.State().Stuck
		before, known := g[t.id]
		g[t.id] = now
		if known && before != now {
			t.changed(swarm.ChangedState)
		}
	}
	if len(g) <= len(list) {
		return
	}
	there := make(map[ID]bool, len(list))
	for _, t := range list {
		there[t.id] = true
	}
	for id := range g { // others were removed
		if !there[id] {
			delete(g, id)
		}
	}
}
