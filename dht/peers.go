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
	// foundMax bounds the peers that wait for a caller of Peers. Further peers are
	// dropped; later lookups find them again.
	foundMax = 2000

	// repeatAfter is how soon the same peer is yielded again.
	repeatAfter = 10 * time.Minute

	// yieldedMax bounds the yielded peers that one Peers remembers.
	yieldedMax = 8192

	// With enoughPeers peers a torrent needs no more in a hurry: pauses are then at
	// least enoughPause.
	enoughPeers = 30
	enoughPause = 5 * time.Minute

	// lookupGap is the least time between two lookups of one info-hash, however
	// often Peers is called for it.
	lookupGap = time.Second

	// lookedUpMax is how many info-hashes Node.lookedUp may hold before those last
	// looked up more than lookupGap ago are forgotten.
	lookedUpMax = 1024
)

// peersPauses are the pauses between the lookups of one info-hash. The first ones are
// short, since the other end may announce after our first lookups. The last one is
// below 15 minutes, so that nodes do not forget our announce.
var peersPauses = [...]time.Duration{
	1 * time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	40 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 13 * time.Minute,
}

// roundsMax bounds the rounds of Peers that run at one time. More would not be faster:
// the budget for queries allows a few lookups a second. Further rounds wait in the
// order of arrival, so that each of thousands of info-hashes is announced once before
// any is announced a second time.
const roundsMax = 32

// unansweredMax is the index in peersPauses of the longest pause while nobody answers:
// a minute. Joining the DHT ends such a pause. Otherwise answers are missing because
// too many lookups run or because the network is gone, and thousands of torrents must
// not all retry every second.
const unansweredMax = 6

// unansweredGap is the time per running Peers that passes between two lookups of each while
// nobody answers: thousands of them send 20 lookups a second then.
const unansweredGap = time.Second / 20

// unansweredPause returns the pause after so many rounds that nobody has answered, while so
// many Peers run.
func unansweredPause(rounds, searches int) time.Duration {
	return max(peersPause(min(rounds, unansweredMax), 0),
		vary(time.Duration(searches)*unansweredGap))
}

const (
	// crowdMin is how many Peers are a crowd, which makes most of the work of a node.
	crowdMin = 1000
	// crowdLast is the last pause of a seed in a crowd, in place of that of peersPauses.
	// Nodes forget an announce after half an hour or more.
	crowdLast = 25 * time.Minute
	// crowdWait is how long a seed in a crowd waits for its turn before it does without the
	// pauses that are shorter than the last one. There is no budget for them, and who looks for
	// a seed finds what it has announced.
	crowdWait = time.Minute
)

// crowdPause returns the pause of a seed in a crowd, in place of one that follows from rounds.
// The seed has waited for its last round.
func crowdPause(pause time.Duration, rounds int, waited time.Duration) time.Duration {
	if rounds >= len(peersPauses)-1 || waited >= crowdWait {
		return vary(crowdLast)
	}
	return pause
}

// dueRounds returns how many rounds the schedule would have run by now without
// queueing, at least rounds.
func dueRounds(rounds int, since time.Duration) int {
	for n, d := range peersPauses {
		if since -= d; since < 0 {
			return max(rounds, n)
		}
	}
	return max(rounds, len(peersPauses))
}

// peersPause returns the pause after the given number of rounds, with a jitter of
// an eighth either way.
func peersPause(rounds, found int) time.Duration {
	d := peersPauses[min(rounds, len(peersPauses)-1)]
	if found >= enoughPeers {
		d = max(d, enoughPause)
	}
	return vary(d)
}

// vary returns d, or up to an eighth more or less.
func vary(d time.Duration) time.Duration { return d*7/8 + rand.N(d/4+1) }

// found hands peers from the loop to a caller.
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

// announce describes us as a peer.
type announce struct {
	port uint16 // 0: the port that the DHT packets come from
	seed bool
}

func (a *announce) request(target ID) request {
	r := request{method: methodAnnounce, target: target, port: a.port, implied: a.port == 0,
		seed: a.seed}
	if a.port == 0 {
		r.port = 1 // ignored by BEP 5, but some nodes refuse 0
	}
	return r
}

// peersRun is the state of one Peers that a caller ranges over.
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

// Peers announces ih at port and yields the peers that it finds. It looks up and
// announces again until ctx is done or the Node is closed: within seconds at first,
// later every 13 minutes, or every 25 for the seeds of a node that announces a thousand
// info-hashes. Port 0 announces the port that the DHT packets come from
// (implied_port, BEP 5), which is right only if peers can connect there. With seed
// we announce that we have everything, BEP 33. Peers that announce ih to this very
// node are yielded as well. A peer that is found again ten minutes later is yielded
// again. Our own address may be among the peers.
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
		n.searches.Add(1)
		defer n.searches.Add(-1)
		began := time.Now()
		for rounds, unanswered := 0, 0; ; {
			asked := time.Now()
			if !n.awaitGap(ctx, r.ih) || !r.enter(ctx, yield) {
				return
			}
			waited := time.Since(asked)
			answered, more := r.round(ctx, yield)
			<-n.rounds
			if !more {
				return
			}
			var pause time.Duration
			if answered {
				rounds = dueRounds(rounds, time.Since(began))
				pause = peersPause(rounds, r.count)
				if seed && n.searches.Load() >= crowdMin {
					pause = crowdPause(pause, rounds, waited)
				}
				rounds++
				unanswered = 0
			} else {
				pause = unansweredPause(unanswered, int(n.searches.Load()))
				unanswered++
			}
			if !r.wait(ctx, pause, yield) {
				return
			}
		}
	}
}

// SetPublicPorts says at which ports peers reach us over IPv4 and over IPv6. Peers and Announce
// announce them in place of the port that they are given, unless that is 0; a public port of 0
// stands for the given one. If one has changed, each running Peers announces again at once.
func (n *Node) SetPublicPorts(four, six uint16) {
	is := [families]uint16{v4: four, v6: six}
	_ = n.do(func(c *core, _ instant) { // a closed node announces nothing
		if c.public != is {
			c.public = is
			n.announceAgain()
		}
	})
}

// announceAgain ends the pauses of each running Peers.
func (n *Node) announceAgain() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

// watchStored adds a watcher and hands it the peers that are stored already.
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

// enter waits for a place in n.rounds, and yields peers that announce to us in the
// meantime. If it reports true, the caller has to give the place back.
func (r *peersRun) enter(ctx context.Context, yield func(netip.AddrPort) bool) bool {
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
// whether the caller wants more peers.
func (r *peersRun) round(ctx context.Context, yield func(netip.AddrPort) bool) (answered,
	more bool) {
	done := make(chan Lookup, 1)
	err := r.n.do(func(c *core, now instant) {
		ended := false
		op := c.lookUpPeers(now, r.ih, r.found, &r.announce, func(l Lookup) {
			ended, r.op = true, nil // frees its candidates: the next round may be far
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

// wait yields peers that announce to us until the pause is over. Joining the DHT and
// NetworkChanged end the pause early. wait reports whether the caller wants more.
func (r *peersRun) wait(ctx context.Context, pause time.Duration,
	yield func(netip.AddrPort) bool) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	joined := r.n.joined
	select {
	case <-joined:
		joined = nil // already, so it ends no pause
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

// awaitGap waits until the last lookup of target is lookupGap ago. It reports false
// if ctx or the Node ends first.
func (n *Node) awaitGap(ctx context.Context, target ID) bool {
	n.mu.Lock()
	if len(n.lookedUp) >= max(lookedUpMax, n.lookedUpSweep) {
		for id, at := range n.lookedUp {
			if time.Since(at) >= lookupGap {
				delete(n.lookedUp, id)
			}
		}
		n.lookedUpSweep = 2 * len(n.lookedUp) // bounds the cost per lookup
	}
	wait := lookupGap - time.Since(n.lookedUp[target])
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
	n.lookedUp[target] = time.Now()
	return true
}

// lookUpPeers looks up the peers of target. With an announce it announces to the
// closest nodes, also to those that answer only after the lookup has finished.
// Without one it asks silent nodes once more before it ends with no peers.
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
