package dht

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
)

const (
	// peerLife is how long an announce counts. Clients announce every 15 minutes,
	// so one lost announce does not lose the peer.
	peerLife = 35 * time.Minute

	// peersPerSource bounds the peers that one public source may announce for
	// one info-hash: several clients behind one NAT.
	peersPerSource = 4

	// hashesPerSource bounds the info-hashes that one public source may keep
	// alive here: a fortieth of the default store.
	hashesPerSource = 50

	// evictSample is how many candidates for eviction are compared by distance.
	evictSample = 16
)

type storedPeer struct {
	addr    netip.AddrPort
	seed    bool // BEP 33
	expires instant
}

// storedSwarm holds the peers of one info-hash, at least one.
type storedSwarm struct {
	peers []storedPeer
	alone *share // of the only owner of its peers; nil if there are several owners
}

// peerStore holds the peers that others announced to us in one family. The
// numbers of info-hashes and of peers of each are bounded; at default limits a full
// store takes about 16 MB. A full store drops an info-hash of the owner who alone
// keeps the most info-hashes. A full info-hash drops a peer of the owner with the
// most of its peers.
type peerStore struct {
	hashesMax int
	peersMax  int // per info-hash
	swarms    map[ID]*storedSwarm
	perSource map[netip.Addr]int // info-hashes that a public source has peers under
	alone     shares             // info-hashes whose peers all have one owner
	crowd     map[netip.Prefix]int
}

func newPeerStore(hashesMax, peersMax int) peerStore {
	return peerStore{
		hashesMax: hashesMax, peersMax: peersMax, swarms: make(map[ID]*storedSwarm),
		perSource: make(map[netip.Addr]int), alone: make(shares), crowd: make(map[netip.Prefix]int),
	}
}

// add stores a peer or extends the life of a known one. It reports false when a
// limit forbids that.
func (s *peerStore) add(now instant, self, target ID, addr netip.AddrPort, seed bool,
	rng *rand.Rand) bool {
	fresh := storedPeer{addr, seed, now + peerLife}
	from := source(addr.Addr())
	swarm := s.swarms[target]
	same := 0 // peers of this source
	if swarm != nil {
		for i := range swarm.peers {
			if swarm.peers[i].addr == addr {
				swarm.peers[i] = fresh
				return true
			}
			if source(swarm.peers[i].addr.Addr()) == from {
				same++
			}
		}
	}
	many := same >= peersPerSource || same == 0 && s.perSource[from] >= hashesPerSource
	if many && !isLocal(from) {
		return false
	}
	if swarm == nil {
		swarm = new(storedSwarm)
		s.swarms[target] = swarm
	}
	swarm.peers = append(swarm.peers, fresh)
	if same == 0 && !isLocal(from) {
		s.perSource[from]++
	}
	if len(swarm.peers) > s.peersMax {
		s.remove(swarm, s.surplus(swarm.peers, rng))
	}
	s.recount(swarm)
	if len(s.swarms) > s.hashesMax {
		s.evict(self, target)
	}
	return true
}

// surplus returns the index of the peer to evict: a random one of the owner with
// the most peers, but not the last, which is the newcomer.
func (s *peerStore) surplus(peers []storedPeer, rng *rand.Rand) int {
	clear(s.crowd)
	most := 0
	for i := range peers {
		key := owner(peers[i].addr.Addr())
		s.crowd[key]++
		if i < len(peers)-1 || s.crowd[key] > 1 { // the newcomer stays
			most = max(most, s.crowd[key])
		}
	}
	others := peers[:len(peers)-1]
	start := rng.IntN(len(others))
	for i := range others {
		at := (start + i) % len(others)
		if s.crowd[owner(others[at].addr.Addr())] == most {
			return at
		}
	}
	return start // not reached: some other peer's owner has most
}

// remove takes peer i out of swarm, which may leave swarm empty.
func (s *peerStore) remove(swarm *storedSwarm, i int) {
	from := source(swarm.peers[i].addr.Addr())
	last := len(swarm.peers) - 1
	swarm.peers[i] = swarm.peers[last]
	swarm.peers = swarm.peers[:last]
	if isLocal(from) {
		return
	}
	for i := range swarm.peers {
		if source(swarm.peers[i].addr.Addr()) == from {
			return
		}
	}
	if n := s.perSource[from]; n > 1 {
		s.perSource[from] = n - 1
	} else {
		delete(s.perSource, from)
	}
}

// recount updates swarm.alone after the peers of swarm have changed.
func (s *peerStore) recount(swarm *storedSwarm) {
	if swarm.alone != nil {
		s.alone.drop(swarm.alone)
		swarm.alone = nil
	}
	if len(swarm.peers) == 0 {
		return
	}
	first := swarm.peers[0].addr.Addr()
	block := owner(first)
	for i := range swarm.peers {
		if !block.Contains(swarm.peers[i].addr.Addr()) {
			return
		}
	}
	swarm.alone = s.alone.take(first)
}

// evict drops one info-hash other than fresh.
func (s *peerStore) evict(self, fresh ID) {
	var v victim
	for target, swarm := range s.swarms { // the order is random enough
		if target == fresh {
			continue
		}
		n := 1 // several owners want it
		if swarm.alone != nil {
			n = swarm.alone.count
		}
		v.offer(&self, &target, n)
	}
	s.drop(v.target)
}

func (s *peerStore) drop(target ID) {
	swarm := s.swarms[target]
	delete(s.swarms, target)
	for len(swarm.peers) > 0 {
		s.remove(swarm, len(swarm.peers)-1)
	}
	s.recount(swarm)
}

// expire removes expired peers, and info-hashes left without peers.
func (s *peerStore) expire(now instant) {
	s.purge(func(p *storedPeer) bool { return now >= p.expires })
}

// purge removes the peers that are over, and info-hashes left without peers.
func (s *peerStore) purge(over func(*storedPeer) bool) {
	for target, swarm := range s.swarms {
		before := len(swarm.peers)
		for i := 0; i < len(swarm.peers); {
			if !over(&swarm.peers[i]) {
				i++
				continue
			}
			s.remove(swarm, i)
		}
		if len(swarm.peers) < before {
			s.recount(swarm)
		}
		if len(swarm.peers) == 0 {
			delete(s.swarms, target)
		}
	}
}

// dropBlocked removes the peers whose address is blocked, and info-hashes left without peers.
func (s *peerStore) dropBlocked(blocked func(netip.Addr) bool) {
	s.purge(func(p *storedPeer) bool { return blocked(p.addr.Addr()) })
}

// of returns the peers of target, including expired ones.
func (s *peerStore) of(target ID) []storedPeer {
	if swarm := s.swarms[target]; swarm != nil {
		return swarm.peers
	}
	return nil
}

// sample calls f with up to n live peers of target, chosen at random; noSeed
// leaves out seeds, BEP 33.
func (s *peerStore) sample(now instant, target ID, n int, noSeed bool, rng *rand.Rand,
	f func(netip.AddrPort)) {
	peers := s.of(target)
	if len(peers) == 0 {
		return
	}
	for i, start := 0, rng.IntN(len(peers)); i < len(peers) && n > 0; i++ {
		p := &peers[(start+i)%len(peers)]
		if now < p.expires && !(noSeed && p.seed) {
			f(p.addr)
			n--
		}
	}
}

// scrape adds the addresses of target's seeds and other peers to the bloom filters
// of BEP 33.
func (s *peerStore) scrape(now instant, target ID, seeds, leeches *krpc.ScrapeBloomFilter) {
	for _, p := range s.of(target) {
		if now >= p.expires {
			continue
		}
		if p.seed {
			seeds.AddIp(p.addr.Addr().AsSlice())
		} else {
			leeches.AddIp(p.addr.Addr().AsSlice())
		}
	}
}

// hashes calls f with up to n of the info-hashes, in random order.
func (s *peerStore) hashes(n int, f func(ID)) {
	for target := range s.swarms {
		if n--; n < 0 {
			return
		}
		f(target)
	}
}
