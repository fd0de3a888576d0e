package book

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

const (
	// entriesMax bounds the endpoints that are remembered: some times the connections
	// that there can be.
	entriesMax = 2000
	// perSourceMax bounds those of one source that are not proven, so that none can
	// drown the others. What the user names is exempt.
	perSourceMax = entriesMax / 4
	// perTellerMax bounds those that are not proven and that one peer told by peer
	// exchange: two full messages (BEP 11).
	perTellerMax = 100
	// provenMax bounds the endpoints at which a handshake went well, which no others
	// drive out. Beyond it, the one that failed most is forgotten.
	provenMax = entriesMax / 2
)

// A Config is what a Book is told at its birth.
type Config struct {
	// Start is the moment from which the times that are handed in count.
	Start time.Time
	// Rand makes every random choice.
	Rand *rand.Rand
	// Home is where we listen: what counts by host makes an exception of it.
	Home limit.Home
	// Port is where we accept connections; 0 when we do not.
	Port uint16
	// NamedOnly keeps to the peers that the user named.
	NamedOnly bool
	// Priority replaces the canonical priority (BEP 40) where addresses are made up. It is
	// nil otherwise.
	Priority func(endpoint.Endpoint) uint32
}

// A Conn numbers a connection. 0 is none.
type Conn uint32

// A Rumour is somebody's word for an endpoint.
type Rumour struct {
	Endpoint endpoint.Endpoint
	Source   Source
	Vouched  bool       // a tracker told of it, in an earlier run
	Seed     bool       // it is said to have everything
	UTP      bool       // it is said to accept uTP (BEP 29)
	Teller   netip.Addr // the source of the peer that told, of SourcePEX
	Met      time.Time  // when it was connected last, of SourceResume
	// Transport is by which it was met last, of SourceResume.
	Transport endpoint.Transport
}

// vouched reports whether a private torrent takes r.
func (r *Rumour) vouched() bool { return r.Vouched || r.Source.vouches() }

// A Book holds the endpoints that were learnt, and those that are banned.
type Book struct {
	cfg        Config
	own        own
	private    bool                         // only what is vouched for is kept, and dialled
	byEndpoint map[endpoint.Endpoint]*entry // nil before the first entry, as the maps below
	list       []*entry
	perSource  [SourceCount]int32 // entries that are not proven, by who told first
	proven     int                // the other entries
	dialling   int                // entries in that state
	byDial     [SourceCount]int32 // the same, by who told first
	tellers    map[netip.Addr]int
	hosts      map[netip.Addr]*host
	forgotten  int // entries given up because every attempt failed
	bans       bans
	rumours    *limit.Rumours // dials by rumour
	introduced *limit.Rumours // dials by introduction
	returns    returns        // dials to endpoints at which blocks moved
}

// New returns an empty Book.
func New(cfg Config) *Book {
	return &Book{
		cfg:     cfg,
		own:     own{port: cfg.Port},
		bans:    limit.NewBans[endpoint.Endpoint, netip.Prefix](bansMax),
		rumours: limit.NewRumours(cfg.Home), introduced: limit.NewRumours(cfg.Home),
	}
}

// Hear writes down a rumour. It reports whether the endpoint is new to the book, so
// that a dial may follow.
func (b *Book) Hear(now time.Duration, r Rumour) (fresh bool) {
	if r.Source >= SourceCount || b.cfg.NamedOnly && r.Source != SourceUser ||
		b.private && !r.vouched() ||
		!Usable(r.Endpoint) || !r.Source.MayName(r.Endpoint.Addr) || b.Banned(now, r.Endpoint) {
		return false
	}
	e := b.byEndpoint[r.Endpoint]
	if e == nil {
		if e = b.add(&r); e == nil {
			return false
		}
		fresh = true
	}
	e.vouched = e.vouched || r.vouched()
	e.rumouredSeed = e.rumouredSeed || r.Seed
	e.reach.hear(&r)
	if r.Source == SourceUser {
		b.adopt(e)
	}
	if r.Source == SourceResume && !e.proven {
		if !r.Met.IsZero() {
			e.met = r.Met.Sub(b.cfg.Start)
		}
		b.prove(e, true)
	}
	return fresh
}

// add makes an entry, or returns nil if there is no room for one.
func (b *Book) add(r *Rumour) *entry {
	if !b.makeRoom(r) {
		return nil
	}
	e := &entry{endpoint: r.Endpoint, host: b.host(r.Endpoint.Host()), source: r.Source,
		teller: r.Teller, priority: b.Priority(r.Endpoint)}
	if b.byEndpoint == nil { // most of a large seeder's torrents hear of nobody
		b.byEndpoint = map[endpoint.Endpoint]*entry{}
	}
	b.byEndpoint[r.Endpoint] = e
	b.list = append(b.list, e)
	b.count(e, 1)
	e.host.entries++
	return e
}

// adopt makes e one that the user named.
func (b *Book) adopt(e *entry) {
	if e.source == SourceUser {
		return
	}
	state := e.state
	b.count(e, -1)
	b.setState(e, stateIdle)
	e.source = SourceUser
	b.setState(e, state)
	b.count(e, 1)
}

// makeRoom reports whether another entry may be added. Where a share is used up, it
// forgets an entry of the same host, teller or source first, or else any.
func (b *Book) makeRoom(r *Rumour) bool {
	ip := r.Endpoint.Host()
	var among func(e *entry) bool
	switch {
	case r.Source != SourceUser && b.crowded(ip):
		// The new one may be the living one among those that an enemy made up.
		h := b.host(ip)
		among = func(e *entry) bool { return e.host == h && e.failures > 0 }
	case r.Teller.IsValid() && b.tellers[r.Teller] >= perTellerMax:
		among = func(e *entry) bool { return e.teller == r.Teller }
	case r.Source != SourceUser && b.perSource[r.Source] >= perSourceMax:
		among = func(e *entry) bool { return e.source == r.Source }
	case len(b.list) >= entriesMax:
		among = func(*entry) bool { return true }
	default:
		return true
	}
	return b.evict(among)
}

// evict forgets the idle entry that failed most of those that among allows and that are
// neither proven nor named by the user. Equals go at random.
func (b *Book) evict(among func(*entry) bool) bool {
	var worst *entry
	start := b.cfg.Rand.IntN(len(b.list))
	for i := range b.list {
		e := b.list[(start+i)%len(b.list)]
		if e.state != stateIdle || e.source == SourceUser || e.proven || !among(e) {
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

// count adds n to the shares that e takes.
func (b *Book) count(e *entry, n int) {
	if e.proven {
		b.proven += n
		return
	}
	b.perSource[e.source] += int32(n)
	if !e.teller.IsValid() {
		return
	}
	if b.tellers == nil {
		b.tellers = map[netip.Addr]int{}
	}
	if b.tellers[e.teller] += n; b.tellers[e.teller] == 0 {
		delete(b.tellers, e.teller)
	}
}

// prove records whether e is proven. When too many are, the one that failed most is
// forgotten, and of equals the one that was met longest ago.
func (b *Book) prove(e *entry, proven bool) {
	if e.proven == proven {
		return
	}
	b.count(e, -1)
	e.proven = proven
	b.count(e, 1)
	if b.proven <= provenMax {
		return
	}
	var worst *entry
	for _, o := range b.list {
		if !o.proven || o == e || o.state != stateIdle || o.source == SourceUser {
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

// forget removes e from the book.
func (b *Book) forget(e *entry) {
	delete(b.byEndpoint, e.endpoint)
	b.count(e, -1)
	b.setState(e, stateIdle)
	b.leaveHost(e.endpoint.Host())
	for i, o := range b.list {
		if o == e {
			last := len(b.list) - 1
			b.list[i] = b.list[last]
			b.list[last] = nil
			b.list = b.list[:last]
			return
		}
	}
}

// Private reports whether the book is that of a private torrent.
func (b *Book) Private() bool { return b.private }

// Shares reports whether others may be told of the peers, and may tell of peers: not in a
// private torrent (BEP 27), nor where the user wants only the peers that they named.
func (b *Book) Shares() bool { return !b.private && !b.cfg.NamedOnly }

// SetPrivate makes the book that of a private torrent (BEP 27): it forgets what neither
// a tracker nor the user named, but for endpoints that are connected or being dialled,
// and takes nothing else from now on.
func (b *Book) SetPrivate() {
	b.private = true
	for i := len(b.list) - 1; i >= 0; i-- {
		if e := b.list[i]; !e.vouched && e.state == stateIdle {
			b.forget(e)
		}
	}
}

// Vouched reports whether a tracker or the user named at.
func (b *Book) Vouched(at endpoint.Endpoint) bool {
	e := b.byEndpoint[at]
	return e != nil && e.vouched
}

// Knows reports whether at is in the book.
func (b *Book) Knows(at endpoint.Endpoint) bool { return b.byEndpoint[at] != nil }

// Dialling returns how many attempts are under way.
func (b *Book) Dialling() int { return b.dialling }
