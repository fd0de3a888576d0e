package dht

import (
	"bytes"
	"math/rand/v2"
	"net/netip"

	"swarmnode/metainfo/bencode"
)

// The indices of the two families.
const (
	v4 = iota
	v6
	families
)

// familyOf returns the index of the family of a.
func familyOf(a netip.Addr) int {
	if a.Is4() {
		return v4
	}
	return v6
}

// coreConfig is what the core needs of a Config.
type coreConfig struct {
	limits   Limits // all fields set
	readOnly bool
	router   bool
	strict   bool // BEP 42 enforced
	blocked  func(netip.Addr) bool
	seen     func(by, as netip.AddrPort) // may be nil
	rng      *rand.Rand

	// send hands one packet to the network. It must not keep b.
	send func(to netip.AddrPort, b []byte)
	// joined is called when the first lookup of a family's own id has found
	// somebody, lost when all contacts of a family have gone silent.
	joined func(family int)
	lost   func(family int)
}

// core is the whole node as a state machine: packets, commands and the time
// come in, packets go out through send. It has no goroutine, lock or clock and
// is owned by one loop.
type core struct {
	coreConfig
	families [families]*family // nil where there is no connection
	queries  queries
	lookups  []*lookup // those that run, at most lookupsMax
	turns    turns     // of lookups that wait for budget
	cache    lookupCache

	postponed     []*storeQuery // waiting for budget, oldest first, at most postponedMax
	postponedWake instant       // when they are tried again

	watchers map[ID][]*watcher
	public   [families]uint16                       // see Node.SetPublicPorts
	grant    func(asker netip.Addr) TurnCredentials // nil without a TURN server
	tokens   tokens
	items    itemStore
	limiter  limiter
	tokened  limiter // for queries with a valid token
	replies  bucket  // bytes of answers
	budget   budget
	pings    pingback
	heard    instant // when any node last answered
	swept    instant // when the stores were last cleared of expired entries
	stats    Stats

	reader  bencode.Reader
	in      message
	scratch []byte
	nearest [2 * k]*contact
}

func newCore(now instant, cfg coreConfig) *core {
	l := cfg.limits
	return &core{
		coreConfig:    cfg,
		queries:       newQueries(),
		watchers:      make(map[ID][]*watcher),
		tokens:        newTokens(now, cfg.rng),
		items:         newItemStore(l.Items),
		limiter:       newLimiter(l.QueriesIn, l.QueriesInBurst),
		tokened:       newLimiter(l.QueriesIn, l.QueriesInBurst),
		budget:        newBudget(l.QueriesOut, l.QueriesOutBurst, l.AddressesOut),
		pings:         newPingback(),
		cache:         make(lookupCache),
		postponedWake: forever,
		turns:         turns{wake: forever},
		swept:         now,
	}
}

// addFamily opens the DHT of one family. A zero id is replaced by a random one.
func (c *core) addFamily(now instant, index int, id ID) *family {
	if id == (ID{}) {
		id = randomID(c.rng)
	}
	f := newFamily(now, c, index, id)
	c.families[index] = f
	return f
}

// receive handles one packet from the network. It does not keep b.
func (c *core) receive(now instant, from netip.AddrPort, b []byte) {
	c.stats.PacketsIn++
	f := c.families[familyOf(from.Addr())]
	if f == nil || !usable(from) || c.blocked != nil && c.blocked(from.Addr()) {
		c.stats.Dropped++
		return
	}
	m := &c.in
	if err := m.parse(&c.reader, b); err != nil {
		c.stats.Malformed++
		return
	}
	switch m.kind {
	case 'q':
		c.onQuery(now, f, from, m)
	case 'r', 'e':
		c.onReply(now, f, from, m)
	}
}

// onReply matches an answer to its query by transaction and by address. It drops
// any other answer, so a third party cannot forge one.
func (c *core) onReply(now instant, f *family, from netip.AddrPort, m *message) {
	q := c.queries.match(m.tid, from)
	if q == nil {
		c.stats.Unsolicited++
		return
	}
	c.queries.remove(q)
	c.heard = now
	took := now - q.sent
	if m.kind == 'e' {
		c.stats.Answers++
		text := m.errText[:min(len(m.errText), remoteTextMax)]
		q.owner.failed(now, q, &RemoteError{int(m.errCode), string(text)})
		return
	}
	if !m.hasID || m.id == f.id {
		// Without an id of its own the node is broken or lying: ignore the rest.
		c.stats.Malformed++
		f.lost(from)
		q.owner.failed(now, q, ErrTimeout)
		return
	}
	c.stats.Answers++
	f.onAnswer(now, from, m, took)
	q.owner.answered(now, q, m)
}

// ask sends a query and registers q for its answer. On an error nothing was sent:
// ErrBusy means that the budget or the number of open queries does not allow the
// query now, ErrFamily that the address can never be asked.
func (c *core) ask(now instant, to netip.AddrPort, r *request, q *query) error {
	f := c.families[familyOf(to.Addr())]
	if f == nil || !usable(to) || c.blocked != nil && c.blocked(to.Addr()) {
		return ErrFamily
	}
	if c.queries.full() || !c.budget.take(now, to) {
		c.stats.Throttled++
		return ErrBusy
	}
	q.to, q.sent = to, now
	q.next = now + f.rtt.timeout(q.rtt)
	c.queries.add(q, c.rng)
	c.scratch = appendQuery(c.scratch[:0], q.tid, f.id, c.readOnly, r)
	c.stats.QueriesOut++
	c.transmit(now, to, c.scratch)
	return nil
}

func (c *core) transmit(now instant, to netip.AddrPort, b []byte) {
	c.stats.PacketsOut++
	c.stats.BytesOut += uint64(len(b))
	if f := c.families[familyOf(to.Addr())]; f != nil {
		f.strangers.sent(now, to.Addr())
	}
	c.send(to, b)
}

// next returns when tick has to be called.
func (c *core) next() instant {
	at := min(c.queries.next(), c.postponedWake)
	for _, f := range c.families {
		if f != nil {
			at = min(at, f.next())
		}
	}
	return min(at, c.turns.wake, c.swept+sweepPeriod)
}

// tick runs everything that is due.
func (c *core) tick(now instant) {
	for {
		q := c.queries.due(now)
		if q == nil {
			break
		}
		c.expire(now, q)
	}
	if now >= c.postponedWake {
		c.askPostponed(now)
	}
	c.turns.tick(now)
	for _, f := range c.families {
		if f != nil {
			f.tick(now)
		}
	}
	if now-c.swept >= sweepPeriod {
		c.sweep(now)
	}
}

// expire handles the short or the full timeout of a query.
func (c *core) expire(now instant, q *query) {
	if !q.slow {
		q.slow = true
		q.next = q.sent + queryTimeout
		c.queries.fix(q)
		q.owner.stalled(now, q)
		return
	}
	c.queries.remove(q)
	c.stats.TimedOut++
	c.families[familyOf(q.to.Addr())].table.failed(q.to, c.heard > q.sent)
	q.owner.failed(now, q, ErrTimeout)
}

// sweepPeriod is how often expired entries are removed from stores and caches.
const sweepPeriod = tokenPeriod / 5

func (c *core) sweep(now instant) {
	c.swept = now
	c.tokens.rotate(now, c.rng)
	c.items.expire(now)
	c.pings.expire(now)
	c.cache.expire(now)
	c.cache = rebuilt(c.cache)
	for _, l := range []*limiter{&c.limiter, &c.tokened} {
		l.forget(now)
		l.sources = rebuilt(l.sources)
	}
	c.queries.byTid = rebuilt(c.queries.byTid)
	for _, f := range c.families {
		if f != nil {
			f.peers.expire(now)
		}
	}
}

// rebuilt returns a copy of m that takes no more memory than its entries need. A
// map never shrinks, and a node is busiest when it joins.
func rebuilt[K comparable, V any](m map[K]V) map[K]V {
	small := make(map[K]V, len(m))
	for key, value := range m {
		small[key] = value
	}
	return small
}

// watcher is told of each peer that announces a target to us.
type watcher struct {
	found func(netip.AddrPort)
}

func (c *core) watch(target ID, w *watcher) { c.watchers[target] = append(c.watchers[target], w) }

func (c *core) unwatch(target ID, w *watcher) {
	list := c.watchers[target]
	for i := range list {
		if list[i] == w {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(c.watchers, target)
		return
	}
	c.watchers[target] = list
}

// cloneToken copies a token out of a packet. It returns nil for a token of more
// than tokenMax bytes.
func cloneToken(token []byte) []byte {
	if len(token) > tokenMax {
		return nil
	}
	return bytes.Clone(token)
}
