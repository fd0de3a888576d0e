package swarm

import (
	"context"
	"crypto/sha1"
	"errors"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/webseed"
	"swarmnode/swarm/wire"
)

const (
	// webSeedsMax bounds the web seeds of a torrent that are used.
	webSeedsMax = 16
	// webSeedWait is the first pause before we try a failed web seed again, and
	// webSeedWaitMax the bound up to which the pause doubles.
	webSeedWait    = 30 * time.Second
	webSeedWaitMax = 30 * time.Minute
)

// errRemoved is the end of the connection to a web seed that was removed.
var errRemoved = errors.New("the web seed was removed")

// webSeeds are the web seeds of a torrent. It is safe for concurrent use.
type webSeeds struct {
	mu   sync.Mutex
	list []*webSeed // at most webSeedsMax
	last endpoint.Key
}

// A webSeed is a web seed, and our dealings with it.
type webSeed struct {
	key      endpoint.Key // its number in the torrent
	url      string
	stranger bool // somebody else than the user wrote the URL
	faults   *webseed.Faults

	// Guarded by webSeeds.mu:
	running bool               // a goroutine uses it
	cancel  context.CancelFunc // ends that goroutine; nil before the first
	conn    *webseed.Conn      // while connected
	lost    bool               // it is given up for good, because of err
	err     error              // of the last connection
	retry   time.Time          // when it is tried again; zero: not waiting
	down    int64              // bytes of former connections
}

// set replaces the web seeds. Those that stay keep their state and their origin. It returns
// those that are gone.
func (w *webSeeds) set(seeds []*webSeed) (gone []*webSeed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.list
	w.list = nil
	for _, seed := range seeds {
		of := func(s *webSeed) bool { return s.url == seed.url }
		if slices.ContainsFunc(w.list, of) {
			continue
		}
		if i := slices.IndexFunc(old, of); i >= 0 {
			seed = old[i]
		} else {
			w.last++
			seed.key, seed.faults = w.last, new(webseed.Faults)
		}
		w.list = append(w.list, seed)
	}
	return slices.DeleteFunc(slices.Clone(old), func(s *webSeed) bool {
		return slices.Contains(w.list, s)
	})
}

// take returns the web seeds that no goroutine uses and that are not given up, each with
// the context of a goroutine for it.
func (w *webSeeds) take(parent context.Context) map[*webSeed]context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	idle := make(map[*webSeed]context.Context)
	for _, s := range w.list {
		if s.running || s.lost {
			continue
		}
		s.running = true
		idle[s], s.cancel = context.WithCancel(parent)
	}
	return idle
}

// rest records that no goroutine uses a web seed any more.
func (w *webSeeds) rest(s *webSeed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.cancel()
	s.running = false
}

// remove ends the connection and the goroutine of a web seed.
func (w *webSeeds) remove(s *webSeed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	if s.conn != nil {
		s.conn.Close(errRemoved)
	}
}

// connected records the connection to a web seed. It reports false if the web seed was
// removed meanwhile.
func (w *webSeeds) connected(s *webSeed, conn *webseed.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.conn, s.retry = conn, time.Time{}
	return slices.Contains(w.list, s)
}

// ended records the end of the connection, why it ended, nil for no fault of the web seed,
// and when it is tried again.
func (w *webSeeds) ended(s *webSeed, err error, retry time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.conn != nil {
		s.down += s.conn.Read()
	}
	s.conn, s.err, s.retry = nil, err, retry
}

// giveUp records that a web seed is not used again, because of err.
func (w *webSeeds) giveUp(s *webSeed, err error) {
	w.ended(s, err, time.Time{})
	w.mu.Lock()
	defer w.mu.Unlock()
	s.lost = true
}

// findWebSeeds lists the web seeds that the user, the torrent or the link names.
func (t *Torrent) findWebSeeds() {
	if t.spec.Complete || t.spec.PeersOnly {
		return
	}
	var seeds []*webSeed
	for _, url := range t.spec.WebSeeds {
		seeds = append(seeds, &webSeed{url: url})
	}
	named := t.spec.Magnet.WebSeeds
	if t.spec.Torrent != nil {
		named = t.spec.Torrent.WebSeeds
	}
	for _, url := range named {
		seeds = append(seeds, &webSeed{url: url, stranger: true})
	}
	if len(seeds) > 0 {
		t.webSeeds.set(seeds[:min(len(seeds), webSeedsMax)])
	}
}

// wakeWebSeeds starts a goroutine for each web seed that has none, once the storage is
// open, unless nothing is missing.
func (l *loop) wakeWebSeeds() {
	if l.store == nil || l.t.spec.Complete || l.core.Totals().Done {
		return
	}
	info := l.t.Info()
	for seed, ctx := range l.t.webSeeds.take(l.t.ctx) {
		l.wait.Go(func() { l.useWebSeed(ctx, info, seed) })
	}
}

// restWebSeed records that a goroutine has left a web seed. If more came to be wanted just
// now, the web seed is used again.
func (l *loop) restWebSeed(seed *webSeed) {
	l.t.webSeeds.rest(seed)
	l.wakeWebSeeds()
}

// useWebSeed joins a web seed to the torrent in the seat of a peer. It does so again
// after a pause whenever the web seed has failed, until the torrent is complete.
func (l *loop) useWebSeed(ctx context.Context, info *metainfo.Info, seed *webSeed) {
	defer func() {
		l.t.changed(ChangedTrackers)
		l.t.ask(func(time.Time) { l.restWebSeed(seed) })
	}()
	all := &l.t.webSeeds
	for wait := webSeedWait; l.t.traffic.wait(ctx) == nil; wait = min(2*wait, webSeedWaitMax) {
		link, conn, err := l.linkTo(seed, info)
		if err != nil {
			l.t.log.Warn("a web seed cannot be used", "err", leftOut(seed.url, err))
			all.giveUp(seed, err)
			return
		}
		select {
		case l.t.joins <- link:
		case <-ctx.Done():
			return
		}
		if !all.connected(seed, conn) {
			conn.Close(errRemoved)
		}
		l.t.changed(ChangedTrackers)
		select {
		case <-link.closed:
		case <-l.t.ctx.Done():
			return
		}
		switch {
		case endedByPause(link.err):
			all.ended(seed, nil, time.Time{})
			wait = webSeedWait / 2 // which the next round doubles
			continue
		case errors.As(link.err, new(banned)) || errors.Is(link.err, webseed.ErrWrong):
			l.t.log.Warn("a web seed sends wrong data and is left out", "peer", conn)
			all.giveUp(seed, webseed.ErrWrong)
			return
		case ctx.Err() != nil || endedAsUseless(link.err): // nothing is missing any more
			all.ended(seed, nil, time.Time{})
			return
		}
		l.t.log.Debug("web seed", "peer", conn, "err", link.err)
		all.ended(seed, link.err, time.Now().Add(wait))
		l.t.changed(ChangedTrackers)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// endedAsUseless reports whether the core ended a connection because neither side could give
// the other one anything.
func endedAsUseless(err error) bool {
	var d dropped
	return errors.As(err, &d) && d.by(core.ReasonUseless)
}

// linkTo returns a link to a web seed. The error says what is wrong with its URL.
func (l *loop) linkTo(seed *webSeed, info *metainfo.Info) (*link, *webseed.Conn, error) {
	link := &link{torrent: l.t, endpoint: endpoint.WebSeed(seed.key),
		hello: wire.Hello{InfoHash: l.t.hash, PeerID: sha1.Sum([]byte(seed.url)),
			Reserved: wire.Reserved{}.With(wire.FeatureFast)},
		outgoing: true, closed: make(chan struct{})}
	conn, err := webseed.New(webseed.Config{
		Handler: link, Pool: l.t.engine.blocks, Down: l.t.limits.rateDown(), Info: info,
		HTTP: l.t.engine.web, URL: seed.url, Stranger: seed.stranger,
		Logger: l.t.log, Faults: seed.faults,
		Failed: func(file int, err error) {
			l.t.ask(func(time.Time) { l.fileFailed(file, err) })
		},
		Changed: func() { l.t.changed(ChangedTrackers) },
	})
	if err != nil {
		return nil, nil, err
	}
	link.setStream(conn)
	return link, conn, nil
}
