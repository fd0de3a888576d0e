package tracker

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

const (
	// StopTimeout bounds how long Close takes: time for the four ways of an
	// announce over UDP to a tracker at the other end of the world, and half of
	// what the whole program has to stop in, so that a tracker that is down
	// leaves the rest its time. One that does not hear of our end finds out by
	// itself.
	StopTimeout = time.Second
	// closeGrace is the part of it in which announces that are under way may end: who
	// completes a torrent and goes would otherwise tell nobody of either.
	closeGrace = StopTimeout / 4
	// LaddersMax bounds how many trackers of one torrent are asked at a time.
	// What a torrent has beyond is left out.
	LaddersMax = 32
	// foundMax bounds the peers that wait to be taken. The oldest go first.
	foundMax = 2 * PeersMax
	// wantDefault is how many peers are asked for: what most trackers give at
	// most, and what fits one datagram over IPv4.
	wantDefault = 200
	// portNone stands for "no port" in an announce. Trackers refuse 0.
	portNone = 1
	// hashesMax bounds the info-hashes of one torrent: a hybrid has two (BEP 52).
	hashesMax = 2
)

// Stats are the numbers of an announce, in bytes. Uploaded and Downloaded count
// from when the Announcer was made.
type Stats struct {
	Uploaded   int64
	Downloaded int64
	// Left is what is missing of the whole torrent, wanted or not; negative while it
	// is not known.
	Left int64
	// Idle tells that nothing more is wanted. If something is missing that makes us a
	// partial seed (BEP 21).
	Idle bool
}

// Config describes an Announcer.
type Config struct {
	Client *Client
	PeerID [20]byte
	// Tiers are the trackers of the torrent (BEP 12). Each tier is asked at the
	// same time as the others, and its trackers one after the other until one
	// answers: BEP 12 has later tiers wait for the failure of earlier ones,
	// but people list trackers of different swarms in tiers of their own, and
	// clients in use ask them all.
	Tiers [][]Tracker
	// Private keeps to one tracker at a time, tier after tier, as BEP 27
	// demands of private torrents.
	Private bool
	// Stats is asked for the numbers of each announce, by several goroutines
	// at a time. It must not block. Nil means that they are not known: nothing
	// was moved. Until it is known what is missing, it is one byte to whoever is no
	// seed.
	Stats func() Stats
	// External is told our address as a tracker sees it (BEP 24). It must not
	// block. May be nil.
	External func(netip.Addr)
	// Logger takes what trackers want said, and failures at debug level. None
	// if nil.
	Logger *slog.Logger
}

// An Announcer keeps one torrent announced, under each of its info-hashes, from
// the first call of Peers to Close. Its methods are safe for concurrent use.
type Announcer struct {
	cfg      Config
	key      uint32
	announce announceFunc
	refused  *refusals    // those of all torrents
	refusals atomic.Int32 // told of

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	asking context.Context // of the announces of the ladders
	abort  context.CancelFunc
	wait   sync.WaitGroup // the ladders

	mu       sync.Mutex
	verdicts map[string]verdict          // by URL
	swarms   map[metainfo.Hash]*presence // at most hashesMax
	closed   bool
}

// A presence is the torrent under one of its info-hashes: a swarm of its own.
type presence struct {
	*Announcer
	hash    metainfo.Hash
	ladders []*ladder
	found   chan netip.AddrPort

	moves atomic.Uint64 // of our own address

	told sync.Mutex
	port uint16
	seed bool
}

// NewAnnouncer returns an Announcer that has not told anybody yet. It must be
// closed.
func NewAnnouncer(cfg Config) *Announcer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Announcer{
		cfg: cfg, key: rand.Uint32(), swarms: make(map[metainfo.Hash]*presence),
		verdicts: make(map[string]verdict), refused: new(refusals),
	}
	if cfg.Client != nil {
		a.announce, a.refused = cfg.Client.Announce, &cfg.Client.refused
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.asking, a.abort = context.WithCancel(context.Background())
	return a
}

// ladders divides the trackers into those that are asked at the same time. A
// tracker that is named twice is asked once.
func ladders(a *presence, tiers [][]Tracker, private bool) []*ladder {
	seen := make(map[string]bool)
	var all [][]*rung
	for _, tier := range tiers {
		var rungs []*rung
		for _, t := range tier {
			if t.url != nil && !seen[t.url.String()] {
				seen[t.url.String()] = true
				rungs = append(rungs, &rung{tracker: t})
			}
		}
		// BEP 12
		rand.Shuffle(len(rungs), func(i, j int) { rungs[i], rungs[j] = rungs[j], rungs[i] })
		if len(rungs) > 0 {
			all = append(all, rungs)
		}
	}
	if private {
		if len(all) == 0 {
			return nil
		}
		return []*ladder{newLadder(a, all)}
	}
	var each []*ladder
	for _, rungs := range all[:min(len(all), LaddersMax)] {
		each = append(each, newLadder(a, [][]*rung{rungs}))
	}
	return each
}

// Peers announces that the swarm of ih, an info-hash of the torrent, has a peer
// at our address and port, which has everything if seed is set, and yields the
// peers that trackers name, until ctx or the Announcer ends. To be asked again
// means that something changed, or that more peers are wanted soon: then
// trackers are asked again as soon as they allow it. The swarm stays announced
// between one round and the next. Of a third info-hash an Announcer says
// nothing, for no torrent has three.
func (a *Announcer) Peers(ctx context.Context, ih metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		p := a.tell(ih, port, seed)
		if p == nil {
			return
		}
		for ctx.Err() == nil {
			select {
			case addr := <-p.found:
				if !yield(addr) {
					return
				}
			case <-ctx.Done():
			case <-a.ctx.Done():
				return
			}
		}
	}
}

// tell hands the ladders what is to be announced from now on. It returns nil
// for what will not be announced.
func (a *Announcer) tell(ih metainfo.Hash, port uint16, seed bool) *presence {
	if port == 0 {
		port = portNone
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.swarms[ih]
	switch {
	case a.closed, p == nil && len(a.swarms) >= hashesMax:
		return nil
	case p == nil:
		p = &presence{Announcer: a, hash: ih, found: make(chan netip.AddrPort, foundMax),
			port: port, seed: seed}
		p.ladders = ladders(p, a.cfg.Tiers, a.cfg.Private)
		a.swarms[ih] = p
		for _, l := range p.ladders {
			a.wait.Go(l.run)
		}
		return p
	}
	p.renew(port, seed)
	return p
}

// renew tells the ladders that something changed.
func (p *presence) renew(port uint16, seed bool) {
	p.told.Lock()
	p.port, p.seed = port, seed
	p.told.Unlock()
	p.wake()
}

// wake has the ladders look at what is to be announced.
func (p *presence) wake() {
	for _, l := range p.ladders {
		select {
		case l.wake <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// Moved tells every tracker again where we are, at once: our own address has
// changed, so what they have said of us is wrong.
func (a *Announcer) Moved() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.swarms {
		p.moves.Add(1)
		p.wake()
	}
}

// now returns what is to be announced.
func (p *presence) now() (port uint16, stats Stats) {
	p.told.Lock()
	port, seed := p.port, p.seed
	p.told.Unlock()
	stats.Left = -1
	if p.cfg.Stats != nil {
		stats = p.cfg.Stats()
	}
	if stats.Left < 0 {
		// Before the metadata is known nobody knows what is missing, but 0
		// would make us a seed.
		if stats.Left = 1; seed {
			stats.Left = 0
		}
	}
	return port, stats
}

// Close tells the trackers that know of us that we have stopped, and before that
// that we have everything if they do not know yet, and ends the Announcer, within
// StopTimeout.
func (a *Announcer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
	defer cancel()
	a.mu.Lock()
	closed := a.closed
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	grace := time.AfterFunc(closeGrace, a.abort)
	a.wait.Wait()
	grace.Stop()
	a.abort()
	if closed {
		return
	}
	var stopping sync.WaitGroup
	for _, p := range a.swarms { // complete, and ours alone: a is closed
		for _, l := range p.ladders {
			for _, r := range l.rungs() {
				for _, family := range r.knows() {
					stopping.Go(func() { p.stop(ctx, r, family) })
				}
			}
		}
	}
	stopping.Wait()
}

// stop tells one tracker that we have stopped.
func (p *presence) stop(ctx context.Context, r *rung, family guard.Family) {
	port, stats := p.now()
	events := []Event{Stopped}
	if r.event(family, stats) == Completed {
		events = []Event{Completed, Stopped}
	}
	for _, event := range events {
		if _, err := p.announce(ctx, r.tracker, p.request(r, port, stats, event),
			family); err != nil {
			p.cfg.Logger.Debug("tracker did not hear of our end", "tracker", r.tracker, "err", err)
		}
	}
}

// request returns an announce to the tracker of r.
func (p *presence) request(r *rung, port uint16, stats Stats, event Event) Request {
	want := wantDefault
	if event == Stopped {
		want = 0
	}
	return Request{
		InfoHash: p.hash, PeerID: p.cfg.PeerID, Port: port, Event: event, Want: want, Key: p.key,
		Uploaded: max(stats.Uploaded, 0), Downloaded: max(stats.Downloaded, 0), Left: stats.Left,
		TrackerID: r.id,
	}
}

// offer hands peers on, and makes room for them if nobody takes any.
func (p *presence) offer(peers []netip.AddrPort) {
	for _, addr := range peers {
		for {
			select {
			case p.found <- addr:
			default:
				select {
				case <-p.found:
				default:
				}
				continue
			}
			break
		}
	}
}
