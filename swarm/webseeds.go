package swarm

import (
	"context"
	"crypto/sha1"
	"errors"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/webseed"
	"swarmnode/swarm/wire"
)

const (
	// webSeedsMax bounds the web seeds of a torrent that are used.
	webSeedsMax = 16
	// webSeedWait and webSeedWaitMax are the pause before a web seed that was
	// given up is tried again, which doubles each time, and its bound.
	webSeedWait    = 30 * time.Second
	webSeedWaitMax = 30 * time.Minute
)

// A webSeed is the URL of a web seed, and whether the user did not write it.
type webSeed struct {
	url      string
	stranger bool
}

// startWebSeeds starts a goroutine for each web seed, unless there is nothing
// to fetch.
func (l *loop) startWebSeeds(info *metainfo.Info) {
	if l.spec.Complete || l.spec.PeersOnly {
		return
	}
	var seeds []webSeed
	for _, url := range l.spec.WebSeeds {
		seeds = append(seeds, webSeed{url, false})
	}
	named := l.spec.Magnet.WebSeeds
	if l.spec.Torrent != nil {
		named = l.spec.Torrent.WebSeeds
	}
	for _, url := range named {
		if !slices.Contains(l.spec.WebSeeds, url) {
			seeds = append(seeds, webSeed{url, true})
		}
	}
	for _, seed := range seeds[:min(len(seeds), webSeedsMax)] {
		l.wait.Go(func() { l.useWebSeed(l.ctx, info, seed) })
	}
}

// useWebSeed joins a web seed to the torrent as a peer, and again after a
// pause whenever it was given up, until the torrent is complete.
func (l *loop) useWebSeed(ctx context.Context, info *metainfo.Info, seed webSeed) {
	addr := webseed.Address(seed.url)
	id := sha1.Sum([]byte(seed.url))
	hello := wire.Hello{
		InfoHash: l.hash, PeerID: id, Reserved: wire.Reserved{}.With(wire.FeatureFast),
	}
	for wait := webSeedWait; ; wait = min(2*wait, webSeedWaitMax) {
		link := &link{torrent: l.Torrent, addr: addr, hello: hello, outgoing: true, closed: make(chan struct{})}
		conn, err := webseed.New(webseed.Config{
			Handler: link, Pool: l.engine.blocks, Down: l.down, Info: info, HTTP: l.engine.web,
			URL: seed.url, Stranger: seed.stranger, Logger: l.log,
		})
		if err != nil {
			l.log.Warn("a web seed is left out", "err", leftOut(seed.url, err))
			return
		}
		link.stream = conn
		select {
		case l.joins <- link:
		case <-ctx.Done():
			return
		}
		select {
		case <-link.closed:
			if errors.As(link.err, new(banned)) {
				l.log.Warn("a web seed is left alone, its data is wrong", "peer", conn)
				return
			}
			l.log.Debug("web seed", "peer", conn, "err", link.err)
		case <-l.done:
			return // it has nothing that we want any more
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
