package swarm

import (
	"math/rand/v2"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/wire"
)

// batchMax bounds how many events the loop takes before it carries out the actions that
// follow from them.
const batchMax = 256

// A loop is the part of a torrent that only its goroutine touches.
type loop struct {
	t       *Torrent // whose goroutine it is
	core    *core.Torrent
	store   *storage.Store // nil before InfoReady, and of a torrent that is MetadataOnly
	pieces  int            // of the torrent, 0 before InfoReady
	links   map[core.PeerRef]*link
	touched []*link // with pending uploads
	actions []core.Action
	batch   []core.Event // the events that are being taken
	timer   *time.Timer
	wait    sync.WaitGroup // children: dials, connections, opening of storage

	lastRef      core.PeerRef
	externalSeen externalSeen
	relaysSeen   relaysSeen
	sequential   bool // the user wants pieces in order
	publisher    publisher
	totals       totalsKeeper
	content      content
	recheck      recheck
	wish         wish
	search       search
	trackers     *trackers // the torrent's
	sourceless   sourceless
	known        peerKeeper
}

// newLoop returns the loop of t, and starts what the torrent does first.
func newLoop(t *Torrent, info *metainfo.Info) *loop {
	l := &loop{
		t: t,
		core: core.New(time.Now(), core.Config{
			InfoHash: t.hash, HashV2: t.names.get().v2, PeerID: t.peerID,
			Client: t.engine.cfg.Client, Port: t.engine.Addr().Port(),
			Seed: rand.Uint64(), SuperSeed: t.spec.SuperSeed, MetadataOnly: t.spec.MetadataOnly,
			Private: info != nil && info.Private(), PeersOnly: t.spec.PeersOnly,
			Home: t.engine.home, NoPEX: t.engine.limits.pexOff(),
			// Requested blocks must find buffers when they come, and some buffers are
			// left for blocks that are being written.
			Limits: core.Limits{
				RequestsMax: t.engine.blocks.Cap() * 3 / 4, MetadataMax: t.engine.cfg.MemoryMax,
				PeersMax: t.engine.limits.peersOf(t.limits.get()),
			},
		}),
		links:      make(map[core.PeerRef]*link),
		sequential: t.spec.Sequential,
		trackers:   &t.trackers,
		search:     newSearch(t.hashes(), t.engine.Addr().Port(), t.found),
	}
	l.search.pollBy(&t.engine.polls)
	now := time.Now()
	l.knowPublicPorts(now)
	t.handle.start(now, l.totals.start(t, now))
	if t.spec.Paused {
		l.core.Step(time.Now(), core.Event{Kind: core.Paused})
		l.search.pause()
	}
	// The first announcement tells trackers what is missing, so it waits for the check
	// of the content on disk. For a magnet link nobody knows what is missing.
	held := info != nil && !t.spec.Complete && !t.spec.MetadataOnly
	l.search.setSources(l.findSources(info), held)
	if info != nil {
		l.startOpening(func() { l.open(info) })
	}
	t.findWebSeeds()
	l.startPeers()
	if len(t.spec.Peers)+len(t.spec.Magnet.Peers) > 0 {
		l.wait.Go(l.resolvePeers)
	}
	return l
}

// run is the goroutine of the torrent. It ends when ctx is done and everything that it
// started has ended.
func (l *loop) run() {
	defer close(l.t.ended)
	defer l.t.limits.end(l.t.engine)
	now := time.Now()
	l.timer = time.NewTimer(0)
	l.search.start(l.t.ctx, now, l.t.spec.Complete)
	defer l.trackers.leave()
	for l.t.ctx.Err() == nil {
		select {
		case <-l.t.mail.arrived():
			if l.t.ctx.Err() != nil {
				continue // the connections have ended; their peers must still be saved
			}
			now = time.Now()
			l.takeMail(now)
		case link := <-l.t.joins:
			now = time.Now()
			l.accept(now, link)
		case f := <-l.t.asks:
			now = time.Now()
			f(now)
		case <-l.timer.C:
			now = time.Now()
			l.core.Step(now, core.Event{Kind: core.Tick})
		case <-l.t.ctx.Done():
			continue
		}
		l.learnExternal()
		l.learnRelays(now)
		l.act(now)
		l.updateTrackers()
		l.show(now)
		l.keepTotals(now)
		l.keepPeers(now)
		l.setTimer(now)
	}
	l.end()
}

// setStore sets the open storage, nil for a torrent that is MetadataOnly, and tells the
// streams the number of pieces.
func (l *loop) setStore(store *storage.Store, pieces int) {
	l.store, l.pieces = store, pieces
	for _, link := range l.links {
		link.stream.SetPieces(pieces)
	}
	l.t.files.open(store)
	l.t.readers.tell()
}

// step gives an event to the core, after the loop itself has taken note of it.
func (l *loop) step(now time.Time, e *core.Event) {
	switch e.Kind {
	case core.Closed:
		if link := l.links[e.Peer]; link != nil {
			l.t.log.Debug("closed", "peer", link.shown(), "transport", link.transport(), "err",
				e.Err)
		}
		delete(l.links, e.Peer)
		l.peersChanged(now)
		l.t.changed(ChangedPeers)
	case core.DialFailed:
		l.peersChanged(now)
	case core.Received:
		if link := l.links[e.Peer]; link != nil {
			link.inbox.take(link.account, len(e.Msg.Payload))
		}
	case core.StorageFailed:
		l.recheck.verified()
		l.onFault(e.Err)
	case core.Failed:
		l.recheck.verified()
	case core.Verified:
		l.recheck.verified()
		l.t.readers.tell()
	}
	l.core.Step(now, *e)
	switch e.Kind {
	case core.Failed, core.StorageFailed:
		l.missed(now)
	case core.Verified:
		l.completeBesideReaders(now)
	}
}

// takeMail takes all events that wait, and carries out the actions after each batch of
// them but the last.
func (l *loop) takeMail(now time.Time) {
	l.batch = l.t.mail.take(l.batch)
	for i := range l.batch {
		if i > 0 && i%batchMax == 0 {
			l.act(now)
			now = time.Now()
		}
		l.step(now, &l.batch[i])
	}
	clear(l.batch) // drop the references
	if len(l.links) == 0 && cap(l.batch) > eventsKept {
		l.batch = nil
		l.t.mail.shrink()
	}
}

// setSequential makes pieces be fetched in order, or the rarest first.
func (l *loop) setSequential(on bool) {
	l.sequential = on
	l.core.SetSequential(on) // which forgets it before InfoReady
}

// setLimits sets the limits of the torrent.
func (l *loop) setLimits(now time.Time, limits Limits) {
	l.t.limits.set(l.t.engine, limits)
	l.limitPeers(now)
}

// setTimer has the loop wake up at the next deadline of the core, or when its state is to
// be published.
func (l *loop) setTimer(now time.Time) {
	next := l.core.NextTick()
	for _, at := range [...]time.Time{l.nextState(), l.totals.next(), l.nextPeers()} {
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if !next.IsZero() {
		l.timer.Reset(max(0, next.Sub(now)))
	}
}

// accept makes a link part of the torrent, and starts its stream.
func (l *loop) accept(now time.Time, link *link) {
	if l.turnAway(now, link) {
		return
	}
	ip := link.endpoint.Host()
	if link.stream == nil && !link.place.isTaken() && !l.t.engine.takePlace(ip) {
		if l.awaitPlace(link) {
			return
		}
		link.conn.Close()
		if link.outgoing {
			l.core.Step(now, core.Event{Kind: core.DialPutOff, Endpoint: link.endpoint})
		}
		return
	}
	l.lastRef++
	isPeer := link.stream == nil
	link.begin(l.lastRef, l.pieces)
	l.links[link.ref] = link
	l.peersChanged(now)
	l.t.changed(ChangedPeers)
	l.t.log.Debug("connected", "peer", link.shown(), "transport", link.transport(), "outgoing",
		link.outgoing)
	l.core.Step(now, core.Event{
		Kind: core.Connected, Peer: link.ref, Endpoint: link.endpoint, Hello: &link.hello,
		Outgoing: link.outgoing, Encrypted: link.encrypted, Transport: link.over,
		Count: link.relayPort(),
	})
	if port := l.t.engine.Addr().Port(); port != 0 && l.t.engine.hasDHT.Load() &&
		!l.t.private() && link.hello.Reserved.Has(wire.FeatureDHT) {
		l.act(now) // the bitfield comes before every other message (BEP 3)
		link.stream.Send(wire.Message{ID: wire.Port, Port: port})
	}
	l.wait.Go(func() {
		if isPeer {
			defer l.t.engine.conns.Release(ip)
		}
		link.stream.Run(l.t.ctx)
	})
}

// act carries out the actions of the core.
func (l *loop) act(now time.Time) {
	l.actions = l.core.Actions(l.actions[:0])
	for i := range l.actions {
		l.perform(now, &l.actions[i])
	}
	clear(l.actions) // drop the references
	for _, link := range l.touched {
		link.flush(l.store)
	}
	clear(l.touched)
	l.touched = l.touched[:0]
}

// perform carries out one action.
func (l *loop) perform(now time.Time, a *core.Action) {
	switch a.Kind {
	case core.Dial:
		to, told := a.Endpoint, a.Told
		if told == limit.Introduced && l.t.engine.dialer.hasten(l.t, to) {
			break
		}
		first := l.t.engine.firstBy(to.Host(), a.Transport, l.core.Totals().Done)
		l.wait.Go(func() { l.dial(to, told, first) })
	case core.Send:
		if link := l.links[a.Peer]; link != nil {
			link.stream.Send(a.Msg)
		}
	case core.Answer:
		if link := l.links[a.Peer]; link != nil && link.peer != nil {
			link.peer.SendAnswer(a.Msg, a.Info)
		}
	case core.Upload:
		if link := l.links[a.Peer]; link != nil && link.peer != nil {
			if link.pending.empty() {
				l.touched = append(l.touched, link)
			}
			link.upload(a.Ref, l.store)
		}
	case core.Drop:
		l.drop(now, a)
	case core.Store:
		l.store.Write(a.Ref, a.Buf)
	case core.Verify:
		l.recheck.verify()
		l.store.Verify(a.Ref.Piece)
	case core.Discard:
		a.Buf.Release()
	case core.Distrust:
		l.distrust(a)
	case core.UseInfo:
		l.useInfo(a.Info)
	case core.HashBlocks:
		piece := a.Ref.Piece
		l.wait.Go(func() { l.hashBlocks(piece) })
	case core.WantPeers:
		l.search.more(l.t.ctx, now)
	case core.Seek:
		l.search.seek(l.t.ctx, now)
	case core.Complete:
		l.complete(now)
	}
}

// drop closes a connection, and bans its host from all torrents if the core says so.
func (l *loop) drop(now time.Time, a *core.Action) {
	link := l.links[a.Peer]
	if link == nil {
		return
	}
	if !a.Ban {
		link.stream.Close(dropped{a.Reason})
		return
	}
	switch e := l.t.engine; {
	case link.endpoint.IsWebSeed(): // no other peer could come from the same host
	case link.over == endpoint.TransportRelay:
		e.relays.ban(now, link.endpoint.Host())
	default:
		e.bans.ban(now, link.endpoint.Host())
	}
	link.stream.Close(banned{dropped{a.Reason}})
}

// dropped is the error of a connection that the core ended.
type dropped struct{ reason core.Reason }

func (d dropped) Error() string { return "dropped: " + d.reason.String() }

// by reports whether the core ended the connection for that reason.
func (d dropped) by(reason core.Reason) bool { return d.reason == reason }

// banned is the error of a connection whose peer must not come back.
type banned struct{ dropped }

// takeLastMail takes the events that came before everything ended, so that trackers are
// told exactly what was sent and received.
func (l *loop) takeLastMail() {
	now, received := time.Now(), int64(0)
	for _, e := range l.t.mail.take(nil) {
		switch e.Kind {
		case core.Sent:
			l.core.Step(now, e)
		case core.ReceivedBlock:
			received += int64(e.Ref.Length)
		}
		e.Buf.Release()
	}
	l.updateTrackers()
	l.trackers.addReceived(received)
}

// end waits for the children of the loop, and closes the storage.
func (l *loop) end() {
	l.timer.Stop()
	l.tellSourceless()
	l.search.stop()
	l.t.savePeers(l.core.Known(peerCacheMax))
	l.wait.Wait()
	l.search.join()
	l.takeLastMail()
	l.publish(time.Now())
	l.totals.save(l.t)
	var err error
	if l.store != nil {
		err = l.store.Close()
	}
	for drained := false; !drained; {
		select {
		case link := <-l.t.joins:
			link.abandon()
		default:
			drained = true
		}
	}
	l.t.departure.end(l.t.leave)
	l.t.handle.end(err)
}
