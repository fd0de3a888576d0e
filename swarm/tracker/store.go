package tracker

import (
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/limit"
)

const (
	// shards divide the swarms, so that announces do not wait for each other
	// on machines with many processors.
	shards = 16
	// peersMaxDefault bounds the peers of all swarms together. One costs about
	// 250 bytes.
	peersMaxDefault = 400_000
	// peersPerHost bounds the peers of one host in one swarm: several users may
	// share an address, but one must not be able to fill a swarm with itself. A
	// host is an IPv4 address, or the /64 of an IPv6 one.
	peersPerHost = 8
	// evictSample is how many peers are looked at to make room for one: it goes
	// at the cost of the network that has the most, as far as the sample shows.
	evictSample = 16
	// scanFactor bounds the peers that are looked at for an answer, as a
	// multiple of those wanted, when a seed is to be given leeches alone.
	scanFactor = 4
)

// A host and a network are what peers are counted by.
type (
	host    = netip.Addr // as limit.SourceOf has it
	network = netip.Prefix
)

// networkOf returns who is taken for one owner of addresses when there are too
// many peers.
func networkOf(ip netip.Addr) network {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.WithZone("").Prefix(bits) // of an invalid address, the invalid prefix
	return p
}

// A peer is one of a swarm.
type peer struct {
	addr  netip.AddrPort
	swarm *swarm
	next  *peer     // of the same host in this swarm
	at    time.Time // of the last announce
	place int       // in the list of the swarm for its family
	slot  int       // in all of the shard
	seed  bool
}

// A swarm is what is known of one torrent. It is never without peers.
type swarm struct {
	hash      metainfo.Hash
	hosts     map[host]*peer // chains of at most peersPerHost
	v4, v6    []*peer
	seeds     int
	completed int
}

func (s *swarm) list(ip netip.Addr) *[]*peer {
	if ip.Is4() {
		return &s.v4
	}
	return &s.v6
}

func (s *swarm) counts() Counts {
	return Counts{Seeds: s.seeds, Leeches: len(s.v4) + len(s.v6) - s.seeds, Completed: s.completed}
}

// A shard is a part of the swarms. It is safe for concurrent use.
//
// Invariants: len(all) <= peersMax; the sum of networks is len(all); the sum of
// the lists of swarms is len(all).
type shard struct {
	mu       sync.Mutex
	peersMax int
	swarms   map[metainfo.Hash]*swarm
	networks map[network]int
	all      []*peer // in no order
	evicted  uint64
	expired  uint64
}

// A store holds the swarms of a tracker.
type store struct {
	seed   maphash.Seed // strangers must not be able to aim at one shard
	shards [shards]shard
}

func newStore(peersMax int) *store {
	s := &store{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i] = shard{
			peersMax: max(1, peersMax/shards),
			swarms:   make(map[metainfo.Hash]*swarm),
			networks: make(map[network]int),
		}
	}
	return s
}

func (s *store) shard(h metainfo.Hash) *shard {
	return &s.shards[maphash.Bytes(s.seed, h[:])%shards]
}

// An announcement is what the store is told of a peer. Its address is unmapped.
type announcement struct {
	hash  metainfo.Hash
	addr  netip.AddrPort
	event Event
	seed  bool
	want  int
	both  bool // peers of both families are of use
}

// announce takes in an announcement, and appends the peers to be told of it to
// dst4 and dst6, compact.
func (s *store) announce(now time.Time, a *announcement, dst4, dst6 []byte) (Counts, []byte, []byte) {
	sh := s.shard(a.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if a.event == Stopped {
		sh.stop(a)
	} else {
		sh.note(now, a)
	}
	sw := sh.swarms[a.hash]
	if sw == nil {
		return Counts{}, dst4, dst6
	}
	if a.event != Stopped {
		own, other := dst4, dst6
		if !a.addr.Addr().Is4() {
			own, other = dst6, dst4
		}
		before := len(own)
		own = sw.pick(own, *sw.list(a.addr.Addr()), a, a.want)
		if a.both {
			size, rest := compact4, &sw.v6
			if !a.addr.Addr().Is4() {
				size, rest = compact6, &sw.v4
			}
			other = sw.pick(other, *rest, a, a.want-(len(own)-before)/size)
		}
		dst4, dst6 = own, other
		if !a.addr.Addr().Is4() {
			dst4, dst6 = other, own
		}
	}
	return sw.counts(), dst4, dst6
}

// pick appends up to n peers of a list, from a random place on, without the
// asking one, and without seeds if that is one.
func (s *swarm) pick(dst []byte, list []*peer, a *announcement, n int) []byte {
	if len(list) == 0 || n <= 0 {
		return dst
	}
	i := rand.IntN(len(list))
	for range min(len(list), n*scanFactor+1) {
		p := list[i]
		if i++; i == len(list) {
			i = 0
		}
		if p.addr == a.addr || a.seed && p.seed {
			continue
		}
		dst = appendCompact(dst, p.addr)
		if n--; n == 0 {
			break
		}
	}
	return dst
}

// note adds a peer, or renews what is known of it.
func (sh *shard) note(now time.Time, a *announcement) {
	sw := sh.swarms[a.hash]
	if sw == nil {
		sw = &swarm{hash: a.hash, hosts: make(map[host]*peer, 1)}
		sh.swarms[a.hash] = sw
	}
	key := limit.SourceOf(a.addr.Addr())
	var oldest *peer
	n := 0
	for p := sw.hosts[key]; p != nil; p = p.next {
		if p.addr == a.addr {
			if a.event == Completed && !p.seed {
				sw.completed++
			}
			sw.setSeed(p, a.seed)
			p.at = now
			return
		}
		if oldest == nil || p.at.Before(oldest.at) {
			oldest = p
		}
		n++
	}
	p := &peer{addr: a.addr, swarm: sw, at: now, next: sw.hosts[key], slot: len(sh.all)}
	sw.hosts[key] = p
	list := sw.list(a.addr.Addr())
	p.place = len(*list)
	*list = append(*list, p)
	sh.all = append(sh.all, p)
	sh.networks[networkOf(a.addr.Addr())]++
	sw.setSeed(p, a.seed)
	switch {
	case n >= peersPerHost:
		sh.remove(oldest)
		sh.evicted++
	case len(sh.all) > sh.peersMax:
		sh.evict()
	}
}

func (s *swarm) setSeed(p *peer, seed bool) {
	if seed != p.seed {
		if p.seed = seed; seed {
			s.seeds++
		} else {
			s.seeds--
		}
	}
}

func (sh *shard) stop(a *announcement) {
	sw := sh.swarms[a.hash]
	if sw == nil {
		return
	}
	for p := sw.hosts[limit.SourceOf(a.addr.Addr())]; p != nil; p = p.next {
		if p.addr == a.addr {
			sh.remove(p)
			return
		}
	}
}

// evict makes room: of a sample of peers, the oldest of the network that has
// the most peers goes.
func (sh *shard) evict() {
	var worst *peer
	var most int
	for range evictSample {
		p := sh.all[rand.IntN(len(sh.all))]
		n := sh.networks[networkOf(p.addr.Addr())]
		if worst == nil || n > most || n == most && p.at.Before(worst.at) {
			worst, most = p, n
		}
	}
	sh.remove(worst)
	sh.evicted++
}

// remove forgets a peer, and its swarm if it was the last.
func (sh *shard) remove(p *peer) {
	sw := p.swarm
	sw.setSeed(p, false)
	key := limit.SourceOf(p.addr.Addr())
	if first := sw.hosts[key]; first == p {
		if p.next == nil {
			delete(sw.hosts, key)
		} else {
			sw.hosts[key] = p.next
		}
	} else {
		for ; first.next != p; first = first.next {
		}
		first.next = p.next
	}
	list := sw.list(p.addr.Addr())
	last := (*list)[len(*list)-1]
	(*list)[p.place], last.place = last, p.place
	(*list)[len(*list)-1] = nil
	*list = (*list)[:len(*list)-1]

	last = sh.all[len(sh.all)-1]
	sh.all[p.slot], last.slot = last, p.slot
	sh.all[len(sh.all)-1] = nil
	sh.all = sh.all[:len(sh.all)-1]

	n := networkOf(p.addr.Addr())
	if sh.networks[n]--; sh.networks[n] == 0 {
		delete(sh.networks, n)
	}
	if len(sw.v4)+len(sw.v6) == 0 {
		delete(sh.swarms, sw.hash)
	}
}

// scrape returns the counts of a swarm, and false for one that is not known.
func (s *store) scrape(h metainfo.Hash) (Counts, bool) {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sw := sh.swarms[h]; sw != nil {
		return sw.counts(), true
	}
	return Counts{}, false
}

// expire forgets the peers that were silent since before.
func (s *store) expire(before time.Time) {
	for i := range s.shards {
		s.shards[i].expire(before)
	}
}

func (sh *shard) expire(before time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := len(sh.all) - 1; i >= 0; i-- {
		if p := sh.all[i]; p.at.Before(before) {
			sh.remove(p)
			sh.expired++
		}
	}
}

// size returns how much the store holds, and how much it has dropped.
func (s *store) size() (swarms, peers int, evicted, expired uint64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		swarms += len(sh.swarms)
		peers += len(sh.all)
		evicted += sh.evicted
		expired += sh.expired
		sh.mu.Unlock()
	}
	return swarms, peers, evicted, expired
}
