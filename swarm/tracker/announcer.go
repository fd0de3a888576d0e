package tracker

import (
	"cmp"
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
	// StopTimeout bounds how long Close takes: four trips of a UDP announce to a
	// tracker at the other end of the world, and half of the time in which the
	// whole program has to stop, so that a dead tracker does not use up all of it.
	// A tracker that is not told of our end forgets us after a while.
	StopTimeout = time.Second
	// closeGrace is the part of StopTimeout in which running announces may end. A
	// user who quits right after completing a torrent thus still announces both.
	closeGrace = StopTimeout / 4
	// GroupsMax bounds how many trackers of one torrent are asked at a time.
	// Further tiers of a torrent are ignored.
	GroupsMax = 32
	// wantDefault is how many peers we ask for. Most trackers give no more, and no
	// more fit one datagram over IPv4.
	wantDefault = 200
	// portNone is announced by those whom nobody can connect to: behind a proxy, or before
	// there is a port. BEP 3 and BEP 15 have no word for that. Trackers refuse an announce
	// without a port, many also the port 0, and nobody listens at 1; libtorrent says the same.
	// The local port would be a lie which peers dial at the proxy, and which tells one user
	// from the others there.
	portNone = 1
	// hashesMax bounds the info-hashes of one torrent. A hybrid has two (BEP 52).
	hashesMax = 2
)

// Stats are the numbers of an announce, in bytes. Uploaded and Downloaded count
// from when the Announcer was made.
type Stats struct {
	Uploaded   int64
	Downloaded int64
	// Left counts the missing bytes of the whole torrent, wanted or not. It is
	// negative while unknown.
	Left int64
	// Idle reports that nothing more is wanted. With Left > 0 we are then a partial
	// seed (BEP 21).
	Idle bool
}

// Config describes an Announcer.
type Config struct {
	Client *Client
	PeerID [20]byte
	// Tiers are the trackers of the torrent (BEP 12). All tiers are asked at the
	// same time, and the trackers of a tier one after another until one answers.
	// By BEP 12 a tier would wait until all earlier tiers have failed, but people
	// list trackers of different swarms in different tiers, and other clients ask
	// all tiers.
	Tiers [][]Tracker
	// Private asks one tracker at a time, tier after tier, as BEP 27 demands for
	// private torrents.
	Private bool
	// Stats returns the numbers of an announce. It is called by several goroutines
	// at a time and must not block. May be nil: then no bytes were transferred and
	// Left is unknown. While Left is unknown, we announce one missing byte unless
	// we are a seed.
	Stats func() Stats
	// Port returns the port to announce over IPv4, or over IPv6, in place of that of Peers; 0
	// stands for that. It must not block. May be nil. A change is announced by Moved.
	Port func(ipv6 bool) uint16
	// External is called with our address as a tracker sees it (BEP 24). It must
	// not block. May be nil.
	External func(netip.Addr)
	// Changed is called when what Trackers returns has changed. It must not block, nor
	// call the Announcer. May be nil.
	Changed func()
	// Logger gets the warnings of trackers, and failures. May be nil.
	Logger *slog.Logger
}

// changed calls Changed.
func (c *Config) changed() {
	if c.Changed != nil {
		c.Changed()
	}
}

// An Announcer keeps one torrent announced, under each of its info-hashes, from
// the first call of Peers to Close. Its methods are safe for concurrent use.
type Announcer struct {
	cfg      Config
	key      uint32
	announce announceFunc
	scrape   scrapeFunc   // may be nil
	refused  *refusals    // shared by all torrents
	refusals atomic.Int32 // warnings about trackers that are not asked

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	asking context.Context // of the groups' announces
	abort  context.CancelFunc
	wait   sync.WaitGroup // the groups' goroutines

	watched atomic.Int64 // when Trackers was called last, in Unix nanoseconds

	mu        sync.Mutex
	tiers     [][]Tracker
	report    Report
	swarms    map[metainfo.Hash]*swarmAnnounce // at most hashesMax
	paused    bool
	stale     bool // groups may not fit the tiers
	arranging bool // a goroutine makes them fit
	closed    bool
}

// A swarmAnnounce keeps the torrent announced under one of its info-hashes, each of
// which has a swarm of its own.
type swarmAnnounce struct {
	a      *Announcer
	hash   metainfo.Hash
	groups []*tierGroup // guarded by Announcer.mu
	found  *found
	// leaving says, by URL, when a tracker has been told that we have stopped. Guarded by
	// Announcer.mu; nil if no tracker was left.
	leaving map[string]<-chan struct{}

	calls   atomic.Uint64 // counts calls of Peers after the first
	demands atomic.Uint64 // counts calls of Reannounce
	moves   atomic.Uint64 // counts changes of our own address

	mu   sync.Mutex
	port uint16 // guarded by mu
	seed bool   // guarded by mu
}

// NewAnnouncer returns an Announcer that has not announced anything yet. The caller
// must close it.
func NewAnnouncer(cfg Config) *Announcer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Announcer{
		cfg: cfg, key: rand.Uint32(), swarms: make(map[metainfo.Hash]*swarmAnnounce),
		tiers: cfg.Tiers, refused: new(refusals),
	}
	if cfg.Client != nil {
		a.announce, a.scrape, a.refused = cfg.Client.Announce, cfg.Client.Scrape,
			&cfg.Client.refused
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.asking, a.abort = context.WithCancel(context.Background())
	return a
}

// Peers announces us as a peer of ih, an info-hash of the torrent, at port; with seed
// as one that has everything. It yields the peers that trackers name, until ctx is
// done or the Announcer is closed. A further call of Peers for ih means that the
// arguments have changed or that more peers are wanted: trackers are then asked
// again as soon as they allow it. The swarm stays announced between two calls. No
// torrent has three info-hashes, so a third one is not announced.
func (a *Announcer) Peers(ctx context.Context, ih metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		p := a.update(ih, port, seed)
		if p == nil {
			return
		}
		defer p.found.leave()
		for ctx.Err() == nil {
			if addr, ok := p.found.take(); ok {
				if !yield(addr) {
					return
				}
				continue
			}
			select {
			case <-p.found.news:
			case <-ctx.Done():
			case <-a.ctx.Done():
				return
			}
		}
	}
}

// update sets what is announced for ih from now on, and starts its groups the first
// time. It returns nil if ih is not announced.
func (a *Announcer) update(ih metainfo.Hash, port uint16, seed bool) *swarmAnnounce {
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
		p = &swarmAnnounce{a: a, hash: ih, found: newFound(),
			port: port, seed: seed}
		p.groups = groupTiers(p, a.tiers, a.cfg.Private)
		a.swarms[ih] = p
		for _, g := range p.groups {
			g.start()
		}
		return p
	}
	p.renew(port, seed)
	return p
}

// renew sets what is announced and wakes the groups. a.mu is held.
func (p *swarmAnnounce) renew(port uint16, seed bool) {
	p.mu.Lock()
	p.port, p.seed = port, seed
	p.mu.Unlock()
	p.calls.Add(1)
	p.wake()
}

// wake makes the groups look at what has changed. a.mu is held.
func (p *swarmAnnounce) wake() {
	for _, l := range p.groups {
		select {
		case l.wake <- struct{}{}:
		default: // an earlier wake-up is still pending
		}
	}
}

// Moved announces to every tracker at once, because our own address has changed and
// trackers have the old one.
func (a *Announcer) Moved() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.swarms {
		p.moves.Add(1)
		p.wake()
	}
}

// SetPort announces another port from now on, at once if a tracker knows us by the old one.
func (a *Announcer) SetPort(port uint16) {
	if port == 0 {
		port = portNone
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.swarms {
		if was, seed := p.announced(); was != port {
			p.renew(port, seed)
		}
	}
}

// announced returns what the last renew set.
func (p *swarmAnnounce) announced() (port uint16, seed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port, p.seed
}

// now returns what to announce at this moment.
func (p *swarmAnnounce) now() (port uint16, stats Stats) {
	port, seed := p.announced()
	stats.Left = -1
	if p.a.cfg.Stats != nil {
		stats = p.a.cfg.Stats()
	}
	if stats.Left < 0 {
		// Before the metadata is known Left is unknown, but 0 would make us a
		// seed.
		if stats.Left = 1; seed {
			stats.Left = 0
		}
	}
	return port, stats
}

// Close announces to all trackers that know us that we have stopped. A tracker that
// has not been told of a completed download is told before. Close ends the Announcer
// and takes at most StopTimeout.
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
	for _, p := range a.swarms { // nobody else uses the map of a closed Announcer
		for _, g := range p.groups {
			for _, r := range g.trackers() {
				for _, family := range r.knows() {
					stopping.Go(func() { p.stop(ctx, r, family) })
				}
			}
		}
	}
	stopping.Wait()
	a.mu.Lock()
	for _, l := range a.listing() {
		for _, v := range l.views {
			v.asking, v.next = false, time.Time{}
		}
	}
	a.mu.Unlock()
	a.cfg.changed()
}

// stop announces to one tracker that we have stopped.
func (p *swarmAnnounce) stop(ctx context.Context, r *trackerState, family guard.Family) {
	port, stats := p.now()
	events := []Event{Stopped}
	if r.event(family, stats) == Completed {
		events = []Event{Completed, Stopped}
	}
	for _, event := range events {
		if _, err := p.a.announce(ctx, r.tracker, p.request(r, p.portIn(r, family, port), stats,
			event), family); err != nil {
			p.a.cfg.Logger.Debug("tracker was not told that we stopped", "tracker", r.tracker,
				"err", err)
		}
	}
}

// portIn returns the port to announce to the tracker of r in a family, given that of Peers. A
// proxy has none, nor has the other end of a name that a proxy looks up.
func (p *swarmAnnounce) portIn(r *trackerState, family guard.Family, port uint16) uint16 {
	if p.a.cfg.Port == nil || port == portNone {
		return port
	}
	ipv6 := family == guard.IPv6
	if ip, err := netip.ParseAddr(r.tracker.url.Hostname()); err == nil {
		ipv6 = !ip.Unmap().Is4()
	} else if family == guard.Any {
		return port
	}
	return cmp.Or(p.a.cfg.Port(ipv6), port)
}

// request returns an announce to the tracker of r.
func (p *swarmAnnounce) request(r *trackerState, port uint16, stats Stats, event Event) Request {
	want := wantDefault
	if event == Stopped {
		want = 0
	}
	if port == 0 {
		port = portNone
	}
	return Request{
		InfoHash: p.hash, PeerID: p.a.cfg.PeerID, Key: p.a.key, TrackerID: r.id,
		Port: port, Event: event, Want: want,
		Uploaded: max(stats.Uploaded, 0), Downloaded: max(stats.Downloaded, 0), Left: stats.Left,
	}
}
