package daemon

import (
	"slices"

	"swarmnode/daemon/queue"
	"swarmnode/swarm"
)

// keeping is a daemon as the world of its steward.
type keeping struct{ d *Daemon }

func (k keeping) Settings() Settings { return k.d.Settings() }

func (k keeping) ordered(version uint64) ([]charge, uint64, bool) { return k.d.order.all(version) }

func (k keeping) setLimits(limits swarm.EngineLimits) {
	k.d.log.Info("limits", "down", limits.Down, "up", limits.Up)
	k.d.node.SetLimits(limits)
}

func (k keeping) freeSpace(dir string) (int64, error) {
	free, _, err := swarm.DiskSpace(dir)
	return free, err
}

func (k keeping) background(f func()) bool { return k.d.start(f) }

// look makes the steward decide about a torrent soon, after something about it has changed. A
// torrent that does not want to run rests at once.
func (s *steward) look(t *Torrent) {
	if v := t.view(); !v.wants {
		t.rest(v.why, inTurn)
	}
	s.urge(t.id)
}

// view returns what the steward sees.
func (t *Torrent) view() view {
	run := t.opened()
	var open swarm.State
	if run != nil {
		open = run.State()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.kept()
	if run != nil && t.run == run {
		s.open(&open)
	}
	o, d := &t.rec.Options, &t.drive
	v := view{
		wants:  !d.removed && !o.Stopped && !t.rec.Finished && !d.failed,
		aims:   d.aim == aimRun,
		forced: o.Forced,
		done:   s.HaveInfo && s.Left == 0,
		hashed: t.run != nil && s.Swarm.Phase == swarm.Checking,
		full:   swarm.CauseOf(s.Swarm.Fault) == swarm.CauseReserve,
		began:  d.started, payload: s.Totals.Down + s.Totals.Up, given: s.Totals.Up,
		size: s.Wanted, seeding: s.Totals.Seeding, dir: s.Dir,
		ratio: o.Ratio, time: o.Time, idle: o.Idle,
	}
	if t.rec.Finished {
		v.why = t.rec.Goal
	}
	return v
}

// finish stops the torrent at a goal.
func (t *Torrent) finish(why string) {
	t.mu.Lock()
	if t.rec.Options.Stopped || t.drive.removed { // a user was faster
		t.mu.Unlock()
		return
	}
	t.rec.Finished, t.rec.Goal = true, why
	t.edited(0)
	t.mu.Unlock()
	t.daemon.log.Info("stopped at a goal", "torrent", t.hash.Short(), "name", t.name(), "it", why)
	t.rest(why, inTurn)
	t.changed(swarm.ChangedState)
}

// waive takes away the goals that the torrent has reached. t.mu is held.
func (t *Torrent) waive(set *Settings) {
	k := &t.rec.Shown
	if k.HaveInfo && k.Left == 0 {
		goalsOf(set, &t.rec.Options).waive(&t.rec.Options,
			seeded{given: k.Up, size: k.Wanted, seeding: k.Seeding})
	}
}

// appear shows whether the torrent is stalled.
func (t *Torrent) appear(stalled bool) {
	t.mu.Lock()
	t.drive.stalled = stalled
	t.mu.Unlock()
	t.changed(swarm.ChangedState)
}

// moved says that the torrent has another position.
func (t *Torrent) moved() { t.changed(swarm.ChangedState) }

// limits returns the limits of a torrent with these options.
func (o *Options) limits() swarm.Limits {
	return swarm.Limits{Down: o.Down, Up: o.Up, Peers: o.Peers, Group: o.Group, Alone: o.Alone,
		Rank: o.Rank}
}

// Shift moves torrents in the queue. They keep their order among themselves, and those that
// have reached an end stay there. Torrents that were removed are ignored.
func (d *Daemon) Shift(list []*Torrent, where queue.Shift) {
	d.requeue(list, d.order.shift(list, where))
}

// requeue makes the steward decide about torrents that a user has moved in the queue.
func (d *Daemon) requeue(list []*Torrent, moved bool) {
	if !moved {
		return
	}
	for _, t := range list {
		t.changed(swarm.ChangedState)
		d.steward.urge(t.id)
	}
}

// enforceInNode brings what the node does into line with settings.
func (d *Daemon) enforceInNode(old, next *Settings) {
	for _, s := range []struct {
		name     string
		old, new bool
		set      func(bool) error
	}{
		{"dht", old.DHT, next.DHT, d.node.SetDHT},
		{"lsd", old.LSD, next.LSD, d.node.SetLSD},
	} {
		if s.old == s.new {
			continue
		}
		if err := s.set(s.new); err != nil {
			d.log.Warn("a setting cannot be put into force", "setting", s.name, "err", err)
		}
	}
	if old.PEX != next.PEX {
		d.node.SetPEX(next.PEX)
	}
	d.node.SetMinFree(next.MinFree)
	if !slices.Equal(old.Trackers, next.Trackers) {
		d.start(d.announceAll)
	}
	if !slices.Equal(old.Groups, next.Groups) {
		d.node.SetGroups(groupsInNode(next.Groups))
	}
}
