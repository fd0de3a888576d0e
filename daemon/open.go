package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// open returns the torrent in the engine; it opens one that rests as a paused one. The error
// is ErrRemoved, ErrClosed, swarm.ErrMemory, or says why the torrent cannot be opened.
func (t *Torrent) open(ctx context.Context) (*swarm.Torrent, error) {
	t.life.Lock()
	defer t.life.Unlock()
	t.mu.Lock()
	run, removed := t.run, t.drive.removed
	t.drive.touched = time.Now()
	t.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case removed:
		return nil, ErrRemoved
	case run != nil:
		return run, nil
	case t.adopted != nil:
		return nil, ErrEnded
	}
	spec, options, err := t.spec()
	if err != nil {
		return nil, err
	}
	run, err = t.daemon.node.Add(spec)
	switch {
	case errors.Is(err, swarm.ErrClosed):
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	if err := t.applyURLs(run, &options); err != nil {
		t.daemon.log.Warn("some URLs of a torrent cannot be used", "torrent", t.hash.Short(),
			"err", err)
	}
	t.mu.Lock()
	late := t.rec.Peers // some were named while the torrent was opened
	t.run, t.drive.files = run, make(chan struct{})
	t.drive.running, t.drive.ending, t.drive.trusted = false, false, spec.Complete
	t.drive.touched = time.Now()
	t.mu.Unlock()
	for _, peer := range late {
		addr, err := netip.ParseAddrPort(peer)
		if err == nil && !slices.Contains(spec.Peers, peer) {
			run.AddPeer(addr)
		}
	}
	t.observe(run, swarm.ChangedState) // the feed may have told of it before we knew it
	return run, nil
}

// applyURLs replaces the trackers and web seeds of an open torrent by those of the user, and adds
// the default trackers.
func (t *Torrent) applyURLs(run *swarm.Torrent, o *Options) error {
	var errs []error
	if o.Trackers != nil || len(t.daemon.Settings().Trackers) > 0 {
		errs = append(errs, t.announceTo(run))
	}
	if o.WebSeeds != nil {
		errs = append(errs, run.SetWebSeeds(o.WebSeeds))
	}
	return errors.Join(errs...)
}

// spec says how the torrent is opened. t.life is held.
func (t *Torrent) spec() (swarm.Spec, Options, error) {
	t.mu.Lock()
	rec, looks := t.rec, t.drive.verify
	t.mu.Unlock()
	spec := swarm.Spec{Hash: t.hash, Dir: cmp.Or(rec.Place, rec.Options.Dir), Name: rec.Top,
		Peers:  rec.Peers,
		Paused: true, Sequential: rec.Options.Sequential, Down: rec.Options.Down,
		Up: rec.Options.Up, PeersMax: rec.Options.Peers, Group: rec.Options.Group,
		Alone: rec.Options.Alone, Rank: rec.Options.Rank, Complete: rec.Whole,
		Recorded: true}
	var err error
	if rec.Shown.HaveInfo {
		spec.Torrent, err = t.daemon.records.readTorrent(t.hash)
	}
	if err := t.seek(&spec, rec.Shown.Have > 0 && !looks); err != nil {
		return spec, rec.Options, err
	}
	if rec.Shown.HaveInfo {
		switch {
		case err == nil:
			t.lacksLayers(spec.Torrent)
		case isBroken(err):
			t.daemon.records.setAside(t.hash.String()+infoSuffix, err)
			t.loseInfo()
		case errors.Is(err, fs.ErrNotExist):
			t.daemon.log.Warn("the metadata of a torrent is gone and is fetched from peers",
				"torrent", t.hash.Short())
			t.loseInfo()
		default:
			return spec, rec.Options, err
		}
	}
	if spec.Torrent == nil {
		spec.Magnet, spec.Complete = t.link(), false
	}
	if rec.Place != "" && !rec.Shown.HaveInfo {
		spec.Place = placeOf(rec.Place, rec.Options.Dir)
	}
	if rec.Temporary && rec.Options.Files == nil {
		spec.Priorities = none
		return spec, rec.Options, nil
	}
	spec.Priorities = chosenOf(rec.Options.Files, nil)
	if spec.Torrent == nil {
		spec.Priorities = chosenOf(rec.Options.Files, new(spec.Magnet))
		if len(rec.Choose) > 0 {
			spec.Priorities = chooses(choicesOf(rec.Choose))
		}
	}
	return spec, rec.Options, nil
}

// placeOf and chosenOf return functions of a swarm.Spec. The engine keeps these, so they refer
// to nothing else.
func placeOf(place, dir string) func(*metainfo.Layout) string {
	return func(l *metainfo.Layout) string { return placeFor(place, dir, l.Name) }
}

func chosenOf(chosen []swarm.Priority,
	link *metainfo.Magnet) func(*metainfo.Layout) []swarm.Priority {
	return func(l *metainfo.Layout) []swarm.Priority { return prioritiesFor(l, chosen, link) }
}

// isBare reports whether a folder does not exist, or has nothing in it, as a folder has on which
// no disk is mounted.
func isBare(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	_, err = f.ReadDir(1)
	return errors.Is(err, io.EOF)
}

// prioritiesFor returns the priorities of files: those that the user has chosen, or those that
// a link names if there is one, or the same for all.
func prioritiesFor(l *metainfo.Layout, chosen []swarm.Priority,
	link *metainfo.Magnet) []swarm.Priority {
	if len(chosen) == len(l.Files) {
		return chosen
	}
	if link != nil {
		if named := prioritiesOf(link, l); named != nil {
			return named
		}
	}
	return slices.Repeat([]swarm.Priority{swarm.Normal}, len(l.Files))
}

// loseInfo records that the metadata has to be fetched again.
func (t *Torrent) loseInfo() {
	t.mu.Lock()
	t.rec.Shown.HaveInfo = false
	t.edited(0)
	t.mu.Unlock()
}

// link returns the magnet link of the torrent, with what it was added with.
func (t *Torrent) link() metainfo.Magnet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Magnet != "" {
		if m, err := metainfo.ParseMagnet(t.rec.Magnet); err == nil {
			return m
		}
	}
	return t.linkNow(t.rec.Trackers, t.rec.WebSeeds)
}

// linkNow returns a magnet link of the torrent with those URLs. t.mu is held.
func (t *Torrent) linkNow(tiers [][]string, webSeeds []string) metainfo.Magnet {
	n := &t.names
	m := metainfo.Magnet{V1: n.v1, V2: n.v2, HasV1: n.hasV1, HasV2: n.hasV2,
		Name: t.rec.Shown.Name, WebSeeds: webSeeds}
	for _, tier := range tiers {
		m.Trackers = append(m.Trackers, tier...)
	}
	return m
}

// awaitFiles waits until the files of an open torrent are known, have to be hashed, or cannot be
// known, but not for longer than patience.
func (t *Torrent) awaitFiles(ctx context.Context, run *swarm.Torrent, patience time.Duration) {
	t.mu.Lock()
	files := t.drive.files
	t.mu.Unlock()
	if files == nil || run.Info() == nil && !t.State().HaveInfo {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-files:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// close ends the torrent in the engine. It rests afterwards, or is opened again by its aim.
func (t *Torrent) close() error {
	t.life.Lock()
	defer t.life.Unlock()
	return t.closeHeld()
}

// closeHeld is close; t.life is held.
func (t *Torrent) closeHeld() error {
	t.mu.Lock()
	run := t.run
	t.mu.Unlock()
	if run == nil {
		return nil
	}
	t.daemon.checks.release(t)
	err := run.Close()
	last := run.State()
	t.mu.Lock()
	t.show(&last)
	t.takeLayers()
	t.knowFiles()
	t.run, t.drive.running, t.drive.bare = nil, false, nil
	t.mu.Unlock()
	t.changed(swarm.ChangedState | swarm.ChangedPeers | swarm.ChangedTrackers)
	return err
}

// fail records an error that keeps the torrent from running until the user does something.
func (t *Torrent) fail(err error) {
	t.mu.Lock()
	news := t.drive.fault == nil
	t.drive.fault, t.drive.failed = err, true
	t.mu.Unlock()
	t.daemon.checks.release(t)
	t.daemon.log.Error("cannot go on", "torrent", t.hash.Short(), "name", t.name(), "err", err)
	t.changed(swarm.ChangedState)
	if news {
		t.daemon.happened(t, EventError)
	}
}

// warn records an error that the user has to do something about, while the torrent goes on.
func (t *Torrent) warn(what string, err error) {
	t.mu.Lock()
	news := t.drive.fault == nil
	t.drive.fault = fmt.Errorf("%s: %w", what, err)
	t.mu.Unlock()
	t.daemon.log.Warn(what, "torrent", t.hash.Short(), "name", t.name(), "err", err)
	t.changed(swarm.ChangedState)
	if news {
		t.daemon.happened(t, EventError)
	}
}

// forgive forgets an error, because the user has done something.
func (t *Torrent) forgive() {
	t.mu.Lock()
	was := t.drive.fault != nil
	t.drive.fault, t.drive.failed = nil, false
	t.mu.Unlock()
	if was {
		t.changed(swarm.ChangedState)
	}
}

// name returns the name of the content.
func (t *Torrent) name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Shown.Name
}
