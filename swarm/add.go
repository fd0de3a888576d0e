package swarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/storage"
)

// Add starts a torrent. It returns at once: opening its files, checking what
// is there and finding peers happen behind the handle. The error is ErrExists,
// ErrClosed, or says what is wrong with spec.
func (e *Engine) Add(spec Spec) (*Torrent, error) {
	hash := spec.Magnet.Hash()
	var info *metainfo.Info
	if spec.Torrent != nil {
		info = spec.Torrent.Info()
		hash = info.Hash()
	}
	if hash == (metainfo.Hash{}) {
		return nil, errors.New("neither a torrent nor a magnet link is given")
	}
	if !e.Bears(info) {
		return nil, ErrMemory
	}
	t := &Torrent{
		engine:   e,
		spec:     spec,
		hash:     hash,
		names:    namesOf(&spec),
		peerID:   e.newPeerID(),
		down:     limit.NewBucket(spec.Down, e.down),
		up:       limit.NewBucket(spec.Up, e.up),
		log:      e.log.With("torrent", hash.Short()),
		joins:    make(chan *link),
		asks:     make(chan func(time.Time)),
		ended:    make(chan struct{}),
		haveInfo: make(chan struct{}),
		done:     make(chan struct{}),
	}
	t.down.SetAside(asideDown)
	t.ctx, t.cancel = context.WithCancel(e.ctx)
	if err := e.register(t); err != nil {
		return nil, err
	}
	t.mail.init()
	t.loop = newLoop(t, info)
	e.wait.Go(t.loop.run)
	return t, nil
}

// newLoop prepares the loop of t, and what it does first.
func newLoop(t *Torrent, info *metainfo.Info) *loop {
	l := &loop{
		t: t,
		core: core.New(time.Now(), core.Config{
			InfoHash: t.hash, HashV2: t.names.v2, PeerID: t.peerID, Client: t.engine.cfg.Client,
			Port: t.engine.Addr().Port(),
			Seed: rand.Uint64(), SuperSeed: t.spec.SuperSeed, MetadataOnly: t.spec.MetadataOnly,
			Private: info != nil && info.Private(), PeersOnly: t.spec.PeersOnly,
			Home: t.engine.home,
			// What is asked for must find buffers when it comes, with some left
			// for blocks that are being written.
			Limits: core.Limits{
				RequestsMax: t.engine.blocks.Cap() * 3 / 4, PeersMax: t.engine.cfg.TorrentPeersMax,
				MetadataMax: t.engine.cfg.MemoryMax,
			},
		}),
		links: make(map[core.PeerRef]*link),
		search: search{
			hashes: t.hashes(), port: t.engine.Addr().Port(), found: t.found,
		},
	}
	l.core.SetOwn(*t.engine.own.Load())
	l.search.sources = l.findSources(info)
	// Trackers are told at first what is missing, which the check of what is there
	// finds out. Of a magnet link nobody knows.
	l.search.held = info != nil && !t.spec.Complete && !t.spec.MetadataOnly
	if info != nil {
		l.opening = true
		l.wait.Go(func() { l.open(info) })
	}
	l.wait.Go(l.findNamed)
	l.wait.Go(func() {
		l.recall()
		l.remember()
	})
	return l
}

// opened is what came of opening the storage of an info dictionary.
type opened struct {
	info  *metainfo.Info
	store *storage.Store
	have  *bits.Set
	late  *bits.Set // pieces with data that cannot be checked yet; may be nil
	need  *bits.Set // pieces that hold something of a wanted file; nil is all
	parts []int32   // bytes of wanted files in each piece; nil is all
	err   error
}

// useInfo takes metadata that came from peers, its hash checked.
func (l *loop) useInfo(raw []byte) {
	if l.opening {
		return // peers were faster than the disk
	}
	l.opening = true
	l.wait.Go(func() {
		if !l.t.engine.memory.Room(metainfo.ParseCost(raw)) {
			l.opened(opened{err: ErrMemory})
			return
		}
		info, err := metainfo.ParseInfo(raw)
		if err != nil {
			l.opened(opened{err: fmt.Errorf("metadata: %w", err)})
			return
		}
		if !l.t.engine.Bears(info) {
			l.opened(opened{err: ErrMemory})
			return
		}
		if info.Private() {
			l.t.ask(l.hide)
		}
		l.open(info)
	})
}

// hide ends every search but that of trackers, because the metadata says that the
// torrent is private (BEP 27). It goes before the check of what is there, which
// may take long.
func (l *loop) hide(now time.Time) {
	l.search.keepTrackers(l.t.ctx, now)
	l.core.Step(now, core.Event{Kind: core.Private})
}

// open opens the storage of info and checks what is there, in a goroutine of
// its own.
func (l *loop) open(info *metainfo.Info) {
	l.t.setInfo(info)
	o := opened{info: info}
	if l.t.spec.MetadataOnly {
		l.opened(o)
		return
	}
	var wanted []bool // nil is all
	if l.t.spec.Wanted != nil {
		wanted = l.t.spec.Wanted(info.Layout())
		if !slices.Contains(wanted, true) {
			o.err = ErrNothingWanted
			l.opened(o)
			return
		}
		o.need = storage.WantedPieces(info.Layout(), wanted)
		o.parts = info.Layout().Parts(wanted)
	}
	records := l.t.engine.cfg.StateDir
	if l.t.spec.Complete {
		records = "" // it was checked in this run, and is not to be in the next
	}
	o.store, o.err = storage.Open(storage.Config{
		Dir: l.t.spec.Dir, Layout: info.Layout(), Workers: l.t.engine.workers,
		Name: l.t.spec.Name, Names: l.t.spec.Names, Room: l.t.engine.memory.Room,
		Hash: l.t.hash, StateDir: records, StateReadOnly: l.t.engine.cfg.StateReadOnly,
		Wanted: wanted, Results: l.stored, ReadOnly: l.t.spec.Complete, Part: true,
		Warn: func(err error) { l.t.log.Warn("storage", "err", err) },
	})
	switch {
	case o.err != nil:
	case l.t.spec.Complete:
		o.have, o.err = bits.Full(info.Layout().Pieces()), o.store.Trust(l.t.ctx)
	default:
		o.have, o.err = o.store.Check(l.t.ctx, l.t.setChecked)
		o.late = o.store.Late()
	}
	if o.err != nil && o.store != nil {
		o.store.Close()
	}
	l.opened(o)
}

// opened hands the outcome to the loop.
func (l *loop) opened(o opened) {
	if !l.t.ask(func(now time.Time) { l.ready(now, o) }) && o.err == nil && o.store != nil {
		o.store.Close()
	}
}

// ready tells the core that there is storage, or that there will be none.
func (l *loop) ready(now time.Time, o opened) {
	if o.err != nil {
		l.t.log.Error("cannot use the torrent", "err", o.err)
		l.core.Step(now, core.Event{Kind: core.InfoFailed, Err: o.err})
		l.t.fail(o.err)
		return
	}
	l.store, l.pieces = o.store, o.info.Layout().Pieces()
	for _, link := range l.links {
		link.stream.SetPieces(l.pieces)
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
	l.tellMoved()
	l.search.release()
	l.core.SetSequential(l.t.spec.Sequential)
	l.startWebSeeds(o.info)
}

// stored turns the result of a storage worker into an event.
func (l *loop) stored(r storage.Result) {
	if errors.Is(r.Err, storage.ErrExists) || errors.Is(r.Err, storage.ErrLink) && !l.t.isDone() {
		l.t.fail(r.Err) // what lay there before turned out to be something else
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
		l.t.ask(func(now time.Time) { l.offerNoMore(now, r) })
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

// errNotAsItWas is why a piece of content that was whole is offered no more.
var errNotAsItWas = errors.New("changed by another program")

// offerNoMore gives up a piece of content that is only served, and which is not
// right any more or cannot be read: it is neither offered nor fetched, since the
// content is not ours to write to. That is told once.
func (l *loop) offerNoMore(now time.Time, r storage.Result) {
	if !l.spoilt {
		l.spoilt = true
		l.t.log.Warn("some of the content is offered no more", "name", l.t.Info().Name(), "err",
			cmp.Or(r.Err, errNotAsItWas))
	}
	l.core.Prioritize(now, int(r.Piece), picker.Skip)
	l.core.Step(now, core.Event{Kind: core.Failed, Ref: block.Ref{Piece: r.Piece}})
}

// failing notes a local fault, tells it once, and tries until it has passed.
func (l *loop) failing(err error) {
	if l.fault != nil {
		l.fault = err
		return
	}
	l.fault = err
	l.t.log.Warn("storage does not work, waiting", "err", err)
	l.wait.Go(func() {
		for {
			select {
			case <-l.t.ctx.Done():
				return
			case <-time.After(faultRetry):
			}
			if l.store.Probe() == nil {
				l.t.ask(l.works)
				return
			}
		}
	})
}

func (l *loop) works(now time.Time) {
	l.fault = nil
	l.t.log.Info("storage works again")
	l.core.Step(now, core.Event{Kind: core.StorageWorks})
}

// recheckMax bounds how often complete content is checked anew because another
// program changes it.
const recheckMax = 3

// complete looks at the files once more before it says that they are whole,
// and tells the sources that we are a seed if nothing of the torrent is missing: who
// wanted a part alone is none (BEP 21, BEP 33).
func (l *loop) complete(now time.Time) {
	if l.t.spec.MetadataOnly {
		l.t.log.Info("the metadata is complete")
		l.t.succeed(nil, nil)
		return
	}
	l.tellMoved()
	l.search.again(l.t.ctx, now, l.core.Totals().Missing == 0)
	if l.spoilt { // it was complete, and what is left of it is
		return
	}
	l.wait.Go(func() {
		err := l.store.Finish()
		l.t.ask(func(now time.Time) { l.finished(now, err) })
	})
}

func (l *loop) finished(now time.Time, err error) {
	switch {
	case err == nil:
		l.t.log.Info("complete")
		l.t.succeed(l.store.Paths(), l.store.FilePath)
	case errors.Is(err, storage.ErrChanged) && l.rechecks < recheckMax:
		l.rechecks++
		l.t.log.Warn("checking all of it again", "err", err)
		for i := range l.t.Info().Layout().Pieces() {
			l.core.Step(now, core.Event{Kind: core.ReadFailed, Ref: block.Ref{Piece: uint32(i)},
				Err: err})
		}
	default:
		l.t.fail(err)
	}
}
