package dht

import (
	"net/netip"
	"time"
)

const (
	// alpha is how many queries of a lookup wait for an answer at one time. A
	// query that is past its short timeout does not count. When an answer
	// brings nothing closer, the lookup has arrived, and asks all of the k
	// closest at once: it has to ask them anyway. So it does with the
	// alphaNearest that are the closest at any time.
	alpha        = 5
	alphaNearest = 4

	// candidatesMax bounds the nodes that a lookup keeps in mind, askedMax
	// those that it asks; an honest lookup asks 10 to 30.
	candidatesMax = 128
	askedMax      = 160

	// nodesPerReply bounds what one answer may contribute. BEP 5 says 8; some
	// clients send 16.
	nodesPerReply = 16

	// candidatesPerNetwork bounds the candidates of one /24 or /64, so that
	// one party cannot be the whole neighbourhood of a target.
	candidatesPerNetwork = 2

	// pathsMax is how many paths are told apart, and pathShare how many of the
	// k closest may be known from one path alone: a party that fills the
	// neighbourhood of a target with its own nodes, which tell only of each
	// other, must not be all that a lookup sees.
	pathsMax  = 16
	pathShare = 3

	// lookupsMax bounds the lookups that run at one time.
	lookupsMax = 256

	// gapQueries is how many of the nodes that answered are asked a second time
	// when others close to the target are silent: an answer holds k nodes, and
	// where some of them are dead it leaves out living ones that are among the
	// k closest. Only lookups that store something do so.
	gapQueries = 4

	// hostsAsked is how many bootstrap hosts a lookup asks when it has nobody
	// better.
	hostsAsked = 16
)

type candidateState uint8

const (
	fresh    candidateState = iota // not asked yet
	waiting                        // asked, within the short timeout
	stalled                        // asked, past it: its slot is free, its answer welcome
	answered                       // the invariant: it has told its true id
	failed
)

// candidate is a node that a lookup has heard of.
type candidate struct {
	id    ID
	addr  netip.AddrPort
	rtt   time.Duration // as the table knows it, or zero
	token []byte
	path  int  // which of the first candidates led here
	known bool // on another path too
	state candidateState
	asked bool
	host  bool // a bootstrap host, of which the id is not known: always last
}

// lookupSink is told what a lookup finds. Each may be nil.
type lookupSink struct {
	// answer is called with each answer; with some even after finished.
	answer func(now instant, from netip.AddrPort, m *message)
	// satisfied is called when the lookup has come to its end. If it says no,
	// those that have been silent are asked once more before.
	satisfied func() bool
	// finished is called once, last but for late answers.
	finished func(now instant, l *lookup)
	// late is called after finished with those among the k closest that
	// answer only then. Having it set asks the silent ones once more, and has
	// gaps filled: it is for lookups that store something.
	late func(now instant, c *candidate)
}

// lookup walks towards a target: BEP 5 and the Kademlia paper. It ends when
// the k closest candidates that are not silent have answered.
type lookup struct {
	f          *family
	req        request
	sink       lookupSink
	candidates []candidate // by distance to the target, hosts last
	slots      int         // candidates that are waiting
	asked      int
	answers    int
	arrived    bool // an answer brought nothing closer
	retried    bool // those that were silent have been asked again
	paths      int  // of the first candidates
	gaps       int  // gapQuery that wait for an answer
	gapped     bool // they have been sent
	done       bool
	began      instant
	ended      instant
	queued     bool // it waits for budget, in turns
	served     bool // it asked somebody in its last turn
}

// newLookup prepares a lookup from what the family knows about the target.
func (f *family) newLookup(now instant, req *request, sink lookupSink) *lookup {
	l := &lookup{f: f, req: *req, sink: sink, began: now}
	if other := f.c.families[1-f.index]; other != nil && other.table.count < k {
		l.req.wants = [2]bool{true, true}
	}
	recent := l.newPath()
	for _, n := range f.c.recent.of(now, f.index, req.target) {
		l.add(n.id, n.at.addrPort(), recent, 0)
	}
	// More than k of them, since some may have died.
	near := f.c.nearest[:f.table.closest(&req.target, f.c.nearest[:])]
	for _, c := range near {
		l.add(c.id, c.addr(), l.newPath(), c.rtt)
	}
	if len(near) < k {
		l.addHosts()
	}
	return l
}

// addHosts adds some of the bootstrap hosts, chosen at random.
func (l *lookup) addHosts() {
	hosts := l.f.hosts
	if len(hosts) == 0 {
		return
	}
	start := l.f.c.rng.IntN(len(hosts))
	for i := range min(len(hosts), hostsAsked) {
		addr := hosts[(start+i)%len(hosts)]
		if l.find(addr) < 0 && usable(addr) {
			l.candidates = append(l.candidates, candidate{addr: addr, path: l.newPath(),
				host: true})
		}
	}
}

// start runs l. When there are too many already, it ends at once without
// having asked anybody.
func (c *core) start(now instant, l *lookup) {
	if len(c.lookups) >= lookupsMax {
		l.finish(now)
		return
	}
	c.stats.Lookups++
	c.lookups = append(c.lookups, l)
	l.pump(now)
}

// stop ends l without telling anybody.
func (c *core) stop(l *lookup) {
	l.sink = lookupSink{}
	c.retire(l)
}

// retire takes l from the list of those that run.
func (c *core) retire(l *lookup) {
	l.done = true
	c.turns.remove(l)
	for i := range c.lookups {
		if c.lookups[i] == l {
			c.lookups = append(c.lookups[:i], c.lookups[i+1:]...)
			return
		}
	}
}

// newPath numbers the first candidates. Those beyond pathsMax share paths.
func (l *lookup) newPath() int {
	l.paths++
	return l.paths % pathsMax
}

func (l *lookup) find(addr netip.AddrPort) int {
	for i := range l.candidates {
		if l.candidates[i].addr == addr {
			return i
		}
	}
	return -1
}

// add enters a candidate at its place by distance, and reports whether it is
// the closest of all. One address is one candidate, whatever ids it is given.
func (l *lookup) add(id ID, addr netip.AddrPort, path int, rtt time.Duration) bool {
	if !usable(addr) || familyOf(addr.Addr()) != l.f.index || id == l.f.id || l.find(addr) >= 0 {
		return false
	}
	if !l.distinct(addr) {
		return false
	}
	return l.insert(candidate{id: id, addr: addr, path: path, rtt: rtt}) == 0
}

func (l *lookup) insert(fresh candidate) (at int) {
	at = len(l.candidates)
	for at > 0 {
		before := &l.candidates[at-1]
		if !before.host && compareDistance(&l.req.target, &fresh.id, &before.id) >= 0 {
			break
		}
		at--
	}
	if at >= candidatesMax {
		return at
	}
	l.candidates = append(l.candidates, candidate{})
	copy(l.candidates[at+1:], l.candidates[at:])
	l.candidates[at] = fresh
	if len(l.candidates) > candidatesMax {
		if last := &l.candidates[candidatesMax]; last.state == waiting {
			l.slots--
		}
		l.candidates = l.candidates[:candidatesMax]
	}
	return at
}

// distinct reports whether the network of addr has room among the candidates.
func (l *lookup) distinct(addr netip.AddrPort) bool {
	if isLocal(addr.Addr()) {
		return true
	}
	net, same := network(addr), 0
	for i := range l.candidates {
		if net.Contains(l.candidates[i].addr.Addr()) {
			same++
		}
	}
	return same < candidatesPerNetwork
}

// pump asks whom the lookup should ask now, and ends it when there is nobody
// left to wait for.
func (l *lookup) pump(now instant) {
	if l.done {
		return
	}
	limit := alpha
	if l.arrived {
		limit = k
	}
	w := window{paths: l.paths}
	for i := 0; i < len(l.candidates) && w.counted < k; i++ {
		c := &l.candidates[i]
		switch c.state {
		case stalled, failed:
			w.silent = true
		case answered:
			w.count(c)
		case waiting:
			w.count(c)
			w.open = true
		case fresh:
			if w.full(c) {
				continue
			}
			if (l.slots < limit || w.live < alphaNearest) && !l.ask(now, c) {
				continue
			}
			w.count(c)
			w.open = true
		}
	}
	switch {
	case w.open || w.silent && l.gaps > 0:
	case !l.retried && l.sink.satisfied != nil && !l.sink.satisfied() && l.retry():
		l.pump(now)
	default:
		l.finish(now)
	}
}

// window is the part of the candidates that a lookup looks at: the k closest
// that are not silent, and as many more as it takes for k of them to count.
type window struct {
	paths   int
	live    int // candidates that are not silent
	counted int // of them, no more than pathShare that one path alone told of
	open    bool
	silent  bool // some before the last that counts have not answered
	share   [pathsMax]int
}

// lonely reports whether only one path of several has told of c.
func (w *window) lonely(c *candidate) bool { return w.paths > 1 && !c.known }

// full reports whether c is beyond the k closest and cannot count either.
func (w *window) full(c *candidate) bool {
	return w.live >= k && w.lonely(c) && w.share[c.path] >= pathShare
}

func (w *window) count(c *candidate) {
	w.live++
	if w.lonely(c) {
		if w.share[c.path]++; w.share[c.path] > pathShare {
			return
		}
	}
	w.counted++
}

// retry makes the silent among the k closest fresh again, once per lookup, and
// reports whether there are any.
func (l *lookup) retry() (some bool) {
	l.retried = true
	for i, n := 0, 0; i < len(l.candidates) && n < k; i++ {
		switch c := &l.candidates[i]; c.state {
		case answered:
			n++
		case stalled:
			c.state, some = fresh, true
		}
	}
	return some
}

// ask sends the query to c. It reports false when c turns out to be nobody to
// wait for.
func (l *lookup) ask(now instant, c *candidate) bool {
	if l.asked >= askedMax {
		c.state = failed
		return false
	}
	turns := &l.f.c.turns
	if !turns.mayAsk(l, c.addr) {
		turns.add(now, l)
		return true
	}
	q := &query{owner: l, rtt: c.rtt}
	switch l.f.c.ask(now, c.addr, &l.req, q) {
	case nil:
		c.state, c.asked = waiting, true
		l.slots++
		l.asked++
		return true
	case ErrBusy:
		turns.add(now, l)
		return true
	default:
		c.state = failed
		return false
	}
}

// settle gives a candidate its new state and frees its slot.
func (l *lookup) settle(q *query, to candidateState) (i int) {
	i = l.find(q.to)
	if i < 0 {
		return i
	}
	if l.candidates[i].state == waiting {
		l.slots--
	}
	l.candidates[i].state = to
	return i
}

func (l *lookup) answered(now instant, q *query, m *message) {
	i := l.settle(q, answered)
	if i >= 0 {
		i = l.identify(i, m.id)
	}
	if i < 0 {
		l.pump(now)
		return
	}
	l.answers++
	l.candidates[i].token = cloneToken(m.token)
	l.learn(now, q.to, l.candidates[i].path, m)
	if l.sink.answer != nil {
		l.sink.answer(now, q.to, m)
	}
	if i = l.find(q.to); l.done && l.sink.late != nil && l.isNear(i) {
		l.sink.late(now, &l.candidates[i])
	}
	l.pump(now)
}

// identify gives candidate i the id that it has answered with, and the place
// that goes with it: bootstrap hosts have none before, and others may have been
// slandered. A public node that calls itself otherwise than we were told must
// at least fit BEP 42; else it fails, and i is negative.
func (l *lookup) identify(i int, id ID) int {
	c := l.candidates[i]
	if !c.host && c.id == id {
		return i
	}
	if !c.host && !isSecure(id, c.addr.Addr()) {
		l.candidates[i].state = failed
		return -1
	}
	c.id, c.host = id, false
	l.candidates = append(l.candidates[:i], l.candidates[i+1:]...)
	return l.insert(c)
}

// learn adds the nodes of an answer.
func (l *lookup) learn(now instant, from netip.AddrPort, path int, m *message) {
	if l.done {
		return
	}
	list, size, rest := m.nodes, compactNode4, m.nodes6
	if l.f.index == v6 {
		list, size, rest = m.nodes6, compactNode6, m.nodes
	}
	closer := false
	eachNode(list, size, nodesPerReply, func(id ID, a netip.AddrPort) {
		if !reachable(from, a) {
			return
		}
		if i := l.find(a); i >= 0 {
			l.candidates[i].known = l.candidates[i].known || l.candidates[i].path != path
		} else if l.add(id, a, path, 0) {
			closer = true
		}
	})
	l.arrived = !closer
	if other := l.f.c.families[1-l.f.index]; other != nil && l.req.wants[other.index] {
		other.overhear(now, from, rest)
	}
}

func (l *lookup) stalled(now instant, q *query) {
	i := l.settle(q, stalled)
	if l.sink.late != nil && l.arrived && !l.gapped && !l.done && i >= 0 && l.isNear(i) {
		l.fillGaps(now)
	}
	l.pump(now)
}

func (l *lookup) failed(now instant, q *query, _ error) {
	l.settle(q, failed)
	l.pump(now)
}

// finish ends the lookup and tells the sink.
func (l *lookup) finish(now instant) {
	l.f.c.retire(l)
	l.ended = now
	if l.answers > 0 {
		l.f.c.recent.keep(now, l)
	}
	if l.sink.finished != nil {
		l.sink.finished(now, l)
	}
	if l.sink.late == nil || l.retried || !l.retry() {
		return
	}
	for i := range l.candidates {
		if c := &l.candidates[i]; c.state == fresh && c.asked {
			l.ask(now, c)
		}
	}
}

// isNear reports whether candidate i is among the k closest that have answered.
func (l *lookup) isNear(i int) bool {
	n := 0
	for j := range i {
		if l.candidates[j].state == answered {
			n++
		}
	}
	return n < k
}

// closest calls f with the k closest candidates that have answered.
func (l *lookup) closest(f func(c *candidate)) {
	n := 0
	for i := range l.candidates {
		if c := &l.candidates[i]; c.state == answered && n < k {
			f(c)
			n++
		}
	}
}
