package dht

import (
	"net/netip"
	"time"
)

const (
	// alpha bounds the queries of a lookup that wait for an answer within their
	// short timeout. Once an answer names no node closer than those known, the
	// lookup has arrived: it asks all of the k closest at once, since it has to
	// ask them anyway. For the same reason it never delays queries to the
	// alphaNearest closest candidates.
	alpha        = 5
	alphaNearest = 4

	// candidatesMax bounds the nodes that a lookup remembers, askedMax those
	// that it asks. In an honest network it asks 10 to 30.
	candidatesMax = 128
	askedMax      = 160

	// nodesPerReply bounds the nodes that count of one answer. BEP 5 says 8; some
	// clients send 16.
	nodesPerReply = 16

	// candidatesPerNetwork bounds the candidates of one /24 or /64, so that
	// one party cannot fill the neighbourhood of a target.
	candidatesPerNetwork = 2

	// pathsMax is how many paths are told apart, and pathShare how many of the
	// k closest may be known from one path alone. A party that fills the
	// neighbourhood of a target with its own nodes names only these; a lookup
	// must see beyond them.
	pathsMax  = 16
	pathShare = 3

	// lookupsMax bounds the lookups that run at one time.
	lookupsMax = 256

	// refineQueries is how many of the nodes that answered are asked a second time
	// when others close to the target are silent. An answer holds k nodes; if some
	// of them are dead, it leaves out living nodes that are among the k closest.
	// Only lookups that store something are refined.
	refineQueries = 4

	// hostsAsked is how many bootstrap hosts a lookup asks when it knows fewer
	// than k contacts.
	hostsAsked = 16
)

type candidateState uint8

const (
	fresh    candidateState = iota // not asked yet
	waiting                        // asked, within the short timeout
	stalled                        // asked, past it: the slot is free, an answer still counts
	answered                       // and its id is the one that it answered with
	failed
)

// candidate is a node that a lookup has heard of.
type candidate struct {
	id    ID
	addr  netip.AddrPort
	rtt   time.Duration // as the table knows it, or zero
	token []byte
	path  int  // which of the first candidates led here
	known bool // from another path too
	state candidateState
	asked bool
	host  bool // a bootstrap host, whose id is unknown: always last
}

// lookupSink receives the results of a lookup. Each function may be nil.
type lookupSink struct {
	// answer is called with each answer, also with those after finished.
	answer func(now instant, from netip.AddrPort, m *message)
	// satisfied is called at the end of the lookup. If it reports false, the
	// silent nodes are asked once more before the lookup finishes.
	satisfied func() bool
	// finished is called once; only late answers come after it.
	finished func(now instant, l *lookup)
	// late is called with nodes among the k closest that answer after finished.
	// A lookup with late stores something: it is refined, and asks silent nodes
	// once more at its end.
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
	arrived    bool // the last answer named no node closer than those known
	retried    bool // the silent nodes have been asked again
	paths      int  // of the first candidates
	refining   int  // open queries of refine
	refined    bool // refine has sent its queries
	done       bool
	began      instant
	ended      instant
	queued     bool // waits for budget, in turns
	served     bool // asked somebody in its last turn
}

// newLookup prepares a lookup from what the family knows about the target.
func (f *family) newLookup(now instant, req *request, sink lookupSink) *lookup {
	l := &lookup{f: f, req: *req, sink: sink, began: now}
	if other := f.c.families[1-f.index]; other != nil && other.table.count < k {
		l.req.wants = [2]bool{true, true}
	}
	cached := l.newPath()
	for _, n := range f.c.cache.get(now, f.index, req.target) {
		l.add(n.id, n.at.addrPort(), cached, 0)
	}
	// More than k contacts, since some may be dead by now.
	near := f.c.nearest[:f.table.closest(&req.target, f.c.nearest[:])]
	for _, c := range near {
		l.add(c.id, c.addr(), l.newPath(), c.rtt)
	}
	if len(near) < k {
		l.addHosts()
	}
	return l
}

// addHosts adds up to hostsAsked bootstrap hosts, chosen at random.
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

// start runs l. When lookupsMax lookups run already, l ends at once without having
// asked anybody.
func (c *core) start(now instant, l *lookup) {
	if len(c.lookups) >= lookupsMax {
		l.finish(now)
		return
	}
	c.stats.Lookups++
	c.lookups = append(c.lookups, l)
	l.advance(now)
}

// stop ends l and calls nothing of its sink.
func (c *core) stop(l *lookup) {
	l.sink = lookupSink{}
	c.retire(l)
}

// retire removes l from the running lookups.
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

// newPath returns the number of the next path. Beyond pathsMax, paths share
// numbers.
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

// add inserts a candidate by distance and reports whether it is the closest of all.
// An address is one candidate, whatever ids others give it.
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

// advance sends the queries that are due now, and finishes the lookup when no
// answer is left to wait for.
func (l *lookup) advance(now instant) {
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
	case w.open || w.silent && l.refining > 0:
	case !l.retried && l.sink.satisfied != nil && !l.sink.satisfied() && l.retry():
		l.advance(now)
	default:
		l.finish(now)
	}
}

// window is the part of the candidates that a lookup considers: the k closest that
// are not silent, and further ones until k of them count.
type window struct {
	paths   int
	live    int           // candidates that are not silent
	counted int           // live ones, at most pathShare of them known from one path alone
	open    bool          // somebody in the window has yet to answer
	silent  bool          // somebody in the window has not answered in time
	share   [pathsMax]int // live candidates known from each path alone
}

// lonely reports whether only one of several paths has named c.
func (w *window) lonely(c *candidate) bool { return w.paths > 1 && !c.known }

// full reports whether c is beyond the k closest and cannot count, as the share of
// its path is used up.
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

// retry makes the silent candidates among the k closest fresh again, once per
// lookup, and reports whether there are any.
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

// ask sends the query to c, or queues the lookup for budget. It reports false if c
// cannot be asked at all.
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

// conclude records the outcome of a query as its candidate's state, and frees the
// candidate's slot.
func (l *lookup) conclude(q *query, to candidateState) (i int) {
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
	i := l.conclude(q, answered)
	if i >= 0 {
		i = l.identify(i, m.id)
	}
	if i < 0 {
		l.advance(now)
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
	l.advance(now)
}

// identify moves candidate i to the place of the id that it has answered with, and
// returns its new index. The ids of bootstrap hosts are unknown until then, and
// those of other candidates are hearsay. A public node whose id is not the one that
// we were told must at least obey BEP 42; otherwise it fails and the index is -1.
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

// learn adds the nodes of an answer to the candidates.
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
	i := l.conclude(q, stalled)
	if l.sink.late != nil && l.arrived && !l.refined && !l.done && i >= 0 && l.isNear(i) {
		l.refine(now)
	}
	l.advance(now)
}

func (l *lookup) failed(now instant, q *query, _ error) {
	l.conclude(q, failed)
	l.advance(now)
}

// finish ends the lookup and calls the sink.
func (l *lookup) finish(now instant) {
	l.f.c.retire(l)
	l.ended = now
	if l.answers > 0 {
		l.f.c.cache.add(now, l)
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
