package dht

import (
	"net/netip"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// joinDelayFirst and joinDelayMax bound the back-off between attempts to
	// reach anybody at all: a node may start before its bootstrap node does.
	joinDelayFirst = 200 * time.Millisecond
	joinDelayMax   = time.Minute

	// upkeepPeriod is how often a family maintains its table. A contact that has
	// been silent for contactAge is pinged, in time to stay good.
	upkeepPeriod = 5 * time.Second
	contactAge   = 12 * time.Minute

	// refreshAge is how long a bucket may stay unchanged before it is refreshed,
	// BEP 5.
	refreshAge = 15 * time.Minute

	// fillAge is the first pause between two attempts to fill a bucket with room.
	// It doubles up to refreshAge, since there may be no further nodes.
	fillAge = 2 * time.Minute

	// keepAlive bounds the silence of a family: home routers forget an idle UDP
	// mapping after 30 s or more.
	keepAlive = 25 * time.Second

	// renewGap is the least time between two changes of our id by votes.
	renewGap = 10 * time.Minute

	// votersMax is how many networks' last votes on our address are kept, and
	// votesNeeded how many of them must agree before an address is believed.
	votersMax   = 32
	votesNeeded = 4

	// doubtPings is how many contacts are asked, at most every doubtGap, when an answer
	// names another address of ours than the elected one. They have not answered for
	// doubtAge.
	doubtPings = 4
	doubtGap   = 30 * time.Second
	doubtAge   = 8 * time.Second

	// savedPings bounds the nodes of an earlier run that are pinged at start.
	savedPings = 64

	// hostsMax bounds the addresses of bootstrap hosts, hintsMax the nodes of
	// the other family that we ping for one reply.
	hostsMax = 256
	hintsMax = 4
)

// rejoinDelays are the pauses between the first lookups of our own id. They are
// short because nodes that join at the same instant miss each other at first.
var rejoinDelays = [...]time.Duration{
	300 * time.Millisecond, 1500 * time.Millisecond, 5 * time.Second, 30 * time.Second,
	2 * time.Minute,
}

// smallRejoinMax is the longest such pause in a network too small to fill a bucket,
// where every new node matters.
const smallRejoinMax = 20 * time.Second

// family is the DHT of one address family: an id, a table, a peer store.
type family struct {
	c     *core
	index int
	id    ID
	table table
	rtt   rtt
	votes limit.Votes // on our external address
	peers peerStore

	strangers *strangers

	hosts []netip.AddrPort // bootstrap hosts, resolved
	saved []NodeInfo       // contacts of an earlier run, until one round has asked them

	joined   bool
	joining  bool    // a lookup of our own id runs
	joinAt   instant // when the next such lookup starts
	upkeepAt instant
	sent     instant // the last packet for upkeep
	renewed  instant // the last change of our id
	doubted  instant // when contacts were last asked for our address

	// How many lookups of our own id in a row found somebody, and nobody.
	successes, failures int
}

func newFamily(now instant, c *core, index int, id ID) *family {
	return &family{
		c: c, index: index, id: id, joinAt: now,
		upkeepAt: now + jitter(c, upkeepPeriod),
		table:    newTable(id, c.router, c.strict),
		votes:    limit.NewVotes(votersMax, votesNeeded),
		peers:    newPeerStore(c.limits.Hashes, c.limits.Peers),

		strangers: newStrangers(now, c.router),
	}
}

// jitter returns d, a quarter more or less.
func jitter(c *core, d time.Duration) time.Duration {
	return d*3/4 + time.Duration(c.rng.Int64N(int64(d)/2+1))
}

func (f *family) next() instant {
	if f.joining {
		return f.upkeepAt
	}
	return min(f.joinAt, f.upkeepAt)
}

func (f *family) tick(now instant) {
	if !f.joining && now >= f.joinAt {
		f.join(now)
	}
	if now >= f.upkeepAt {
		f.upkeepAt = now + jitter(f.c, upkeepPeriod)
		f.upkeep(now)
	}
}

// rejoin schedules a fresh join at once, after the network or an address has
// changed.
func (f *family) rejoin(now instant) {
	f.failures, f.successes, f.joinAt = 0, 0, now
	f.strangers.forget()
}

// join looks up our own id. The lookup starts from the saved nodes and, while there
// are few contacts, from the bootstrap hosts.
func (f *family) join(now instant) {
	f.joining = true
	l := f.newLookup(now, &request{method: methodFindNode, target: f.id},
		lookupSink{finished: f.onJoin})
	for _, n := range f.saved {
		l.add(n.ID, n.Addr, l.newPath(), 0)
	}
	l.askFar(now)
	f.c.start(now, l)
}

// onJoin schedules the next lookup of our own id.
func (f *family) onJoin(now instant, l *lookup) {
	f.joining = false
	if l.answers == 0 && f.table.alive() == 0 {
		f.leave()
		f.successes = 0
		delay := joinDelayMax
		if f.failures < 9 { // 200 ms doubled nine times exceeds the maximum
			delay = min(delay, joinDelayFirst<<f.failures)
		}
		f.failures++
		f.joinAt = now + jitter(f.c, delay)
		return
	}
	delay := refreshAge
	if f.successes < len(rejoinDelays) {
		delay = rejoinDelays[f.successes]
	}
	if f.table.count < k {
		delay = min(delay, smallRejoinMax)
	}
	f.pingSaved(now)
	f.failures = 0
	f.successes++
	f.joinAt = now + jitter(f.c, delay)
	if !f.joined {
		f.joined = true
		f.c.joined(f.index)
	}
}

func (f *family) leave() {
	if f.joined {
		f.joined = false
		f.c.lost(f.index)
	}
}

// pingSaved pings those nodes of an earlier run that the lookup did not meet. It
// waits for the first answer, which shows that the network is reachable.
func (f *family) pingSaved(now instant) {
	for i, n := range f.saved {
		if i >= savedPings {
			break
		}
		if f.table.find(&n.ID, n.Addr) == nil {
			f.c.ping(now, n.Addr)
		}
	}
	f.saved = nil
}

// upkeep pings contacts that have long been silent, and keeps the id and the buckets up
// to date.
func (f *family) upkeep(now instant) {
	if f.joined && f.table.alive() == 0 {
		f.leave()
		f.rejoin(now)
	}
	for range 1 + f.table.count/128 {
		age := contactAge
		if now-f.sent >= keepAlive {
			age = 0
		}
		c := f.table.stalest(now, age)
		if c == nil {
			break
		}
		c.probed, f.sent = now, now
		f.c.ping(now, c.addr())
	}
	f.renew(now) // a change of our address within renewGap has left the id as it was
	if depth := f.staleBucket(now); depth >= 0 {
		target := randomIDIn(f.c.rng, f.id, depth)
		l := f.newLookup(now, &request{method: methodFindNode, target: target}, lookupSink{})
		l.askFar(now)
		f.c.start(now, l)
	}
}

// staleBucket returns the depth of a bucket to refresh: an early one that still has
// room, or one that has not changed for refreshAge; else -1.
func (f *family) staleBucket(now instant) int {
	if !f.joined {
		return -1
	}
	last := len(f.table.buckets) - 1
	for depth := range last {
		b := &f.table.buckets[depth]
		if len(b.contacts) < k && now-b.filled >= min(fillAge<<b.fills, refreshAge) {
			b.filled = now
			b.fills = min(b.fills+1, 8)
			return depth
		}
	}
	return f.table.unchanged(now, refreshAge)
}

// onAnswer records the contact, the round trip and the vote of an answer.
func (f *family) onAnswer(now instant, from netip.AddrPort, m *message, took time.Duration) {
	f.rtt.sample(took)
	added, probe := f.table.answered(now, m.id, from, took)
	if added && !f.joined {
		f.joinAt = min(f.joinAt, now)
	}
	if probe.IsValid() {
		f.c.ping(now, probe)
	}
	if a := m.external; usable(a) && familyOf(a.Addr()) == f.index {
		if f.votes.Cast(network(from), a) {
			f.renew(now)
		}
		if f.c.seen != nil {
			f.c.seen(from, a)
		}
		f.doubt(now, a)
	}
}

// doubt asks a few contacts at once when an answer does not fit our elected address: a router
// may have got another address, or forgotten our port, and otherwise it would take minutes
// until most have said so.
func (f *family) doubt(now instant, seen netip.AddrPort) {
	own := f.votes.Elected()
	fits := seen.Addr() == own.Addr() && (own.Port() == 0 || seen.Port() == own.Port())
	if fits || !own.IsValid() || f.doubted != 0 && now-f.doubted < doubtGap {
		return
	}
	f.doubted = now
	for range doubtPings {
		c := f.table.stalest(now, doubtAge)
		if c == nil {
			return
		}
		c.probed = now
		f.c.ping(now, c.addr())
	}
}

// lost records that the contact at addr has failed.
func (f *family) lost(addr netip.AddrPort) { f.table.failed(addr, true) }

// renew replaces our id if it does not fit the external address, BEP 42, at most once
// within renewGap.
func (f *family) renew(now instant) {
	ip := f.votes.Elected().Addr()
	if !ip.IsValid() || isSecure(f.id, ip) || f.renewed != 0 && now-f.renewed < renewGap {
		return
	}
	f.renewed = now
	f.id = secureID(f.c.rng, ip)
	f.table.rebase(now, f.id)
	f.successes, f.joinAt = 0, now
}

// hint pings a node that somebody else mentioned: in a PORT message, a magnet or
// a torrent.
func (f *family) hint(now instant, addr netip.AddrPort) {
	if usable(addr) && f.c.pings.allow(now, addr) {
		f.c.ping(now, addr)
	}
}

// overhear pings nodes of this family from a reply in the other family while this
// one has few contacts: each of the two DHTs helps the other to start.
func (f *family) overhear(now instant, from netip.AddrPort, list []byte) {
	if f.table.count >= k {
		return
	}
	size := compactNode4
	if f.index == v6 {
		size = compactNode6
	}
	eachNode(list, size, hintsMax, func(_ ID, a netip.AddrPort) {
		if reachable(from, a) {
			f.hint(now, a)
		}
	})
}

// setHosts sets the addresses of the bootstrap hosts, and schedules a join at once
// unless the family has joined.
func (f *family) setHosts(now instant, hosts []netip.AddrPort) {
	f.hosts = hosts[:min(len(hosts), hostsMax)]
	if !f.joined && len(hosts) > 0 {
		f.joinAt = min(f.joinAt, now)
	}
}
