package tracker

import (
	"encoding/binary"
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
	// peersMaxDefault bounds the peers of all swarms together.
	peersMaxDefault = 400_000
	// PeerBytes bounds the memory of a peer, in bytes. A peer that is alone in its
	// swarm and in its network takes 230 to 300 bytes, depending on the unused room
	// of growing maps. A peer in a large swarm takes 110.
	PeerBytes = 320
	// peersPerHost bounds the peers of one host in one swarm: several users may
	// share an address, but no single user may fill a swarm. A host is an IPv4
	// address, or the /64 of an IPv6 one.
	peersPerHost = 8
	// evictSample is how many random peers are compared to make room for one. The
	// network with the most peers, as far as the sample shows, loses one.
	evictSample = 16
	// scanFactor bounds the peers that are read for an answer, as a multiple of
	// those wanted: an answer to a seed skips seeds.
	scanFactor = 4
	// seedsForSeed is how many seeds are in the answer to a seed that has just started.
	// aria2 calls itself a seed while it has a magnet link alone: it does not know yet how
	// much it lacks.
	seedsForSeed = 5
	// spareMax bounds the capacity that a shard keeps for its peers, as a multiple
	// of their number.
	spareMax = 4
)

// A network is the block of addresses that counts as one owner when there are too
// many peers or connections.
type network = netip.Prefix

// networkOf returns the network of an address: its /24 or /48.
func networkOf(ip netip.Addr) network {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.WithZone("").Prefix(bits) // of an invalid address, the invalid prefix
	return p
}

// A networkKey is a network in eight bytes.
type networkKey uint64

func networkKeyOf(ip netip.Addr) networkKey {
	b := ip.As16()
	if ip.Is4() {
		const isFour = 1 << 63
		return isFour | networkKey(binary.BigEndian.Uint32(b[12:])>>8)
	}
	return networkKey(binary.BigEndian.Uint64(b[:8]) >> 16)
}

// A slot is the index of a peer in its shard. It can change when another peer is
// removed.
type slot = uint32

// noSlot ends a chain.
const noSlot = ^slot(0)

// A peer is a member of a swarm. There may be millions, so its size matters.
type peer struct {
	ip    [16]byte // IPv4 mapped
	swarm *swarm
	at    int32  // time of the last announce, in seconds since the store's start
	place uint32 // index in the swarm's list of its family
	next  slot   // in its chain, see shard
	port  uint16
	seed  bool
}

func (p *peer) addr() netip.Addr { return netip.AddrFrom16(p.ip).Unmap() }

func (p *peer) addrPort() netip.AddrPort { return netip.AddrPortFrom(p.addr(), p.port) }

// A swarm holds the peers of one torrent, at least one.
type swarm struct {
	hash             metainfo.Hash
	v4, v6           []slot
	seeds, completed int32
}

func (s *swarm) list(ip netip.Addr) *[]slot {
	if ip.Is4() {
		return &s.v4
	}
	return &s.v6
}

func (s *swarm) counts() Counts {
	return Counts{
		Seeds: int(s.seeds), Leeches: len(s.v4) + len(s.v6) - int(s.seeds),
		Completed: int(s.completed),
	}
}

// A shard is a part of the swarms. It is safe for concurrent use.
//
// Invariants: len(peers) <= peersMax; the sum of networks is len(peers), and so are the
// sums of the lengths of the swarms' lists and of the chains.
type shard struct {
	mu       sync.Mutex
	seed     maphash.Seed
	peersMax int
	swarms   map[metainfo.Hash]*swarm
	// chains maps a keyed hash of a swarm and a host to the first peer of that host
	// in that swarm. Colliding pairs share a chain, which is harmless.
	chains   map[uint64]slot
	networks map[networkKey]uint32
	peers    []peer // in no order
	evicted  uint64
	expired  uint64
}

// A store holds the swarms of a tracker.
type store struct {
	seed   maphash.Seed // secret, so that strangers cannot aim at one shard
	start  time.Time
	shards [shards]shard
}

func newStore(now time.Time, peersMax int) *store {
	s := &store{seed: maphash.MakeSeed(), start: now}
	for i := range s.shards {
		s.shards[i] = shard{
			seed:     s.seed,
			peersMax: max(1, peersMax/shards),
			swarms:   make(map[metainfo.Hash]*swarm),
			chains:   make(map[uint64]slot),
			networks: make(map[networkKey]uint32),
		}
	}
	return s
}

func (s *store) shard(h metainfo.Hash) *shard {
	return &s.shards[maphash.Bytes(s.seed, h[:])%shards]
}

// seconds converts a time into the form of peer.at.
func (s *store) seconds(t time.Time) int32 { return int32(t.Sub(s.start) / time.Second) }

// chain returns the key of the peers of a host in a swarm.
func (sh *shard) chain(h metainfo.Hash, ip netip.Addr) uint64 {
	var b [hashSize + 16]byte
	host := limit.SourceOf(ip).As16()
	copy(b[copy(b[:], h[:]):], host[:])
	return maphash.Bytes(sh.seed, b[:])
}

// first returns the first peer of a chain.
func (sh *shard) first(chain uint64) slot {
	if i, ok := sh.chains[chain]; ok {
		return i
	}
	return noSlot
}

// An announcement is the store's form of an announce. Its address is unmapped.
type announcement struct {
	hash  metainfo.Hash
	addr  netip.AddrPort
	event Event
	seed  bool
	want  int
	both  bool // the answer can hold peers of both families
}

// announce stores an announcement, and appends the peers of the answer to dst4 and
// dst6, in compact form.
func (s *store) announce(now time.Time, a *announcement, dst4,
	dst6 []byte) (Counts, []byte, []byte) {
	sh := s.shard(a.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if a.event == Stopped {
		sh.stop(a)
	} else {
		sh.note(s.seconds(now), a)
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
		own = sh.pick(own, *sw.list(a.addr.Addr()), a, a.want)
		if a.both {
			size, rest := compact4, &sw.v6
			if !a.addr.Addr().Is4() {
				size, rest = compact6, &sw.v4
			}
			other = sh.pick(other, *rest, a, a.want-(len(own)-before)/size)
		}
		dst4, dst6 = own, other
		if !a.addr.Addr().Is4() {
			dst4, dst6 = other, own
		}
	}
	return sw.counts(), dst4, dst6
}

// pick appends up to n peers of a list, from a random place on. It skips the peer that
// asks, and also most seeds if that peer is a seed, all of them once it has started.
func (sh *shard) pick(dst []byte, list []slot, a *announcement, n int) []byte {
	if len(list) == 0 || n <= 0 {
		return dst
	}
	seeds := n
	if a.seed {
		seeds = 0
		if a.event == Started {
			seeds = seedsForSeed
		}
	}
	i := rand.IntN(len(list))
	for range min(len(list), n*scanFactor+1) {
		p := &sh.peers[list[i]]
		if i++; i == len(list) {
			i = 0
		}
		if p.addrPort() == a.addr || p.seed && seeds == 0 {
			continue
		}
		if p.seed {
			seeds--
		}
		dst = appendCompact(dst, p.addrPort())
		if n--; n == 0 {
			break
		}
	}
	return dst
}

// note adds a peer, or updates a known one.
func (sh *shard) note(now int32, a *announcement) {
	sw := sh.swarms[a.hash]
	if sw == nil {
		sw = &swarm{hash: a.hash}
		sh.swarms[a.hash] = sw
	}
	ip := a.addr.Addr()
	chain := sh.chain(a.hash, ip)
	oldest, n := noSlot, 0
	for i := sh.first(chain); i != noSlot; i = sh.peers[i].next {
		p := &sh.peers[i]
		if p.swarm == sw && p.addrPort() == a.addr {
			if a.event == Completed && !p.seed {
				sw.completed++
			}
			sw.setSeed(p, a.seed)
			p.at = now
			return
		}
		if oldest == noSlot || p.at <= sh.peers[oldest].at { // those behind are older
			oldest = i
		}
		n++
	}
	list := sw.list(ip)
	p := peer{
		ip: ip.As16(), port: a.addr.Port(), swarm: sw, at: now,
		next: sh.first(chain), place: uint32(len(*list)),
	}
	sw.setSeed(&p, a.seed)
	*list = append(*list, slot(len(sh.peers)))
	sh.chains[chain] = slot(len(sh.peers))
	sh.networks[networkKeyOf(ip)]++
	sh.peers = append(sh.peers, p)
	switch {
	case n >= peersPerHost:
		sh.remove(oldest)
		sh.evicted++
	case len(sh.peers) > sh.peersMax:
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
	for i := sh.first(sh.chain(a.hash, a.addr.Addr())); i != noSlot; i = sh.peers[i].next {
		if p := &sh.peers[i]; p.swarm == sw && p.addrPort() == a.addr {
			sh.remove(i)
			return
		}
	}
}

// evict removes a peer to make room: in a random sample, the oldest peer of the network
// with the most peers.
func (sh *shard) evict() {
	var worst slot
	var most uint32
	for i := range evictSample {
		at := slot(rand.IntN(len(sh.peers)))
		p := &sh.peers[at]
		n := sh.networks[networkKeyOf(p.addr())]
		if i == 0 || n > most || n == most && p.at < sh.peers[worst].at {
			worst, most = at, n
		}
	}
	sh.remove(worst)
	sh.evicted++
}

// remove removes a peer, and its swarm if that is empty then. Another peer moves into
// its slot.
func (sh *shard) remove(at slot) {
	p := &sh.peers[at]
	sw, ip := p.swarm, p.addr()
	sw.setSeed(p, false)
	sh.relink(at, p.next)
	list := sw.list(ip)
	last := (*list)[len(*list)-1]
	(*list)[p.place], sh.peers[last].place = last, p.place
	*list = (*list)[:len(*list)-1]
	key := networkKeyOf(ip)
	if sh.networks[key]--; sh.networks[key] == 0 {
		delete(sh.networks, key)
	}
	if len(sw.v4)+len(sw.v6) == 0 {
		delete(sh.swarms, sw.hash)
	}
	sh.fill(at)
}

// relink redirects the link to slot from, in chains or in the preceding peer, to slot
// to.
func (sh *shard) relink(from, to slot) {
	p := &sh.peers[from]
	chain := sh.chain(p.swarm.hash, p.addr())
	i := sh.chains[chain]
	switch {
	case i != from:
		for sh.peers[i].next != from {
			i = sh.peers[i].next
		}
		sh.peers[i].next = to
	case to == noSlot:
		delete(sh.chains, chain)
	default:
		sh.chains[chain] = to
	}
}

// fill moves the last peer into the free slot at, and shrinks peers if its capacity is
// much too large.
func (sh *shard) fill(at slot) {
	last := slot(len(sh.peers) - 1)
	if at != last {
		sh.relink(last, at)
		p := sh.peers[last]
		(*p.swarm.list(p.addr()))[p.place] = at
		sh.peers[at] = p
	}
	sh.peers[last] = peer{}
	sh.peers = sh.peers[:last]
	if need := 2 * len(sh.peers); cap(sh.peers) > max(1024, spareMax*need/2) {
		sh.peers = append(make([]peer, 0, need), sh.peers...)
	}
}

// scrape returns the counts of a swarm, and whether the swarm is known.
func (s *store) scrape(h metainfo.Hash) (Counts, bool) {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sw := sh.swarms[h]; sw != nil {
		return sw.counts(), true
	}
	return Counts{}, false
}

// expire removes the peers whose last announce is older than before.
func (s *store) expire(before time.Time) {
	for i := range s.shards {
		s.shards[i].expire(s.seconds(before))
	}
}

func (sh *shard) expire(before int32) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := len(sh.peers) - 1; i >= 0; i-- {
		if sh.peers[i].at < before {
			sh.remove(slot(i))
			sh.expired++
		}
	}
}

// size returns the numbers of swarms and peers, and of removed peers.
func (s *store) size() (swarms, peers int, evicted, expired uint64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		swarms += len(sh.swarms)
		peers += len(sh.peers)
		evicted += sh.evicted
		expired += sh.expired
		sh.mu.Unlock()
	}
	return swarms, peers, evicted, expired
}
