package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// An AddSpec describes a torrent to add.
type AddSpec struct {
	// Torrent is what to add. If it is nil, Magnet is.
	Torrent *metainfo.Torrent
	Magnet  metainfo.Magnet
	// Options are those of the torrent; an empty Dir means that of Settings. Settings.AddPaused
	// is for controls, which set Options.Stopped by it unless their user says otherwise.
	Options Options
	// Choose names the files that are wanted in place of Options.Files; nil means all. Those of a
	// link are found once its metadata is known. Nothing is fetched if none has such a name.
	Choose []metainfo.FileChoice
	// Peers are known peers, HOST:PORT.
	Peers []string
	// Name is what the content of Torrent is called in Options.Dir; empty means as in Torrent.
	Name string
	// Complete says that the content in Dir was just hashed. From somebody who is confined
	// (Confine) that does not count: the daemon would give peers whatever has the right name.
	Complete bool
	// Source says where it came from, for the log: a file, a URL, a control.
	Source string
}

// ErrTooMany says that a daemon has as many torrents as it can have.
var ErrTooMany = fmt.Errorf("there are %d torrents, which is the most", torrentsMax)

// Add adds a torrent, keeps it in the state folder, and starts it when its turn comes unless
// Options.Stopped is set. When it returns, a crash loses nothing of it. If the torrent is
// there already, it gets the trackers of spec that it lacks, unless it is private, and the
// error is an *ExistsError. A temporary one (Visit) becomes a lasting one instead. Other
// errors are an *OptionError, a *KeepError, ErrTooMany, ErrClosed, or say what is wrong with
// spec.
func (d *Daemon) Add(ctx context.Context, spec AddSpec) (*Torrent, error) {
	rec, doc, err := d.recordOf(ctx, &spec)
	if err != nil {
		return nil, err
	}
	if err := d.admit(ctx, rec.Options.Dir); err != nil {
		// A torrent that is there stays in its folder, whatever the one in spec is.
		if there, e := d.known(rec); e != nil {
			return nil, e
		} else if there != nil {
			there.mergeTrackers(rec.Trackers)
			err = &ExistsError{there}
		}
		return nil, err
	}
	d.placeNew(rec)
	for range visitTries {
		t, err := d.install(ctx, rec, doc, &spec)
		there, ok := errors.AsType[*ExistsError](err)
		if !ok {
			return t, err
		}
		err = d.keepVisit(ctx, there.Torrent, rec, &spec)
		if !errors.Is(err, ErrRemoved) {
			if err != nil {
				return nil, err
			}
			return there.Torrent, nil
		}
		there.Torrent.awaitLeave()
	}
	return nil, ErrRemoved
}

// install makes a torrent of its record and its .torrent file, if there is one. The error is an
// *ExistsError if the torrent is there.
func (d *Daemon) install(ctx context.Context, rec *record, doc []byte, spec *AddSpec) (*Torrent,
	error) {
	hash := spec.hash()
	if why := d.left[hash]; why != nil {
		return nil, &KeepError{why}
	}
	if there, err := d.reserve(ctx, rec); err != nil || there != nil {
		if there != nil {
			err = &ExistsError{there}
		}
		return nil, err
	}
	t := newTorrent(d, hash, rec)
	held := t.names.short()
	err := d.keepNew(t, doc)
	d.enter(t, held, err == nil)
	if err != nil {
		return nil, &KeepError{err}
	}
	d.log.Info("added", "torrent", hash.Short(), "id", t.id, "name", t.rec.Shown.Name, "from",
		spec.Source)
	if !rec.Temporary {
		d.ledger.add()
		d.happened(t, EventAdded)
	}
	d.steward.look(t)
	return t, nil
}

// hash returns the info-hash of what a spec adds.
func (s *AddSpec) hash() metainfo.Hash {
	if s.Torrent != nil {
		return s.Torrent.Info().Hash()
	}
	return s.Magnet.Hash()
}

// recordOf returns the record of a torrent that a spec adds, without an ID, and its
// .torrent file, unless it is a link.
func (d *Daemon) recordOf(ctx context.Context, spec *AddSpec) (*record, []byte, error) {
	rec := &record{Options: spec.Options.clone(), Whole: spec.Complete && !Confined(ctx)}
	if rec.Options.Dir == "" {
		rec.Options.Dir = d.Settings().Dir
	}
	if err := rec.Options.check(); err != nil {
		return nil, nil, err
	}
	if err := checkChoices(spec.Choose); err != nil {
		return nil, nil, err
	}
	if spec.hash() == (metainfo.Hash{}) {
		return nil, nil, errors.New("neither a torrent nor a magnet link is given")
	}
	peers := spec.Peers
	if len(peers) > metainfo.PeersMax {
		peers = peers[:metainfo.PeersMax]
	}
	var doc []byte
	if spec.Torrent != nil {
		n := len(spec.Torrent.Info().Layout().Files)
		if files := rec.Options.Files; files != nil && len(files) != n {
			return nil, nil, &OptionError{"files", swarm.ErrPriorities}
		}
		if len(spec.Choose) > 0 {
			files := namedBy(spec.Choose, spec.Torrent.Info().Layout())
			if files == nil {
				return nil, nil, &OptionError{"files", errNoFile}
			}
			rec.Options.Files = files
		}
		rec.describe(spec.Torrent)
		if spec.Name != "" && spec.Name != rec.Shown.Name {
			rec.Top, rec.Shown.Name = spec.Name, spec.Name
		}
		doc = spec.Torrent.Marshal()
	} else {
		rec.describeLink(&spec.Magnet)
		for i := range spec.Choose {
			rec.Choose = append(rec.Choose, spec.Choose[i].Text)
		}
	}
	for _, peer := range peers {
		if !slices.Contains(rec.Peers, peer) {
			rec.Peers = append(rec.Peers, peer)
		}
	}
	rec.Shown.Added = time.Now().Unix()
	if rec.Whole {
		s := &rec.Shown
		s.Got, s.Left, s.Have, s.PiecesHave = s.Wanted, 0, s.Size, s.Pieces
	}
	return rec, doc, nil
}

// known returns the torrent that rec describes, or nil.
func (d *Daemon) known(rec *record) (*Torrent, error) {
	known, err := rec.names()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range known.short() {
		if t := d.torrents[name]; t != nil {
			return t, nil
		}
	}
	return nil, nil
}

// reserve gives rec an ID and keeps others from adding the torrent, until enter. It returns
// the torrent instead if it is there, and waits while somebody else adds it.
func (d *Daemon) reserve(ctx context.Context, rec *record) (*Torrent, error) {
	known, err := rec.names()
	if err != nil {
		return nil, err
	}
	for {
		d.mu.Lock()
		var wait <-chan struct{}
		for _, name := range known.short() {
			if t := d.torrents[name]; t != nil {
				d.mu.Unlock()
				return t, nil
			}
			if h := d.held[name]; h != nil {
				wait = h.free
			}
		}
		switch {
		case d.closed:
			d.mu.Unlock()
			return nil, ErrClosed
		case wait == nil && (len(d.listed)+len(d.held) >= torrentsMax || d.last == math.MaxInt32):
			d.mu.Unlock()
			return nil, ErrTooMany
		case wait == nil:
			d.last++
			rec.ID, rec.Queue = d.last, d.order.next()
			d.hold(known.short())
			d.mu.Unlock()
			return nil, nil
		}
		d.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keepNew writes the files of a new torrent.
func (d *Daemon) keepNew(t *Torrent, doc []byte) error {
	if doc != nil {
		if err := d.records.saveInfo(t.hash, doc); err != nil {
			return err
		}
	}
	err := d.saver.saveNow(t)
	if err != nil && doc != nil {
		// Without a record it would be found at the next start, as one that nobody removed.
		_ = d.records.remove(t.hash)
	}
	return err
}

// A holding keeps others from adding a torrent by one of its info-hashes.
type holding struct {
	users int           // that hold it: one adds it, and others may remove it
	free  chan struct{} // closed once nobody does
}

// hold keeps others from adding a torrent with one of those info-hashes, until release. d.mu is
// held.
func (d *Daemon) hold(hashes []metainfo.Hash) {
	for _, hash := range hashes {
		h := d.held[hash]
		if h == nil {
			h = &holding{free: make(chan struct{})}
			d.held[hash] = h
		}
		h.users++
	}
}

// release ends hold for the same info-hashes. d.mu is held.
func (d *Daemon) release(hashes []metainfo.Hash) {
	for _, hash := range hashes {
		h := d.held[hash]
		if h.users--; h.users == 0 {
			delete(d.held, hash)
			close(h.free)
		}
	}
}

// enter ends reserve, which holds those info-hashes, and lists the torrent if it was kept.
func (d *Daemon) enter(t *Torrent, held []metainfo.Hash, kept bool) {
	hashes := t.hashes()
	d.mu.Lock()
	if kept {
		d.listed.put(t)
		d.name(t, hashes)
	}
	d.release(held)
	d.mu.Unlock()
	if kept {
		d.order.add(t)
		d.feed.Add(t)
	}
}

// alias makes the torrent be found by each of its info-hashes that no other torrent has.
func (d *Daemon) alias(t *Torrent) {
	hashes := t.hashes()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listed.get(t.id) == t {
		d.name(t, hashes)
	}
}

// name is alias for those info-hashes. d.mu is held.
func (d *Daemon) name(t *Torrent, hashes []metainfo.Hash) {
	for _, hash := range hashes {
		switch other := d.torrents[hash]; {
		case other == nil:
			d.torrents[hash] = t
		case other != t:
			d.log.Warn("another torrent is one half of this hybrid", "torrent", t.hash.Short(),
				"other", hash.Short())
		}
	}
}

// mergeTrackers gives a torrent the trackers that it lacks, as tiers of their own, unless it
// is private: the trackers of such a torrent are its owner's choice (BEP 27).
func (t *Torrent) mergeTrackers(tiers [][]string) {
	t.mu.Lock()
	if t.rec.Shown.Private {
		t.mu.Unlock()
		return
	}
	now := t.trackerTiers()
	has := make(map[string]bool)
	for _, url := range slices.Concat(now...) {
		has[url] = true
	}
	more := cloneTiers(now)
	for _, url := range slices.Concat(tiers...) {
		if !has[url] && len(has) < swarm.TrackersMax {
			has[url] = true
			more = append(more, []string{url})
		}
	}
	t.mu.Unlock()
	if len(more) == len(now) {
		return
	}
	err := t.Set(context.Background(), func(o *Options) { o.Trackers = more })
	if err != nil {
		t.daemon.log.Info("trackers were not taken over", "torrent", t.hash.Short(), "err", err)
	}
}
