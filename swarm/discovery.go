package swarm

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
)

// A Discovery finds the peers of a swarm and makes us findable there. Implementations are
// safe for concurrent use.
type Discovery interface {
	// Peers announces that the swarm of ih has a peer at our address and port, which has
	// everything if seed is set, and yields the peers that it finds, until ctx ends. It
	// keeps the announcement fresh by itself. Another call means that something changed,
	// or that more peers are wanted soon.
	Peers(ctx context.Context, ih metainfo.Hash, port uint16, seed bool) iter.Seq[netip.AddrPort]
}

const (
	// againMin is the least time between two rounds for more peers. It keeps a torrent
	// that always wants peers from asking the sources without pause.
	againMin = 10 * time.Second
	// endedWait is the pause after a source that ended by itself.
	endedWait = 5 * time.Second
)

// A source is a Discovery, and the name under which the core records its addresses.
type source struct {
	Discovery
	name book.Source
}

// A search runs the sources of one torrent. The torrent loop calls its methods. The search
// owns the goroutines of the sources, and wait waits for them.
type search struct {
	sources []source
	hashes  []metainfo.Hash // the swarms to search
	found   func(book.Source, netip.AddrPort)

	wait   sync.WaitGroup
	round  context.Context    // of the running round
	cancel context.CancelFunc // ends the running round; nil when there is none
	port   uint16
	held   bool // trackers are not asked yet
	paused bool // no round begins
	seed   bool
	asked  time.Time

	leftOut []source // of the running round, because they were switched off
	polls   *poller  // may be nil
}

// newSearch returns a search without sources. It finds peers of the swarms of hashes, and
// found is called with each of them.
func newSearch(hashes []metainfo.Hash, port uint16,
	found func(book.Source, netip.AddrPort)) search {
	return search{hashes: hashes, port: port, found: found}
}

// pollBy makes x poll the DHT in each round.
func (s *search) pollBy(x *poller) { s.polls = x }

// setSources sets the sources, before the first round. If held is set, trackers are left
// out until release.
func (s *search) setSources(sources []source, held bool) { s.sources, s.held = sources, held }

// start ends the running round and begins a new one with every source, unless the search
// is paused.
func (s *search) start(ctx context.Context, now time.Time, seed bool) {
	s.stop()
	s.leftOut = nil
	s.seed, s.asked = seed, now
	if s.paused {
		return
	}
	s.round, s.cancel = context.WithCancel(ctx)
	for _, src := range s.sources {
		if !s.held || src.name != book.SourceTracker {
			s.ask(src)
		}
	}
}

// ask runs a source in the running round, unless the source is switched off.
func (s *search) ask(src source) {
	if src.isOff() {
		s.leftOut = append(s.leftOut, src)
		return
	}
	ctx, port, seed := s.round, s.port, s.seed
	for _, hash := range s.hashes {
		if src.name == book.SourceDHT {
			s.polls.add(ctx, hash, src.Discovery, s.found)
		}
		s.wait.Go(func() {
			s.run(ctx, src, func(from Discovery) iter.Seq[netip.AddrPort] {
				return from.Peers(ctx, hash, port, seed)
			})
		})
	}
}

// add adds a source, and runs it in the running round.
func (s *search) add(src source) {
	s.sources = append(slices.Clip(s.sources), src)
	if s.cancel != nil && (!s.held || src.name != book.SourceTracker) {
		s.ask(src)
	}
}

// release includes the trackers from now on.
func (s *search) release() {
	if !s.held {
		return
	}
	s.held = false
	for _, src := range s.sources {
		if s.cancel != nil && src.name == book.SourceTracker {
			s.ask(src)
		}
	}
}

// rename sets the swarms to search from now on. It begins a new round if they have
// changed.
func (s *search) rename(ctx context.Context, now time.Time, hashes []metainfo.Hash) {
	if slices.Equal(hashes, s.hashes) {
		return
	}
	s.hashes = hashes
	if s.cancel != nil {
		s.start(ctx, now, s.seed)
	}
}

// keepTrackers drops every source that is not a tracker, as private torrents demand (BEP
// 27), and begins a new round with the rest.
func (s *search) keepTrackers(ctx context.Context, now time.Time) {
	s.sources = slices.DeleteFunc(slices.Clone(s.sources), func(src source) bool {
		return src.name != book.SourceTracker
	})
	s.start(ctx, now, s.seed)
}

// move sets the port that sources announce, and begins a new round if it has changed.
func (s *search) move(ctx context.Context, now time.Time, port uint16) {
	if s.port == port {
		return
	}
	s.port = port
	s.restart(ctx, now)
}

// again begins a new round if the last one is old enough, or if we have become a seed or
// are no seed any more.
func (s *search) again(ctx context.Context, now time.Time, seed bool) {
	if s.cancel != nil && (seed != s.seed || now.Sub(s.asked) >= againMin) {
		s.start(ctx, now, seed)
	}
}

// more begins a new round if the last one is old enough, because more peers are wanted.
func (s *search) more(ctx context.Context, now time.Time) { s.again(ctx, now, s.seed) }

// restart begins a new round unless the search was stopped. It reports whether it did.
func (s *search) restart(ctx context.Context, now time.Time) bool {
	if !s.running() {
		return false
	}
	s.start(ctx, now, s.seed)
	return true
}

// seek begins a new round, because a peer that fell silent may be elsewhere. Its sources are
// asked often at first.
func (s *search) seek(ctx context.Context, now time.Time) {
	if s.restart(ctx, now) {
		s.polls.hurry(s.round)
	}
}

// pause ends the running round, and keeps others from beginning until resume.
func (s *search) pause() {
	s.stop()
	s.paused = true
}

// resume begins a new round after a pause.
func (s *search) resume(ctx context.Context, now time.Time, seed bool) {
	s.paused = false
	s.start(ctx, now, seed)
}

// join waits for the goroutines of the search to end, after stop.
func (s *search) join() { s.wait.Wait() }

// running reports whether a round is running.
func (s *search) running() bool { return s.cancel != nil }

// stop ends the running round, and does not wait for its goroutines.
func (s *search) stop() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
}

// run searches by a source until ctx ends; peers begins a search. It looks behind a Switch by
// itself, since a search through Switch.Peers takes more memory.
func (s *search) run(ctx context.Context, src source,
	peers func(Discovery) iter.Seq[netip.AddrPort]) {
	for ctx.Err() == nil {
		from, changed := src.Discovery, (<-chan struct{})(nil)
		if d, ok := from.(*Switch); ok {
			if from, changed = d.await(ctx); from == nil {
				return
			}
		}
		for addr := range peers(from) {
			if ctx.Err() != nil {
				return
			}
			s.found(src.name, addr)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(endedWait):
		}
	}
}
