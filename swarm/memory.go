package swarm

import (
	"context"
	"net/netip"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
)

const (
	// torrentMemory is how many bytes a torrent at rest takes, with all its goroutines,
	// and connectionMemory how many a connection takes.
	torrentMemory    = 32 << 10
	connectionMemory = 24 << 10
	// fileMemory and pieceMemory are how many bytes a torrent takes for each of its files
	// and pieces, besides its info dictionary.
	fileMemory  = 64
	pieceMemory = 32
	// foundFew is how many addresses each torrent may be told of while memory is short.
	foundFew = 50
	// memoryLook is the time between two looks at the memory in use, and evictedMax how
	// many connections are evicted at a time.
	memoryLook = time.Second
	evictedMax = 8
)

// Bears reports whether there is memory for one more torrent; Add fails without. info is
// nil if it is unknown.
func (e *Engine) Bears(info *metainfo.Info) bool {
	need := int64(torrentMemory)
	if info != nil {
		l := info.Layout()
		need += fileMemory*int64(len(l.Files)) + pieceMemory*int64(l.Pieces())
	}
	return e.memory.Room(need)
}

// takePlace takes a place for a connection with ip, and reports whether there was one.
// While memory is short, a connection can only replace another.
func (e *Engine) takePlace(ip netip.Addr) bool {
	e.conns.Hold(!e.memory.Room(connectionMemory))
	return e.conns.TryAcquire(ip)
}

// found tells the loop an address. While memory is short, it tells only few: each address
// is kept, and a large seeder has thousands of torrents.
func (t *Torrent) found(src book.Source, addr netip.AddrPort) {
	if t.engine.blocked.refuses(addr.Addr()) {
		return
	}
	if t.heard.Add(1) > foundFew && !t.engine.memory.Room(0) {
		return
	}
	if src != book.SourceLSD {
		t.engine.relays.name(time.Now(), addr.Addr())
	}
	t.post(core.Event{Kind: core.Found, Endpoint: endpoint.IP(addr), Source: src})
}

// watchMemory evicts connections while more memory is in use than there should be, until
// ctx ends. What one peer makes us keep is bounded for each peer, but not for all
// together.
func (e *Engine) watchMemory(ctx context.Context) {
	look := time.NewTicker(memoryLook)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if e.conns.Used() == 0 || !e.memory.Over() {
			continue
		}
		e.conns.Hold(true)
		if !e.evictUseless(nil) {
			e.dropHeaviest()
			continue
		}
		for n := 1; n < evictedMax && e.memory.Over() && e.evictUseless(nil); n++ {
		}
	}
}

// dropHeaviest closes the connection for which most bytes are kept, if they are many.
func (e *Engine) dropHeaviest() {
	var worst *link
	most := int64(inboxMax)
	for _, t := range e.Torrents() {
		heaviest := make(chan *link, 1)
		if !t.ask(func(time.Time) { heaviest <- t.loop.heaviest() }) {
			continue
		}
		if l := <-heaviest; l != nil && l.kept() > most {
			worst, most = l, l.kept()
		}
	}
	if worst != nil {
		worst.stream.Close(dropped{core.ReasonEvicted})
	}
}

// heaviest returns the link to a peer for which most bytes are kept, or nil without any.
func (l *loop) heaviest() (worst *link) {
	for _, x := range l.links {
		if x.peer != nil && (worst == nil || x.kept() > worst.kept()) {
			worst = x
		}
	}
	return worst
}

// kept returns how many bytes wait to be sent to the peer of l.
func (l *link) kept() int64 { return int64(l.peer.Backlog()) }
