package daemon

import (
	"context"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// followEvery is the least time between two looks at what has changed in the engine. A torrent
// shows its state itself; this is for readers of the feed and for decisions.
const followEvery = 50 * time.Millisecond

// follow takes note of what changes in the engine, until ctx ends.
func (d *Daemon) follow(ctx context.Context) {
	news := d.node.Subscribe(0)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		changes, err := news.Next(ctx)
		if err != nil {
			return
		}
		if changes.Reset {
			for _, t := range d.Torrents() {
				d.observeEnd(t.hash)
			}
		}
		for _, hash := range changes.Removed { // a torrent that failed has left the engine
			d.observeEnd(hash)
		}
		for _, c := range changes.Torrents {
			if t := d.Torrent(c.Torrent.Hash()); t != nil && t.opened() == c.Torrent {
				t.observe(c.Torrent, c.Kinds)
			}
		}
		pause.Reset(followEvery)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// observeEnd takes note that the torrent with that info-hash has left the engine.
func (d *Daemon) observeEnd(hash metainfo.Hash) {
	t := d.Torrent(hash)
	if t == nil {
		return
	}
	if run := t.opened(); run != nil {
		t.observe(run, swarm.ChangedState)
	}
}

// observe takes note of what has changed about the open torrent.
func (t *Torrent) observe(run *swarm.Torrent, kinds swarm.Kind) {
	s := run.State()
	if info := run.Info(); info != nil && s.Dir != "" {
		t.learn(run, info)
		t.learnName(run, s.Dir)
	}
	t.mu.Lock()
	if t.run != run {
		t.mu.Unlock()
		return
	}
	known := s.Dir != "" || s.CheckHeld || s.Phase >= swarm.Failed
	if known {
		t.knowFiles()
	}
	t.show(&s)
	t.takeLayers()
	if t.rec.Whole && s.Dir != "" { // the engine has recorded the content
		t.rec.Whole = false
		t.edited(settingsLate)
	}
	completed := t.complete(&s) && !t.rec.Temporary
	arrived := t.arrive(s.Dir)
	waits := known && !t.drive.running &&
		(t.drive.aim == aimRun || t.drive.verify || t.drive.needs > 0)
	t.mu.Unlock()
	t.changed(kinds &^ swarm.Added)
	switch {
	case s.Phase == swarm.Failed:
		t.failed(run)
		return
	case waits:
		t.daemon.hands.push(t, inTurn)
	}
	t.endCheck(run)
	if completed {
		t.saveSoon()
		t.daemon.happened(t, EventComplete)
	}
	t.daemon.folders.observed(t, arrived, s.Fault)
}

// show keeps what a list shows of an open torrent. t.mu is held.
func (t *Torrent) show(s *swarm.State) {
	if s.Dir == "" || s.Pieces == 0 {
		return
	}
	if t.rec.Shown.progress(s) {
		t.edited(shownLate)
	}
}

// complete reports whether the torrent has become complete since it was last looked at. t.mu is
// held.
func (t *Torrent) complete(s *swarm.State) bool {
	if s.Dir == "" || s.Pieces == 0 || s.Phase == swarm.Checking || s.Phase >= swarm.Failed {
		return false
	}
	before, known := t.drive.done, t.drive.known
	t.drive.done, t.drive.known = s.Left == 0, true
	return t.drive.done && known && !before
}

// saveSoon has the record written soon.
func (t *Torrent) saveSoon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.edited(settingsLate)
}

// failed takes note that the torrent in the engine has ended by an error.
func (t *Torrent) failed(run *swarm.Torrent) {
	err := run.Err()
	t.mu.Lock()
	known := t.drive.ending
	t.drive.ending = true
	t.mu.Unlock()
	if known || err == nil {
		return
	}
	memory := swarm.CauseOf(err) == swarm.CauseMemory
	if !memory || t.adopted != nil {
		t.fail(err)
	}
	if t.adopted != nil {
		return // its owner closes it
	}
	t.daemon.wait.Go(func() {
		_ = t.close() // its error is err
		if memory {
			t.putOff()
		}
	})
}

// learn takes over the metadata of a link when it has come.
func (t *Torrent) learn(run *swarm.Torrent, info *metainfo.Info) {
	t.mu.Lock()
	if t.rec.Shown.HaveInfo || t.run != run {
		t.mu.Unlock()
		return
	}
	t.rec.learn(info)
	t.rec.Shown.Name = t.adopted.nameOr(t.rec.Shown.Name)
	t.rec.Options.Files = prioritiesNow(run, info)
	files := t.rec.Options.Files
	none := len(t.rec.Choose) > 0 && files != nil && !slices.ContainsFunc(files, isWanted)
	t.rec.Magnet, t.rec.Choose = "", nil
	t.names = namesOfInfo(info)
	torrent := metainfo.NewTorrent(info)
	torrent.Trackers, torrent.WebSeeds = t.rec.Trackers, t.rec.WebSeeds
	t.saved.info = torrent
	t.drive.bare = bareOf(torrent)
	t.drive.known, t.drive.done = true, false
	t.edited(0)
	t.mu.Unlock()
	t.daemon.alias(t)
	if none {
		t.warn("nothing is fetched", errNoFile)
	}
	if len(t.daemon.Settings().Trackers) > 0 {
		if err := t.announceTo(run); err != nil {
			t.daemon.log.Warn("the default trackers cannot be used", "torrent", t.hash.Short(),
				"err", err)
		}
	}
	t.daemon.log.Info("the metadata is known", "torrent", t.hash.Short(), "name", info.Name())
}

// prioritiesNow returns the priorities of the files of an open torrent; nil if all are normal.
func prioritiesNow(run *swarm.Torrent, info *metainfo.Info) []swarm.Priority {
	files, normal := run.Files(), true
	list := make([]swarm.Priority, len(info.Layout().Files))
	for i := range list {
		list[i] = swarm.Normal
		if i < len(files) {
			list[i] = files[i].Priority
		}
		normal = normal && list[i] == swarm.Normal
	}
	if normal {
		return nil
	}
	return list
}
