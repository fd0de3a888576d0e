package core

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const (
	// addressesMax bounds the addresses that are remembered: some times the
	// connections that there can be.
	addressesMax = 2000
	// perSourceMax bounds those of one source that are not proven, so that none
	// can drown the others. What the user names is exempt.
	perSourceMax = addressesMax / 4
	// perTellerMax bounds, of those that are not proven, what one peer told by
	// peer exchange: two full messages (BEP 11).
	perTellerMax = 2 * wire.PEXMax
	// provenMax bounds the addresses at which a handshake went well, which no
	// others drive out. Those that fail most are proven no longer beyond it.
	provenMax = addressesMax / 2
	// bansMax bounds the banned addresses that are remembered.
	bansMax = 1024
	// banFor is how long an address stays banned.
	banFor = time.Hour
	// failuresMax is how often an address may fail before it is forgotten.
	// What the user names never is.
	failuresMax = 6

	// The wait after a failure doubles from the first to the last.
	retryFirst = 5 * time.Second
	retryLast  = 30 * time.Minute
	// What the user names is tried again after a second for namedSteady times, and
	// then after a quarter more each time, up to namedLast: a peer that comes is met
	// after a quarter of the time that it was awaited.
	namedFirst  = time.Second
	namedLast   = 30 * time.Second
	namedSteady = 4
	// unwantedAfter is the least wait after a connection that we ended ourselves.
	unwantedAfter = 8 * time.Second
	// steadyAfter is how old a connection is that was worth making although nothing
	// moved: failures before it count no more.
	steadyAfter = time.Minute
	// againAfter is the wait before a peer that was connected is dialled again.
	againAfter = 2 * time.Second
	// upgradeAfter is the same for one that is to be connected to by another
	// info-hash: time for it to see the end of the first connection.
	upgradeAfter = 200 * time.Millisecond
)

type entryState uint8

const (
	entryIdle entryState = iota
	entryDialling
	entryConnected
	entrySelf
)

// An entry is what is known of one address.
type entry struct {
	endpoint endpoint.Endpoint
	host     *host      // of endpoint
	source   Source     // who told of it first
	sources  sourceSet  // who has told of it
	teller   netip.Addr // the source of the peer that did, if it was by peer exchange
	state    entryState
	failures uint8
	good     bool      // a handshake went well once: it is proven
	seed     bool      // it had everything when last seen
	rumour   bool      // others say that it has everything
	fault    DialFault // how the last dial failed; FaultNone after a handshake
	counted  bool      // its last dial counts as one to a rumour
	peer     PeerRef
	priority uint32        // canonical (BEP 40)
	next     time.Duration // not to be dialled before
	met      time.Duration // when it was connected last, if it is good
	said     time.Time     // the same, if that was in an earlier run

	delivered time.Duration // when blocks moved here last; 0: never, or not to be counted on
	tries     uint8         // dials since the connection was lost
}

// A sourceSet is a set of sources.
type sourceSet uint8

func (s sourceSet) has(source Source) bool { return s&(1<<source) != 0 }

// vouched reports whether a peer may be connected to in a private torrent: a
// tracker told of it (BEP 27), or the user, or the link that the user opened.
func (s sourceSet) vouched() bool {
	return s.has(SourceTracker) || s.has(SourceUser) || s.has(SourceLink)
}

// A book holds the addresses that were learnt, and those that are banned.
type book struct {
	home       limit.Home // where we listen ourselves
	byEndpoint map[endpoint.Endpoint]*entry
	list       []*entry
	perSource  [sourceCount]int // addresses that are not proven, by who told first
	proven     int              // the others
	dialling   int
	given      int                // addresses that were given up because they failed too often
	byDial     [sourceCount]int   // those that are being dialled, by who told first
	tellers    map[netip.Addr]int // addresses that are not proven, by teller
	hosts      map[netip.Addr]*host
	bans       map[endpoint.Endpoint]time.Duration // until when, by banKey
}

func newBook(home limit.Home) book {
	return book{
		home:       home,
		byEndpoint: map[endpoint.Endpoint]*entry{},
		tellers:    map[netip.Addr]int{},
		hosts:      map[netip.Addr]*host{},
		bans:       map[endpoint.Endpoint]time.Duration{},
	}
}

// A rumour is an address that somebody has told.
type rumour struct {
	endpoint endpoint.Endpoint
	source   Source
	sources  sourceSet  // has source
	teller   netip.Addr // the source of the peer, if it was by peer exchange
}

// add notes an address and returns what is known of it, nil if there is no place
// for it, and whether it is new. When there are too many, one that failed makes
// room, else one chosen by pick of the candidates; one that is proven never does.
func (b *book) add(r rumour, pick func(n int) int) (e *entry, fresh bool) {
	if e := b.byEndpoint[r.endpoint]; e != nil {
		e.sources |= r.sources
		if r.source == SourceUser && e.source != SourceUser {
			state := e.state
			b.count(e, -1)
			b.setState(e, entryIdle)
			e.source = r.source
			b.setState(e, state)
			b.count(e, 1)
		}
		return e, false
	}
	if !b.makeRoom(r, pick) {
		return nil, false
	}
	e = &entry{endpoint: r.endpoint, host: b.host(r.endpoint.Host()), source: r.source,
		sources: r.sources,
		teller:  r.teller}
	b.byEndpoint[r.endpoint] = e
	b.list = append(b.list, e)
	b.count(e, 1)
	e.host.entries++
	return e, true
}

// makeRoom reports whether another address may be added, having forgotten one of
// the same teller, source or of any, if that has its share.
func (b *book) makeRoom(r rumour, pick func(n int) int) bool {
	var among func(e *entry) bool
	switch {
	case r.source != SourceUser && b.crowded(r.endpoint.Host()):
		// It may be the living one among those that an enemy made up.
		h := b.host(r.endpoint.Host())
		among = func(e *entry) bool { return e.host == h && e.failures > 0 }
	case r.teller.IsValid() && b.tellers[r.teller] >= perTellerMax:
		among = func(e *entry) bool { return e.teller == r.teller }
	case r.source != SourceUser && b.perSource[r.source] >= perSourceMax:
		among = func(e *entry) bool { return e.source == r.source }
	case len(b.list) >= addressesMax:
		among = func(*entry) bool { return true }
	default:
		return true
	}
	return b.evict(among, pick)
}

// evict forgets an idle address that is not proven, of those that are asked for.
func (b *book) evict(among func(*entry) bool, pick func(n int) int) bool {
	var worst *entry
	start := pick(len(b.list))
	for i := range b.list {
		e := b.list[(start+i)%len(b.list)]
		if e.state != entryIdle || e.source == SourceUser || e.good || !among(e) {
			continue
		}
		if worst == nil || e.failures > worst.failures {
			worst = e
		}
	}
	if worst == nil {
		return false
	}
	b.forget(worst)
	return true
}

// count adds n to what e counts for.
func (b *book) count(e *entry, n int) {
	if e.good {
		b.proven += n
		return
	}
	b.perSource[e.source] += n
	if !e.teller.IsValid() {
		return
	}
	if b.tellers[e.teller] += n; b.tellers[e.teller] == 0 {
		delete(b.tellers, e.teller)
	}
}

// prove notes whether e is proven.
func (b *book) prove(e *entry, good bool) {
	if e.good == good {
		return
	}
	b.count(e, -1)
	e.good = good
	b.count(e, 1)
	if b.proven <= provenMax {
		return
	}
	var worst *entry
	for _, o := range b.list {
		if !o.good || o == e || o.state != entryIdle || o.source == SourceUser {
			continue
		}
		if worst == nil || o.failures > worst.failures ||
			o.failures == worst.failures && o.met < worst.met {
			worst = o
		}
	}
	if worst != nil {
		b.forget(worst)
	}
}

func (b *book) forget(e *entry) {
	delete(b.byEndpoint, e.endpoint)
	b.count(e, -1)
	b.setState(e, entryIdle)
	b.leaveHost(e.endpoint.Host())
	if i := slices.Index(b.list, e); i >= 0 {
		last := len(b.list) - 1
		b.list[i] = b.list[last]
		b.list[last] = nil
		b.list = b.list[:last]
	}
}

// connected notes that a handshake at went well. The address of an
// incoming connection says nothing of where the peer can be reached.
func (b *book) connected(at endpoint.Endpoint, ref PeerRef, outgoing bool, now time.Duration) {
	if e := b.byEndpoint[at]; outgoing && e != nil {
		b.setState(e, entryConnected)
		e.peer, e.met, e.fault = ref, now, FaultNone
		b.prove(e, true)
		b.reached(at.Host())
	}
}

// joined notes that the peer that says to be reached at an endpoint is connected.
func (b *book) joined(at endpoint.Endpoint, ref PeerRef, now time.Duration) {
	if e := b.byEndpoint[at]; e != nil && e.state != entrySelf {
		b.setState(e, entryConnected)
		e.peer, e.met = ref, now
	}
}

// closed notes that a connection ended, and when to try again.
func (b *book) closed(p *peer, reason Reason, broken bool, now time.Duration) {
	for _, at := range [...]endpoint.Endpoint{p.listen, p.endpoint} {
		e := b.byEndpoint[at]
		if e == nil || e.state != entryConnected || e.peer != p.ref {
			continue
		}
		b.setState(e, entryIdle)
		e.peer = 0
		e.seed, e.met = p.has.isSeed(), now
		if p.down.sum() > 0 {
			b.prove(e, true)
		}
		if p.down.sum()+p.up.sum() > 0 || now-p.since >= steadyAfter {
			e.failures = 0
		}
		e.next = now + againAfter
		if e.parted(p, reason, broken, now) {
			continue
		}
		switch reason {
		case ReasonUpgrade:
			e.next, e.seed = now+upgradeAfter, false
		case ReasonNone, ReasonIdle, ReasonRefresh, ReasonDuplicate:
			// A peer that hangs up at once each time is as one that fails.
			if p.down.sum() == 0 && p.up.sum() == 0 && reason != ReasonRefresh {
				b.failed(e, now, now%retryFirst)
			}
		default:
			e.failures = max(e.failures, 3)
			b.failed(e, now, now%retryFirst)
			e.next = max(e.next, now+unwantedAfter)
		}
	}
}

// failed puts the next attempt off, by up to a fifth more than the plan so that
// attempts spread. An address that failed too often is forgotten.
func (b *book) failed(e *entry, now, jitter time.Duration) {
	if e.faithful(now) {
		e.lost(now, jitter)
		return
	}
	wait := min(retryLast, retryFirst<<min(e.failures, 12))
	if e.source == SourceUser {
		wait = namedWait(int(e.failures))
	}
	e.next = now + wait + jitter%(wait/5+1)
	e.failures = min(e.failures+1, 100)
	if !e.good && e.source != SourceUser {
		b.missed(e.endpoint.Host(), now)
	}
	if e.failures > failuresMax && e.source != SourceUser && !e.good {
		b.given++
		b.forget(e)
	}
}

// namedWait returns the wait before what the user named is dialled again.
func namedWait(failures int) time.Duration {
	wait := namedFirst
	for range failures - namedSteady + 1 {
		if wait += wait / 4; wait >= namedLast {
			return namedLast
		}
	}
	return wait
}

func (b *book) setState(e *entry, s entryState) {
	if e.state == entryDialling {
		b.dialling--
		b.byDial[e.source]--
		e.host.dialling--
	}
	if s == entryDialling {
		b.dialling++
		b.byDial[e.source]++
		e.host.dialling++
	}
	e.state = s
}

// isSelf notes that at is our own.
func (b *book) isSelf(at endpoint.Endpoint) {
	if e := b.byEndpoint[at]; e != nil {
		b.setState(e, entrySelf)
	}
}

// ban bans the endpoints of a peer, and what shares their banKey.
func (b *book) ban(at, listen endpoint.Endpoint, now time.Duration) {
	for _, a := range [...]endpoint.Endpoint{at, listen} {
		if !a.IsValid() {
			continue
		}
		key := b.banKey(a)
		if _, ok := b.bans[key]; !ok && len(b.bans) >= bansMax {
			b.unban(now)
		}
		b.bans[key] = now + banFor
	}
}

// banKey returns what is banned when a peer at e is: its source, with port 0. At home,
// where other nodes are, and without an address it is the endpoint alone.
func (b *book) banKey(e endpoint.Endpoint) endpoint.Endpoint {
	if !e.Host().IsValid() || b.home.Has(e.Host()) {
		return e
	}
	return endpoint.IP(netip.AddrPortFrom(limit.SourceOf(e.Host()), 0))
}

// unban forgets the bans that are over, or else the oldest.
func (b *book) unban(now time.Duration) {
	var oldest endpoint.Endpoint
	for a, until := range b.bans {
		if until <= now {
			delete(b.bans, a)
		} else if u, ok := b.bans[oldest]; !ok || until < u || until == u && a.Compare(oldest) < 0 {
			oldest = a
		}
	}
	if len(b.bans) >= bansMax {
		delete(b.bans, oldest)
	}
}

func (b *book) banned(at endpoint.Endpoint, now time.Duration) bool {
	return len(b.bans) > 0 && b.bans[b.banKey(at)] > now
}
