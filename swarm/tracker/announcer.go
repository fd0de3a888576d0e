package tracker

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"swarmnode/metainfo"
)

const (
	// StopTimeout bounds how long Close takes: time for the four ways of an
	// announce over UDP to a tracker at the other end of the world, and half of
	// what the whole program has to stop in, so that a tracker that is down
	// leaves the rest its time. One that does not hear of our end finds out by
	// itself.
	StopTimeout = time.Second
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
)

// Stats are the numbers of an announce, in bytes. Uploaded and Downloaded count
// from when the Announcer was made.
type Stats struct {
	Uploaded   int64
	Downloaded int64
	Left       int64
}

// Config describes an Announcer.
type Config struct {
	Client   *Client
	InfoHash metainfo.Hash
	PeerID   [20]byte
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
	// at a time. It must not block. Nil means that they are not known: nothing was moved, and one byte is
	// missing to whoever is no seed.
	Stats func() Stats
	// External is told our address as a tracker sees it (BEP 24). It must not
	// block. May be nil.
	External func(netip.Addr)
	// Logger takes what trackers want said, and failures at debug level. None
	// if nil.
	Logger *slog.Logger
}

// An Announcer keeps one torrent announced, from the first call of Peers to
// Close. Its methods are safe for concurrent use.
type Announcer struct {
	cfg      Config
	key      uint32
	announce announceFunc
	ladders  []*ladder
	found    chan netip.AddrPort

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	port    uint16
	seed    bool
	running bool
	closed  bool
}

// NewAnnouncer returns an Announcer that has not told anybody yet. It must be
// closed.
func NewAnnouncer(cfg Config) *Announcer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("torrent", cfg.InfoHash.Short())
	a := &Announcer{cfg: cfg, key: rand.Uint32(), found: make(chan netip.AddrPort, foundMax)}
	if cfg.Client != nil {
		a.announce = cfg.Client.Announce
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.ladders = ladders(a, cfg.Tiers, cfg.Private)
	return a
}

// ladders divides the trackers into those that are asked at the same time. A
// tracker that is named twice is asked once.
func ladders(a *Announcer, tiers [][]Tracker, private bool) []*ladder {
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
		rand.Shuffle(len(rungs), func(i, j int) { rungs[i], rungs[j] = rungs[j], rungs[i] }) // BEP 12
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

// Peers announces that the torrent has a peer at our address and port, which
// has everything if seed is set, and yields the peers that trackers name, until
// ctx or the Announcer ends. To be asked again means that something changed, or
// that more peers are wanted soon: then trackers are asked again as soon as
// they allow it. The torrent stays announced between one round and the next. Of
// any other torrent than its own, ih, an Announcer says nothing.
func (a *Announcer) Peers(ctx context.Context, ih metainfo.Hash, port uint16, seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		if ih != a.cfg.InfoHash || !a.tell(port, seed) {
			return
		}
		for ctx.Err() == nil {
			select {
			case addr := <-a.found:
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

// tell hands the ladders what is to be announced from now on. It reports
// whether the Announcer is still open.
func (a *Announcer) tell(port uint16, seed bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	if port == 0 {
		port = portNone
	}
	a.port, a.seed = port, seed
	if !a.running {
		a.running = true
		for _, l := range a.ladders {
			a.wait.Go(l.run)
		}
		return true
	}
	for _, l := range a.ladders {
		select {
		case l.wake <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
	return true
}

// Close tells the trackers that know of us that we have stopped, and ends the
// Announcer, within StopTimeout.
func (a *Announcer) Close() {
	a.mu.Lock()
	closed := a.closed
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.wait.Wait()
	if closed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
	defer cancel()
	port, seed := a.told()
	var stopping sync.WaitGroup
	for _, l := range a.ladders {
		for _, r := range l.rungs() {
			for _, family := range r.knows() {
				stopping.Go(func() {
					if _, err := a.announce(ctx, r.tracker, a.request(r, port, seed, Stopped), family); err != nil {
						a.cfg.Logger.Debug("tracker did not hear of our end", "tracker", r.tracker, "err", err)
					}
				})
			}
		}
	}
	stopping.Wait()
}

// told returns what is to be announced now.
func (a *Announcer) told() (port uint16, seed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.port, a.seed
}

// request returns an announce to the tracker of r.
func (a *Announcer) request(r *rung, port uint16, seed bool, event Event) Request {
	stats := Stats{Left: 1}
	if a.cfg.Stats != nil {
		stats = a.cfg.Stats()
	}
	if seed {
		stats.Left = 0
	} else {
		// Before the metadata is known nobody knows what is missing, but 0
		// would make us a seed.
		stats.Left = max(stats.Left, 1)
	}
	want := wantDefault
	if event == Stopped {
		want = 0
	}
	return Request{
		InfoHash: a.cfg.InfoHash, PeerID: a.cfg.PeerID, Port: port, Event: event, Want: want, Key: a.key,
		Uploaded: max(stats.Uploaded, 0), Downloaded: max(stats.Downloaded, 0), Left: stats.Left, TrackerID: r.id,
	}
}

// offer hands peers on, and makes room for them if nobody takes any.
func (a *Announcer) offer(peers []netip.AddrPort) {
	for _, p := range peers {
		for {
			select {
			case a.found <- p:
			default:
				select {
				case <-a.found:
				default:
				}
				continue
			}
			break
		}
	}
}
