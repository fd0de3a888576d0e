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
	// torrentMemory is what a torrent takes at rest, with all its goroutines, and
	// connectionMemory what a connection does, in bytes.
	torrentMemory    = 32 << 10
	connectionMemory = 24 << 10
	// fileMemory and pieceMemory are what a torrent takes for each of its files and
	// pieces besides what is known of them.
	fileMemory  = 64
	pieceMemory = 32
	// foundFew is how many addresses each torrent may hear of when memory is short.
	foundFew = 50
	// memoryLook is the time between two looks at the memory in use, and evictedMax
	// how many connections have to go at a time.
	memoryLook = time.Second
	evictedMax = 8
)

// Bears reports whether there is memory for one more torrent, without which Add fails;
// info is nil if it is not known yet.
func (e *Engine) Bears(info *metainfo.Info) bool {
	need := int64(torrentMemory)
	if info != nil {
		l := info.Layout()
		need += fileMemory*int64(len(l.Files)) + pieceMemory*int64(l.Pieces())
	}
	return e.memory.Room(need)
}

// takePlace takes a place for a connection with ip if there is one. While memory is
// short, there is one only in place of another.
func (e *Engine) takePlace(ip netip.Addr) bool {
	e.conns.Hold(!e.memory.Room(connectionMemory))
	return e.conns.TryAcquire(ip)
}

// found tells the loop of an address. While memory is short, it is told of few: each
// is remembered, and a large seeder has thousands of torrents.
func (t *Torrent) found(src book.Source, addr netip.AddrPort) {
	if t.heard.Add(1) > foundFew && !t.engine.memory.Room(0) {
		return
	}
	t.post(core.Event{Kind: core.Found, Endpoint: endpoint.IP(addr), Source: src})
}

// watchMemory has connections end while more memory is in use than there should be,
// until ctx ends: what peers have us remember and keep for them is bounded for each,
// but not for all.
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

// dropHeaviest ends the connection for which most bytes are kept, if they are many.
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

// heaviest returns the link to a peer for which most bytes are kept, nil if there
// is none.
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
