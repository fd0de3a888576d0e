package swarm

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/limit"
)

// Add starts a torrent. It returns at once: opening the files, checking the content on
// disk and finding peers happen behind the handle. The error wraps ErrExists, is
// ErrClosed or ErrMemory, or says what is wrong with spec.
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
		engine: e,
		spec:   spec,
		hash:   hash,
		names:  namesOf(&spec),
		peerID: e.newPeerID(),
		down:   limit.NewBucket(spec.Down, e.down),
		up:     limit.NewBucket(spec.Up, e.up),
		log:    e.log.With("torrent", hash.Short()),
		joins:  make(chan *link),
		asks:   make(chan func(time.Time)),
		ended:  make(chan struct{}),
	}
	t.handle.init()
	t.down.SetAside(asideDown)
	t.ctx, t.cancel = context.WithCancel(e.ctx)
	if err := e.registry.add(t); err != nil {
		return nil, err
	}
	t.mail.init()
	t.loop = newLoop(t, info)
	e.wait.Go(t.loop.run)
	return t, nil
}

// newLoop returns the loop of t, and starts what the torrent does first.
func newLoop(t *Torrent, info *metainfo.Info) *loop {
	l := &loop{
		t: t,
		core: core.New(time.Now(), core.Config{
			InfoHash: t.hash, HashV2: t.names.v2, PeerID: t.peerID, Client: t.engine.cfg.Client,
			Port: t.engine.Addr().Port(),
			Seed: rand.Uint64(), SuperSeed: t.spec.SuperSeed, MetadataOnly: t.spec.MetadataOnly,
			Private: info != nil && info.Private(), PeersOnly: t.spec.PeersOnly,
			Home: t.engine.home,
			// Requested blocks must find buffers when they come, and some buffers are
			// left for blocks that are being written.
			Limits: core.Limits{
				RequestsMax: t.engine.blocks.Cap() * 3 / 4, PeersMax: t.engine.cfg.TorrentPeersMax,
				MetadataMax: t.engine.cfg.MemoryMax,
			},
		}),
		links:     make(map[core.PeerRef]*link),
		peerCache: t.newPeerCache(),
		search: search{
			hashes: t.hashes(), port: t.engine.Addr().Port(), found: t.found,
		},
	}
	l.core.SetOwn(*t.engine.own.Load())
	l.search.sources = l.findSources(info)
	// The first announcement tells trackers what is missing, so it waits for the check
	// of the content on disk. For a magnet link nobody knows what is missing.
	l.search.held = info != nil && !t.spec.Complete && !t.spec.MetadataOnly
	if info != nil {
		l.content.opening = true
		l.wait.Go(func() { l.open(info) })
	}
	l.wait.Go(l.resolvePeers)
	l.wait.Go(l.runPeerCache)
	return l
}
