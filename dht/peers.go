package dht

import (
	"context"
	"iter"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"swarmnode/metainfo"
)

const (
	// foundMax bounds the peers that wait for a caller of Peers to take them;
	// more are dropped, and found again later.
	foundMax = 2000

	// repeatAfter is when a peer that is still found is yielded once more.
	repeatAfter = 10 * time.Minute

	// yieldedMax bounds the peers that one Peers remembers having yielded.
	yieldedMax = 8192

	// enoughPeers is how many peers make further haste pointless: the pause is
	// then at least enoughPause.
	enoughPeers = 30
	enoughPause = 5 * time.Minute

	// lookupGap is the least time between two lookups of one info-hash, however
	// often Peers is called for it.
	lookupGap = time.Second

	// pacedMax is from how many info-hashes on those are forgotten that were
	// last looked up longer ago than lookupGap.
	pacedMax = 1024
)

// peersPauses are the pauses between the lookups of one info-hash. The other
// end may announce only after our first lookups; later the announce has to be
// repeated within 15 minutes.
var peersPauses = [...]time.Duration{
	1 * time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	40 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 13 * time.Minute,
}

// roundsMax is how many rounds of Peers run at one time. More would not be quicker:
// the budget for queries allows a few lookups a second. The others wait for their
// turn in the order in which they came, so that of thousands of info-hashes none is
// announced a second time before the last one was announced once.
const roundsMax = 32

// unansweredMax is which of peersPauses is the longest, counted from 0, while
// nobody answers: a minute. To have joined ends the pause; what keeps answers from
// coming otherwise is more lookups than run at a time, or a network that is gone,
// and then thousands of torrents must not all try every second.
const unansweredMax = 6

// overdue returns how many rounds there would have been within that time if none had
// had to wait for its turn, and no less than rounds.
func overdue(rounds int, since time.Duration) int {
	for n, d := range peersPauses {
		if since -= d; since < 0 {
			return max(rounds, n)
		}
	}
	return max(rounds, len(peersPauses))
}

// peersPause is the pause after the given number of rounds, with a jitter of
// an eighth either way.
func peersPause(rounds, found int) time.Duration {
	d := peersPauses[min(rounds, len(peersPauses)-1)]
	if found >= enoughPeers {
		d = max(d, enoughPause)
	}
	return d*7/8 + rand.N(d/4)
}

// found collects peers between the loop and a caller.
type found struct {
	mu    sync.Mutex
	list  []netip.AddrPort
	any   bool          // since the start
	ready chan struct{} // capacity 1
}

func newFound() *found { return &found{ready: make(chan struct{}, 1)} }

func (f *found) put(a netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.any = true
	if len(f.list) < foundMax {
		f.list = append(f.list, a)
	}
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *found) some() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.any
}

func (f *found) take() []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

// onAnswer collects the dialable peers of an answer to get_peers, at most
// peersPerSource of each source.
func (f *found) onAnswer(_ instant, from netip.AddrPort, m *message) {
	var told map[netip.Addr]int // peers by source
	m.eachValue(func(a netip.AddrPort) {
		if !reachable(from, a) {
			return
		}
		if src := source(a.Addr()); !isLocal(src) {
			if told == nil {
				told = make(map[netip.Addr]int)
			}
			if told[src]++; told[src] > peersPerSource {
				return
			}
		}
		f.put(a)
	})
}

// announce is what to tell about ourselves.
type announce struct {
	port uint16 // 0: the port that the DHT packets come from
	seed bool
}

func (a *announce) request(target ID) request {
	r := request{method: methodAnnounce, target: target, port: a.port, implied: a.port == 0,
		seed: a.seed}
	if a.port == 0 {
		r.port = 1 // to be ignored, but some refuse 0
	}
	return r
}

// peersRun is one Peers while it is ranged over.
type peersRun struct {
	n        *Node
	ih       ID
	announce announce
	found    *found
	watcher  watcher
	yielded  map[netip.AddrPort]time.Time
	count    int        // distinct peers yielded
	op       *operation // the lookup that runs, for the loop
}

// Peers announces ih at port and yields the peers that it meets, looking up and
// announcing again on schedule until ctx or the Node ends: soon at first, later
// every 13 minutes. Port 0 announces the port that the DHT packets come from
// (implied_port, BEP 5), which is right only when peers can connect there. seed
// tells that we have everything, BEP 33. Peers that announce ih to this very
// node are yielded as well. A peer is yielded again when it is still found ten
// minutes later. Our own address may be among them.
func (n *Node) Peers(ctx context.Context, ih metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		r := &peersRun{n: n, ih: ID(ih), announce: announce{port, seed}, found: newFound(),
			yielded: make(map[netip.AddrPort]time.Time)}
		r.watcher.found = r.found.put
		if r.n.do(func(c *core, now instant) { c.watchStored(now, r.ih, &r.watcher) }) != nil {
			return
		}
		defer r.end()
		began := time.Now()
		for rounds, unanswered := 0, 0; ; {
			if !n.pace(ctx, r.ih) || !r.turn(ctx, yield) {
				return
			}
			answered, more := r.round(ctx, yield)
			<-n.rounds
			if !more {
				return
			}
			var pause time.Duration
			if answered {
				rounds = overdue(rounds, time.Since(began))
				pause = peersPause(rounds, r.count)
				rounds++
				unanswered = 0
			} else {
				pause = peersPause(min(unanswered, unansweredMax), 0)
				unanswered++
			}
			if !r.wait(ctx, pause, yield) {
				return
			}
		}
	}
}

// watchStored adds a watcher and tells it of the peers that are stored already.
func (c *core) watchStored(now instant, target ID, w *watcher) {
	c.watch(target, w)
	for _, f := range c.families {
		if f != nil {
			f.peers.sample(now, target, foundMax, false, c.rng, w.found)
		}
	}
}

func (r *peersRun) end() {
	_ = r.n.do(func(c *core, _ instant) { // a closed node has nothing to stop
		c.unwatch(r.ih, &r.watcher)
		if r.op != nil {
			r.op.stop()
		}
	})
}

// turn waits until it is r's turn to look up, yielding what others announce to us
// meanwhile. When it reports true, the place in n.rounds is to be given back.
func (r *peersRun) turn(ctx context.Context, yield func(netip.AddrPort) bool) bool {
	for {
		select {
		case r.n.rounds <- struct{}{}:
			return true
		case <-r.found.ready:
			if !r.yieldAll(yield) {
				return false
			}
		case <-ctx.Done():
			return false
		case <-r.n.ctx.Done():
			return false
		}
	}
}

// round looks up and announces once. It reports whether anybody answered, and
// whether the caller wants more.
func (r *peersRun) round(ctx context.Context, yield func(netip.AddrPort) bool) (answered,
	more bool) {
	done := make(chan Lookup, 1)
	err := r.n.do(func(c *core, now instant) {
		ended := false
		op := c.lookUpPeers(now, r.ih, r.found, &r.announce, func(l Lookup) {
			ended, r.op = true, nil // it remembers all whom it met, and the next round may be far
			done <- l
		})
		if !ended {
			r.op = op
		}
	})
	if err != nil {
		return false, false
	}
	for {
		select {
		case <-r.found.ready:
			if !r.yieldAll(yield) {
				return false, false
			}
		case l := <-done:
			return l.Answered > 0, r.yieldAll(yield)
		case <-ctx.Done():
			return false, false
		case <-r.n.ctx.Done():
			return false, false
		}
	}
}

// wait yields what others announce to us until it is time to look again.
func (r *peersRun) wait(ctx context.Context, pause time.Duration,
	yield func(netip.AddrPort) bool) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	joined := r.n.joined
	select {
	case <-joined:
		joined = nil // long ago
	default:
	}
	changes := r.n.changes()
	for {
		select {
		case <-r.found.ready:
			if !r.yieldAll(yield) {
				return false
			}
		case <-timer.C:
			return true
		case <-joined:
			return true
		case <-changes:
			return true
		case <-ctx.Done():
			return false
		case <-r.n.ctx.Done():
			return false
		}
	}
}

func (r *peersRun) yieldAll(yield func(netip.AddrPort) bool) bool {
	now := time.Now()
	for _, a := range r.found.take() {
		last, known := r.yielded[a]
		if known && now.Sub(last) < repeatAfter {
			continue
		}
		if len(r.yielded) >= yieldedMax {
			clear(r.yielded)
		}
		if !known {
			r.count++
		}
		r.yielded[a] = now
		if !yield(a) {
			return false
		}
	}
	return true
}

// pace waits until a lookup of target is polite. It reports false when ctx or
// the Node ends first.
func (n *Node) pace(ctx context.Context, target ID) bool {
	n.mu.Lock()
	if len(n.paced) >= max(pacedMax, n.pacedSweep) {
		for id, at := range n.paced {
			if time.Since(at) >= lookupGap {
				delete(n.paced, id)
			}
		}
		n.pacedSweep = 2 * len(n.paced) // so that many lookups at once do not each look at all
	}
	wait := lookupGap - time.Since(n.paced[target])
	n.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		case <-n.ctx.Done():
			return false
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paced[target] = time.Now()
	return true
}

// lookUpPeers looks up the peers of target. With an announce it announces to
// the closest nodes, also to those that turn out to live only afterwards;
// without one it asks silent nodes again before it comes back with nothing.
func (c *core) lookUpPeers(now instant, target ID, to *found, a *announce,
	done func(Lookup)) *operation {
	req := request{method: methodGetPeers, target: target}
	if a == nil {
		sink := lookupSink{answer: to.onAnswer, satisfied: to.some}
		return c.lookUp(now, &req, sink, func(now instant, op *operation) { done(op.result(now)) })
	}
	tell := a.request(target)
	sink := lookupSink{answer: to.onAnswer, late: func(now instant, late *candidate) {
		if c.mayStore(late) {
			c.store(now, []storeTarget{{late.addr, late.token}}, tell, func(instant, *storing) {})
		}
	}}
	return c.lookUp(now, &req, sink, func(now instant, op *operation) {
		l := op.result(now)
		c.store(now, op.targets(), tell, func(_ instant, s *storing) {
			l.Stored = s.stored
			done(l)
		})
	})
}
