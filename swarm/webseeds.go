package swarm

import (
	"context"
	"crypto/sha1"
	"errors"
	"slices"
	"time"

	"swarmnode/metainfo"
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

// A webSeed says where a web seed is.
type webSeed struct {
	key      endpoint.Key // its number in the torrent
	url      string
	stranger bool // somebody else than the user wrote the URL
}

// startWebSeeds starts a goroutine for each web seed, unless the content is complete.
func (l *loop) startWebSeeds(info *metainfo.Info) {
	if l.t.spec.Complete || l.t.spec.PeersOnly {
		return
	}
	var seeds []webSeed
	for _, url := range l.t.spec.WebSeeds {
		seeds = append(seeds, webSeed{url: url})
	}
	named := l.t.spec.Magnet.WebSeeds
	if l.t.spec.Torrent != nil {
		named = l.t.spec.Torrent.WebSeeds
	}
	for _, url := range named {
		if !slices.Contains(l.t.spec.WebSeeds, url) {
			seeds = append(seeds, webSeed{url: url, stranger: true})
		}
	}
	for i, seed := range seeds[:min(len(seeds), webSeedsMax)] {
		seed.key = endpoint.Key(i + 1)
		l.wait.Go(func() { l.useWebSeed(l.t.ctx, info, seed) })
	}
}

// webSeeds are the web seeds of a torrent that have nothing to give at present. They belong
// to its loop.
type webSeeds struct{ resting []webSeed }

// restWebSeed records that a web seed is of no use for now. If more came to be wanted just
// now, it is used again.
func (l *loop) restWebSeed(info *metainfo.Info, seed webSeed) {
	l.webSeeds.resting = append(l.webSeeds.resting, seed)
	if !l.t.handle.isDecided() {
		l.wakeWebSeeds()
	}
}

// wakeWebSeeds uses the web seeds again that rest.
func (l *loop) wakeWebSeeds() {
	for _, seed := range l.webSeeds.resting {
		l.wait.Go(func() { l.useWebSeed(l.t.ctx, l.t.Info(), seed) })
	}
	l.webSeeds.resting = nil
}

// useWebSeed joins a web seed to the torrent in the seat of a peer. It does so again
// after a pause whenever the web seed has failed, until the torrent is complete.
func (l *loop) useWebSeed(ctx context.Context, info *metainfo.Info, seed webSeed) {
	id := sha1.Sum([]byte(seed.url))
	hello := wire.Hello{
		InfoHash: l.t.hash, PeerID: id, Reserved: wire.Reserved{}.With(wire.FeatureFast),
	}
	faults := new(webseed.Faults)
	for wait := webSeedWait; l.t.traffic.wait(ctx) == nil; wait = min(2*wait, webSeedWaitMax) {
		link := &link{torrent: l.t, endpoint: endpoint.WebSeed(seed.key), hello: hello,
			outgoing: true, closed: make(chan struct{})}
		conn, err := webseed.New(webseed.Config{
			Handler: link, Pool: l.t.engine.blocks, Down: l.t.limits.rateDown(), Info: info,
			HTTP: l.t.engine.web, URL: seed.url, Stranger: seed.stranger,
			Logger: l.t.log, Faults: faults,
			Failed: func(file int, err error) {
				l.t.ask(func(time.Time) { l.fileFailed(file, err) })
			},
		})
		if err != nil {
			l.t.log.Warn("a web seed cannot be used", "err", leftOut(seed.url, err))
			return
		}
		link.setStream(conn)
		select {
		case l.t.joins <- link:
		case <-ctx.Done():
			return
		}
		select {
		case <-link.closed:
			if endedByPause(link.err) {
				wait = webSeedWait / 2 // which the next round doubles
				continue
			}
			if errors.As(link.err, new(banned)) || errors.Is(link.err, webseed.ErrWrong) {
				l.t.log.Warn("a web seed sends wrong data and is left out", "peer", conn)
				return
			}
			l.t.log.Debug("web seed", "peer", conn, "err", link.err)
		case <-l.t.Done(): // nothing is missing any more
			l.t.ask(func(time.Time) { l.restWebSeed(info, seed) })
			return
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
