package swarm

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/reach"
)

// A Poller is a Discovery that can cheaply ask those again who were found to know the peers of
// a swarm. A peer that cannot be reached has to learn soon of those who try: it must send to
// them first, so that its router lets them in.
type Poller interface {
	Discovery
	// Poll calls each with every distinct peer of the swarm of ih that the nearest sources know,
	// from the caller's goroutine, until they have answered or ctx ends. It asks nobody before
	// a search of Peers has found sources.
	Poll(ctx context.Context, ih metainfo.Hash, each func(netip.AddrPort)) error
}

const (
	// A swarm is polled every pollFirst in the first pollSoon of a search, when the two ends
	// of a link that was just handed over look for each other; every pollNext until pollLater,
	// and then every pollLast.
	pollFirst = 3 * time.Second
	pollSoon  = time.Minute
	pollNext  = 5 * time.Second
	pollLater = 10 * time.Minute
	pollLast  = 10 * time.Second
	// pollSought is how often a swarm is polled in which a peer that fell silent may be
	// elsewhere, for pollSeeks.
	pollSought = time.Second
	pollSeeks  = 10 * time.Second
	// pollCrowd is how many peers in one answer mean that newcomers find others to introduce
	// them. Then the swarm is polled every pollCrowded.
	pollCrowd   = 30
	pollCrowded = time.Minute
	// pollGap is the least time between two polls of all torrents together. Each poll asks a
	// few nodes.
	pollGap = 500 * time.Millisecond
	// pollTimeout bounds one poll: nodes that answer later are too slow to be of help.
	pollTimeout = time.Second
	// pollSweep is how many swarms there may be until ended ones are looked for.
	pollSweep = 64
	// pollKnownMax bounds the peers of one swarm that are remembered as told.
	pollKnownMax = 512
)

// A poller polls the swarms of all torrents of an Engine, one at a time, while others cannot
// reach the engine. It is safe for concurrent use.
type poller struct {
	wake  chan struct{} // capacity 1
	start time.Time     // from which the times of swarms count

	mu      sync.Mutex
	list    []*polled
	swept   int           // how many were left when ended ones were removed last
	planned time.Duration // when run looks at the list next
	hidden  bool
	relayed bool // a relay leads to us
	young   bool // the last poll was out of turn, for a young search
}

// A polled is one swarm, as long as one round of its search runs. It is small, since a large
// seeder has thousands: its times count from poller.start.
type polled struct {
	ctx   context.Context // of the round
	hash  metainfo.Hash
	from  Poller
	found func(book.Source, netip.AddrPort)

	// Of the goroutine of run, but for next and sought, which poller.mu guards:
	began  time.Duration
	next   time.Duration
	sought time.Duration // until when it is polled often, because a peer may be elsewhere
	known  map[netip.AddrPort]struct{}
}

// init makes an empty poller, which polls until it is known that others can reach us.
func (x *poller) init() { x.wake, x.start, x.hidden = make(chan struct{}, 1), time.Now(), true }

// stand sets where the engine stands.
func (x *poller) stand(is reach.Standing) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hidden = !reachable(is.UTP) && !reachable(is.TCP)
	x.relayed = len(is.Relayed) > 0
	x.rouse()
}

// reachable reports whether everybody can begin to talk to us.
func reachable(r reach.Reachability) bool { return r == reach.Open || r == reach.Mapped }

// rouse makes run look at the list again.
func (x *poller) rouse() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// add polls a swarm by a Discovery, if that is a Poller, until ctx ends. found is called with
// each peer that is new.
func (x *poller) add(ctx context.Context, hash metainfo.Hash, from Discovery,
	found func(book.Source, netip.AddrPort)) {
	by, ok := from.(Poller)
	if !ok || x == nil {
		return
	}
	now := time.Since(x.start)
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.list) >= 2*x.swept+pollSweep { // then a torrent costs the same, however many there are
		x.sweep()
	}
	p := &polled{ctx: ctx, hash: hash, from: by, found: found, began: now,
		next: now + pollFirst}
	x.list = append(x.list, p)
	if x.hidden && p.next < x.planned {
		x.rouse()
	}
}

// sweep removes the swarms whose round has ended. x.mu is held.
func (x *poller) sweep() {
	x.list = slices.DeleteFunc(x.list, func(p *polled) bool { return p.ctx.Err() != nil })
	x.swept = len(x.list)
}

// hurry polls the swarms of a round soon and often, for pollSeeks.
func (x *poller) hurry(round context.Context) {
	if x == nil {
		return
	}
	now := time.Since(x.start)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.list {
		if p.ctx == round {
			p.sought = now + pollSeeks
			p.next = min(p.next, now+pollSought)
		}
	}
	x.rouse()
}

// run polls until ctx ends.
func (x *poller) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, wait := x.due(time.Since(x.start))
		if p != nil {
			x.plan(p, p.poll(), time.Since(x.start))
			wait = pollGap
		}
		timer.Reset(wait)
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-x.wake:
				waiting = p != nil // the gap stays
			case <-ctx.Done():
				return
			}
		}
	}
}

// due returns the swarm that is due, or else how long there is none.
func (x *poller) due(now time.Duration) (first *polled, wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer func() { x.planned = now + max(wait, pollGap) }()
	if !x.hidden {
		return nil, pollCrowded
	}
	x.sweep()
	wait = pollCrowded
	var young *polled
	for _, p := range x.list {
		if p.next > now {
			wait = min(wait, p.next-now)
			continue
		}
		if first == nil || p.next < first.next {
			first = p
		}
		if p.young(now) && (young == nil || p.next < young.next) {
			young = p
		}
	}
	if first == nil {
		return nil, wait
	}
	// Where there are more torrents than turns, a young search has every other turn.
	if x.young = young != nil && !x.young; x.young {
		first = young
	}
	return first, 0
}

// young reports whether the swarm is polled often because two ends look for each other.
func (p *polled) young(now time.Duration) bool {
	return now-p.began < pollSoon || now < p.sought
}

// poll polls once, and returns how many peers there are.
func (p *polled) poll() (peers int) {
	ctx, cancel := context.WithTimeout(p.ctx, pollTimeout)
	defer cancel()
	// Whatever the error is, the next poll is due at its time.
	_ = p.from.Poll(ctx, p.hash, func(addr netip.AddrPort) {
		peers++
		if _, known := p.known[addr]; known || p.ctx.Err() != nil {
			return
		}
		if p.known == nil || len(p.known) >= pollKnownMax {
			p.known = make(map[netip.AddrPort]struct{})
		}
		p.known[addr] = struct{}{}
		p.found(book.SourceDHT, addr)
	})
	return peers
}

// plan sets when a swarm with so many peers is polled next.
func (x *poller) plan(p *polled, peers int, now time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	wait := pollLast
	switch age := now - p.began; {
	case now < p.sought:
		wait = pollSought
	case peers >= pollCrowd:
		wait = pollCrowded
	case age < pollSoon, x.relayed: // a relay lets nobody in before we know of him
		wait = pollFirst
	case age < pollLater:
		wait = pollNext
	}
	p.next = now + wait
}

// Poll polls by the Discovery that s stands for, if that can.
func (s *Switch) Poll(ctx context.Context, ih metainfo.Hash, each func(netip.AddrPort)) error {
	behind, _ := s.get()
	if by, ok := behind.(Poller); ok {
		return by.Poll(ctx, ih, each)
	}
	return nil
}
