package swarm

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/storage"
)

const (
	// faultRetry is the pause between trial writes while storage does not work.
	faultRetry = 10 * time.Second
	// recheckMax bounds how often complete content is checked again because another
	// program has changed it.
	recheckMax = 3
)

// errNotAsItWas is why a piece of content that was whole is no longer offered.
var errNotAsItWas = errors.New("changed by another program")

// content is what the loop of a torrent knows of its content on disk, besides the store.
type content struct {
	opening bool // the storage of an info dictionary is being opened, or was
	// finishing: a goroutine looks at complete content; again: it has to look once more.
	finishing, again bool

	probing  bool // a goroutine tries whether storage works again
	spoilt   bool // another program changed content that is only served
	rechecks int  // how often complete content had changed
}

// forgive forgets how often the content had changed, since all of it is checked again.
func (c *content) forgive() { c.rechecks = 0 }

// opened is the outcome of opening the storage of an info dictionary.
type opened struct {
	info  *metainfo.Info
	store *storage.Store
	have  *bits.Set
	late  *bits.Set         // pieces with data that cannot be checked yet; may be nil
	need  *bits.Set         // pieces that hold a part of a wanted file; nil means all
	parts []int32           // bytes of wanted files in each piece; nil means all
	ranks []picker.Priority // of each piece, unless all that are wanted are alike; or nil
	first []Priority        // of files, from which the other fields follow
	err   error
}

// startOpening runs open in a goroutine. It is called once.
func (l *loop) startOpening(open func()) {
	l.content.opening = true
	l.wait.Go(open)
}

// useInfo takes metadata that peers sent, after its hash was checked.
func (l *loop) useInfo(raw []byte) {
	if l.content.opening {
		return // peers were faster than the disk
	}
	l.startOpening(func() {
		if !l.t.engine.memory.Room(metainfo.ParseCost(raw)) {
			l.reportOpened(opened{err: ErrMemory})
			return
		}
		info, err := metainfo.ParseInfo(raw)
		if err != nil {
			l.reportOpened(opened{err: fmt.Errorf("metadata: %w", err)})
			return
		}
		if !l.t.engine.Bears(info) {
			l.reportOpened(opened{err: ErrMemory})
			return
		}
		if info.Private() {
			l.t.ask(l.makePrivate)
		}
		l.open(info)
	})
}

// makePrivate ends every search but that of trackers, because the metadata says that the
// torrent is private (BEP 27). It comes before the check of the content on disk, which
// may take long.
func (l *loop) makePrivate(now time.Time) {
	l.search.keepTrackers(l.t.ctx, now)
	l.core.Step(now, core.Event{Kind: core.Private})
}

// open opens the storage of info and checks the content on disk, in a goroutine of its
// own.
func (l *loop) open(info *metainfo.Info) {
	l.t.learnNames(info)
	l.t.handle.setInfo(info)
	l.t.changed(ChangedState)
	o := opened{info: info}
	if l.t.spec.MetadataOnly {
		l.reportOpened(o)
		return
	}
	first, err := l.t.spec.firstWish(info.Layout())
	if err != nil {
		o.err = err
		l.reportOpened(o)
		return
	}
	l.t.files.begin(first)
	o.first = first
	wanted := wantedFiles(first)
	if wanted != nil {
		o.need = storage.WantedPieces(info.Layout(), wanted)
		o.parts = info.Layout().Parts(wanted)
	}
	o.ranks = unlikeRanks(info.Layout(), first)
	l.t.choosePlace(info.Layout())
	cfg := l.t.storageConfig(info)
	cfg.Wanted, cfg.Results, cfg.Hold = wanted, l.onStored, l.t.mayHash
	if l.t.spec.Complete {
		cfg.StateDir = "" // nothing is written while the content is only served
	}
	o.store, o.err = storage.Open(cfg)
	switch {
	case o.err != nil:
	case l.t.spec.Complete:
		o.have, o.err = bits.Full(info.Layout().Pieces()), l.t.trust(o.store)
	default:
		o.have, o.err = o.store.Check(l.t.ctx, l.t.setChecked)
		o.late = o.store.Late()
	}
	if o.err != nil && o.store != nil {
		o.store.Close()
	}
	l.reportOpened(o)
}

// trust takes the content for whole, and records that if Spec.Recorded asks for it.
func (t *Torrent) trust(store *storage.Store) error {
	if err := store.Trust(t.ctx); err != nil {
		return err
	}
	if cfg := &t.engine.cfg; t.spec.Recorded && cfg.StateDir != "" && !cfg.StateReadOnly {
		if err := store.RecordIn(cfg.StateDir); err != nil {
			t.log.Warn("the next start hashes the content", "err", err)
		}
	}
	return nil
}

// storageConfig says where the content lies.
func (t *Torrent) storageConfig(info *metainfo.Info) storage.Config {
	return storage.Config{
		Dir: t.firstDir(), Layout: info.Layout(), Workers: t.engine.workers,
		Name: t.spec.Name, Names: t.spec.Names, Room: t.engine.memory.Room,
		Hash: t.hash, StateDir: t.engine.cfg.StateDir, StateReadOnly: t.engine.cfg.StateReadOnly,
		ReadOnly: t.spec.Complete, Part: true,
		Beside: func(path string) func(path string) bool {
			return t.engine.usedBeside(t, []string{path})
		},
		Warn: func(err error) { t.log.Warn("storage", "err", err) },
	}
}

// reportOpened hands the outcome to the loop.
func (l *loop) reportOpened(o opened) {
	if !l.t.ask(func(now time.Time) { l.ready(now, o) }) && o.err == nil && o.store != nil {
		o.store.Close()
	}
}

// ready tells the core that storage is open, or that the metadata cannot be used.
func (l *loop) ready(now time.Time, o opened) {
	if o.err != nil {
		l.t.log.Error("cannot use the torrent", "err", o.err)
		l.core.Step(now, core.Event{Kind: core.InfoFailed, Err: o.err})
		l.t.fail(o.err)
		return
	}
	l.setStore(o.store, o.info.Layout().Pieces())
	if o.store != nil {
		l.t.handle.relocated(o.store.Dir())
	}
	l.search.rename(l.t.ctx, now, l.t.hashes())
	if l.t.spec.MetadataOnly {
		l.core.Step(now, core.Event{Kind: core.InfoReady, Info: o.info})
		return
	}
	l.t.log.Info("storage is open", "name", o.info.Name(), "pieces", l.pieces, "have",
		o.have.Count())
	l.core.Step(now, core.Event{Kind: core.InfoReady, Info: o.info, Have: o.have, Late: o.late,
		Need: o.need, Parts: o.parts})
	l.updateTrackers()
	l.search.release()
	l.core.SetSequential(l.sequential)
	if o.ranks != nil {
		l.core.SetPriorities(now, o.ranks, o.parts)
	}
	l.wakeWebSeeds()
	l.recheckIfDue()
	l.chooseLate(o.info.Layout(), o.first)
}

// onStored turns the result of a storage worker into an event.
func (l *loop) onStored(r storage.Result) {
	if errors.Is(r.Err, storage.ErrExists) ||
		errors.Is(r.Err, storage.ErrLink) && !l.t.handle.isDecided() {
		l.t.fail(r.Err) // something else lies where a file should be
		return
	}
	e := core.Event{Kind: core.Failed, Err: r.Err}
	e.Ref.Piece = r.Piece
	switch {
	case r.Err != nil:
		e.Kind = core.StorageFailed
	case r.OK:
		e.Kind = core.Verified
	}
	if !r.OK && l.t.spec.Complete {
		l.t.ask(func(now time.Time) { l.withdraw(now, r) })
		return
	}
	if e.Kind == core.Failed {
		if e.Hashes, e.Err = l.examine(r.Piece); e.Err != nil {
			l.t.fail(e.Err)
			return
		}
	}
	l.t.post(e)
}

// withdraw gives up a piece of content that is only served and that is wrong now, or
// cannot be read. The piece is neither offered nor fetched, since the content is not ours
// to write to. The user is told once.
func (l *loop) withdraw(now time.Time, r storage.Result) {
	if !l.content.spoilt {
		l.content.spoilt = true
		l.t.log.Warn("some content changed on disk and is no longer offered", "name",
			l.t.Info().Name(), "err", cmp.Or(r.Err, errNotAsItWas))
	}
	l.recheck.verified()
	l.core.Prioritize(now, int(r.Piece), picker.Skip)
	l.core.Step(now, core.Event{Kind: core.Failed, Ref: block.Ref{Piece: r.Piece}})
}

// onFault tells the user of a local fault, and tries until storage works again. It does
// nothing while it does so already: the core keeps the latest error.
func (l *loop) onFault(err error) {
	if l.content.probing {
		return
	}
	l.content.probing = true
	l.t.log.Warn(fmt.Sprintf("cannot use the files on disk; retrying every %v", faultRetry), "err",
		err)
	l.wait.Go(func() {
		for {
			select {
			case <-l.t.ctx.Done():
				return
			case <-time.After(faultRetry):
			}
			if l.store.Probe() == nil {
				l.t.ask(l.onWorks)
				return
			}
		}
	})
}

// onWorks ends a local fault.
func (l *loop) onWorks(now time.Time) {
	l.content.probing = false
	l.t.log.Info("the files on disk can be used again")
	l.core.Step(now, core.Event{Kind: core.StorageWorks})
}

// complete looks at the files once more before it says that they are whole. It tells the
// sources that we are a seed if nothing of the torrent is missing: a peer that wanted a
// part alone is none (BEP 21, BEP 33).
func (l *loop) complete(now time.Time) {
	if l.t.spec.MetadataOnly {
		l.t.log.Info("the metadata is complete")
		l.succeed(now, nil, nil)
		return
	}
	l.updateTrackers()
	l.search.again(l.t.ctx, now, l.core.Totals().Missing == 0)
	if l.content.spoilt { // the torrent was complete before, and its remaining pieces are
		return
	}
	l.finish()
}

// finish looks at the files once more, in a goroutine of its own, one at a time. Meanwhile
// nobody chooses other files.
func (l *loop) finish() {
	if l.content.finishing {
		l.content.again = true
		return
	}
	l.content.finishing = true
	l.wait.Go(func() {
		_ = l.t.files.keep(l.t.ctx, func() error {
			done := false
			l.t.command(func(time.Time) error {
				done = l.hasWanted()
				return nil
			})
			var err error
			if done {
				err = l.store.Finish()
			}
			l.t.ask(func(now time.Time) { l.finished(now, err) })
			return nil
		})
	})
}

// finished takes the outcome of the last look at the files.
func (l *loop) finished(now time.Time, err error) {
	again := l.content.again
	l.content.finishing, l.content.again = false, false
	switch {
	case again:
		l.finish()
	case !l.hasWanted(): // more came to be wanted, or something was lost
	case err == nil:
		if !l.t.handle.isDecided() {
			l.t.log.Info("complete")
		}
		l.succeed(now, l.store.Paths, l.store.FilePath)
	case errors.Is(err, storage.ErrChanged) && l.content.rechecks < recheckMax:
		l.content.rechecks++
		l.t.handle.reopen()
		l.t.log.Warn("checking all content again", "err", err)
		for i := range l.t.Info().Layout().Pieces() {
			l.core.Step(now, core.Event{Kind: core.ReadFailed, Ref: block.Ref{Piece: uint32(i)},
				Err: err})
		}
	default:
		l.t.fail(err)
	}
}
