package dht

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// simNet is a network of cores on a virtual clock. All randomness comes from
// one seed, so that a run can be repeated.
type simNet struct {
	t      testing.TB
	rng    *rand.Rand
	now    instant
	nodes  []*simNode
	byAddr map[netip.AddrPort]*simNode
	events simEvents
	serial uint64

	latency [2]time.Duration // one way, least and most; per pair of nodes constant
	loss    float64          // of packets
	sent    int
}

type simNode struct {
	net    *simNet
	core   *core
	addr   netip.AddrPort
	f      *family
	dead   bool
	tickAt instant
	handle func(now instant, from netip.AddrPort, b []byte) // instead of the core
}

type simEvent struct {
	at     instant
	serial uint64
	to     *simNode
	from   netip.AddrPort
	data   []byte // nil: a tick
	do     func() // or this
}

type simEvents []simEvent

func (h simEvents) Len() int { return len(h) }
func (h simEvents) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].serial < h[j].serial
}
func (h simEvents) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *simEvents) Push(x any)   { *h = append(*h, x.(simEvent)) }
func (h *simEvents) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = simEvent{}
	*h = old[:len(old)-1]
	return e
}

func newSimNet(t testing.TB, seed uint64) *simNet {
	return &simNet{t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: clockStart,
		byAddr: make(map[netip.AddrPort]*simNode)}
}

// publicAddr is an address of its own /24 for each i, outside of the local
// ranges.
func publicAddr(i int) netip.AddrPort {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i)<<8|1)
	b[0] += 20
	return netip.AddrPortFrom(netip.AddrFrom4(b), 6881)
}

func (s *simNet) push(e simEvent) {
	s.serial++
	e.serial = s.serial
	heap.Push(&s.events, e)
}

// add makes a node; it joins from the given hosts when the clock runs.
func (s *simNet) add(addr netip.AddrPort, hosts ...netip.AddrPort) *simNode {
	n := &simNode{net: s, addr: addr, tickAt: forever}
	n.core = newCore(s.now, coreConfig{
		limits: Limits{}.withDefaults(false),
		rng:    rand.New(rand.NewPCG(s.rng.Uint64(), 1)),
		send:   func(to netip.AddrPort, b []byte) { s.send(n, to, b) },
		joined: func(int) {}, lost: func(int) {},
	})
	n.f = n.core.addFamily(s.now, familyOf(addr.Addr()), secureID(s.rng, addr.Addr()))
	n.f.setHosts(s.now, hosts)
	s.nodes = append(s.nodes, n)
	s.byAddr[addr] = n
	s.schedule(n)
	return n
}

// delay is the one-way latency between two addresses: constant per pair.
func (s *simNet) delay(a, b netip.AddrPort) time.Duration {
	least, most := s.latency[0], s.latency[1]
	if most <= least {
		return least
	}
	x, y := a.Addr().As16(), b.Addr().As16()
	h := binary.BigEndian.Uint32(x[12:]) ^ binary.BigEndian.Uint32(y[12:])
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return least + time.Duration(h%1000)*(most-least)/1000
}

func (s *simNet) send(from *simNode, to netip.AddrPort, b []byte) {
	s.sent++
	if s.loss > 0 && s.rng.Float64() < s.loss {
		return
	}
	n := s.byAddr[to]
	if n == nil || n.dead {
		return
	}
	s.push(simEvent{at: s.now + s.delay(from.addr, to), to: n, from: from.addr,
		data: slices.Clone(b)})
}

// schedule plans the next tick of n.
func (s *simNet) schedule(n *simNode) {
	if at := max(n.core.next(), s.now); at < n.tickAt {
		n.tickAt = at
		s.push(simEvent{at: at, to: n})
	}
}

// run lets d pass, or stops as soon as until, which may be nil, is true.
func (s *simNet) run(d time.Duration, until func() bool) bool {
	end := s.now + d
	for len(s.events) > 0 && s.events[0].at <= end {
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		s.deliver(e)
		if until != nil && until() {
			return true
		}
	}
	s.now = end
	return false
}

func (s *simNet) deliver(e simEvent) {
	n := e.to
	switch {
	case e.do != nil:
		e.do()
		return
	case n.dead:
		return
	case n.handle != nil && e.data != nil:
		n.handle(s.now, e.from, e.data)
		return
	case n.handle != nil:
		return
	case e.data != nil:
		n.core.receive(s.now, e.from, e.data)
	}
	if n.tickAt <= s.now {
		n.tickAt = forever
	}
	if s.now >= n.core.next() {
		n.core.tick(s.now)
	}
	s.schedule(n)
}

// live returns the living nodes that run honest cores.
func (s *simNet) live() (list []*simNode) {
	for _, n := range s.nodes {
		if !n.dead && n.handle == nil {
			list = append(list, n)
		}
	}
	return list
}

// closest returns the k live nodes closest to target, without the one at self.
func (s *simNet) closest(target ID, self netip.Addr) []*simNode {
	list := slices.DeleteFunc(s.live(), func(n *simNode) bool { return n.addr.Addr() == self })
	slices.SortFunc(list, func(a, b *simNode) int {
		return compareDistance(&target, &a.f.id, &b.f.id)
	})
	return list[:min(len(list), k)]
}

// holders counts how many of the k closest live nodes other than the peer's own
// hold peer under target.
func (s *simNet) holders(target ID, peer netip.AddrPort) (n int) {
	for _, c := range s.closest(target, peer.Addr()) {
		for _, p := range c.f.peers.of(target) {
			if p.addr == peer {
				n++
			}
		}
	}
	return n
}

// outcome is the result of one lookup of the simulation.
type outcome struct {
	ok    bool
	first time.Duration // to the first peer
	done  time.Duration // to the end of the lookup
	total time.Duration // with the announce
	l     Lookup
}

// lookUp looks target up from n, announces if a is set, and runs the clock until both
// are over.
func (s *simNet) lookUp(n *simNode, target ID, a *announce) outcome {
	var o outcome
	over := false
	began := s.now
	peers := newFound()
	op := n.core.lookUpPeers(s.now, target, peers, a, func(l Lookup) { o.l, over = l, true })
	s.schedule(n)
	watch := func() bool {
		if !o.ok && len(peers.take()) > 0 {
			o.ok, o.first = true, s.now-began
		}
		return over
	}
	if !watch() && !s.run(time.Minute, watch) {
		s.t.Fatalf("lookup of %v does not end", target)
	}
	o.done, o.total = op.lookups[0].ended-began, s.now-began
	return o
}

// build adds n nodes that join over the given time, and lets settle pass.
func (s *simNet) build(n int, over, settle time.Duration) {
	first := s.add(publicAddr(0)).addr
	for i := 1; i < n; i++ {
		s.push(simEvent{at: s.now + time.Duration(i)*over/time.Duration(n), do: func() {
			s.add(publicAddr(i), first)
		}})
	}
	s.run(over+settle, nil)
}

// kill makes a fraction of the nodes silent, but never the first.
func (s *simNet) kill(fraction float64) {
	for _, n := range s.nodes[1:] {
		if s.rng.Float64() < fraction {
			n.dead = true
		}
	}
}

func (s *simNet) anyLive() *simNode {
	for {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; !n.dead && n.handle == nil {
			return n
		}
	}
}

// simResult gathers outcomes.
type simResult struct {
	name               string
	pairs, found       int
	first, done, asked []float64
	holders            int
}

func (r *simResult) String() string {
	return fmt.Sprintf("%-28s success %d/%d  first peer %4.0f / %4.0f ms  completion %4.0f / "+
		"%4.0f ms  asked %4.1f / %4.0f  true 8 %.2f",
		r.name, r.found, r.pairs, quantile(r.first, .5), quantile(r.first, .95),
		quantile(r.done, .5), quantile(r.done, .95), quantile(r.asked, .5), quantile(r.asked, .95),
		float64(r.holders)/float64(max(1, r.pairs)))
}

func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1)+.5)]
}

// measure announces and looks up pairs times, from random nodes.
func (s *simNet) measure(name string, pairs int) *simResult {
	r := &simResult{name: name, pairs: pairs}
	for range pairs {
		target := randomID(s.rng)
		a, b := s.anyLive(), s.anyLive()
		o := s.lookUp(a, target, &announce{port: 1234})
		r.done = append(r.done, float64(o.done)/1e6)
		r.asked = append(r.asked, float64(o.l.Asked))
		s.run(2*time.Second, nil) // for those that answered late
		r.holders += s.holders(target, netip.AddrPortFrom(a.addr.Addr(), 1234))
		o = s.lookUp(b, target, nil)
		if o.ok {
			r.found++
			r.first = append(r.first, float64(o.first)/1e6)
		}
		r.done = append(r.done, float64(o.done)/1e6)
		r.asked = append(r.asked, float64(o.l.Asked))
	}
	return r
}

// promise fails the test if a lookup missed the peer, or if too few of the closest nodes
// hold an announce.
func (r *simResult) promise(t *testing.T, holders float64) {
	t.Helper()
	t.Log(r)
	if r.found != r.pairs {
		t.Errorf("%s: %d of %d lookups found the peer", r.name, r.found, r.pairs)
	}
	if got := float64(r.holders) / float64(r.pairs); got < holders {
		t.Errorf("%s: %.2f of the 8 closest nodes hold an announce, want %.2f", r.name, got,
			holders)
	}
}

// TestSimSmall runs a network of 200 nodes with round trips of 30 to 120 ms.
func TestSimSmall(t *testing.T) {
	s := newSimNet(t, 1)
	s.latency = [2]time.Duration{15 * time.Millisecond, 60 * time.Millisecond}
	s.build(200, 10*time.Second, 3*time.Minute)
	s.measure("200", 100).promise(t, 7.9)
	s.kill(.3)
	s.measure("200, 30% just died", 100).promise(t, 7.5)
	s.run(75*time.Second, nil)
	s.measure("200, 30% died 75 s ago", 100).promise(t, 7.5)
}
