package dht

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
)

const (
	// peerLife is how long an announce counts; clients announce every 15
	// minutes, so that one lost announce does not lose the peer.
	peerLife = 35 * time.Minute

	// peersPerAddr bounds the ports that one public address may announce for
	// one info-hash: several clients behind one NAT.
	peersPerAddr = 4

	// hashesPerAddr bounds the info-hashes that one public address may keep
	// alive here: a fortieth of the default store.
	hashesPerAddr = 50

	// evictSample is how many info-hashes are compared for eviction.
	evictSample = 16
)

type storedPeer struct {
	addr    netip.AddrPort
	seed    bool // BEP 33
	expires instant
}

// peerStore holds the peers that others announced to us in one family. The
// number of info-hashes and of peers of each is bounded; at default limits a
// full store takes about 16 MB.
type peerStore struct {
	hashesMax int
	peersMax  int // per info-hash
	swarms    map[ID][]storedPeer
	perAddr   map[netip.Addr]int // info-hashes that a public address has peers under
}

func newPeerStore(hashesMax, peersMax int) peerStore {
	return peerStore{hashesMax: hashesMax, peersMax: peersMax,
		swarms: make(map[ID][]storedPeer), perAddr: make(map[netip.Addr]int)}
}

// add stores a peer, or makes a known one live longer. It reports false when a
// limit forbids it.
func (s *peerStore) add(now instant, self, target ID, addr netip.AddrPort, seed bool, rng *rand.Rand) bool {
	fresh := storedPeer{addr, seed, now + peerLife}
	swarm := s.swarms[target]
	same := 0 // peers with this address, on whichever port
	for i := range swarm {
		if swarm[i].addr == addr {
			swarm[i] = fresh
			return true
		}
		if swarm[i].addr.Addr() == addr.Addr() {
			same++
		}
	}
	if !isLocal(addr.Addr()) {
		if same >= peersPerAddr || same == 0 && s.perAddr[addr.Addr()] >= hashesPerAddr {
			return false
		}
	}
	if swarm == nil && len(s.swarms) >= s.hashesMax {
		s.evict(self)
	}
	if len(swarm) >= s.peersMax {
		// Any one of the others: an announcer that floods evicts mostly itself.
		i := rng.IntN(len(swarm))
		old := swarm[i].addr
		swarm[i] = fresh
		s.release(swarm, old)
	} else {
		swarm = append(swarm, fresh)
		s.swarms[target] = swarm
	}
	if same == 0 && !isLocal(addr.Addr()) {
		s.perAddr[addr.Addr()]++
	}
	return true
}

// release notes that the peer at addr has left swarm.
func (s *peerStore) release(swarm []storedPeer, addr netip.AddrPort) {
	for i := range swarm {
		if swarm[i].addr.Addr() == addr.Addr() {
			return
		}
	}
	if n := s.perAddr[addr.Addr()]; n > 1 {
		s.perAddr[addr.Addr()] = n - 1
	} else {
		delete(s.perAddr, addr.Addr())
	}
}

// evict drops one info-hash: of a random few, the one farthest from our id,
// since for near ones there is nobody better to ask.
func (s *peerStore) evict(self ID) {
	var victim ID
	seen := 0
	for target := range s.swarms { // the order is random enough
		if seen == 0 || compareDistance(&self, &target, &victim) > 0 {
			victim = target
		}
		if seen++; seen >= evictSample {
			break
		}
	}
	s.drop(victim)
}

func (s *peerStore) drop(target ID) {
	swarm := s.swarms[target]
	delete(s.swarms, target)
	for len(swarm) > 0 {
		last := swarm[len(swarm)-1]
		swarm = swarm[:len(swarm)-1]
		s.release(swarm, last.addr)
	}
}

// expire drops what has come to its end.
func (s *peerStore) expire(now instant) {
	for target, swarm := range s.swarms {
		for i := 0; i < len(swarm); {
			if now < swarm[i].expires {
				i++
				continue
			}
			old := swarm[i].addr
			swarm[i] = swarm[len(swarm)-1]
			swarm = swarm[:len(swarm)-1]
			s.release(swarm, old)
		}
		if len(swarm) == 0 {
			delete(s.swarms, target)
		} else {
			s.swarms[target] = swarm
		}
	}
}

// sample calls f with up to n live peers of target, chosen at random; noSeed
// leaves out seeds, BEP 33.
func (s *peerStore) sample(now instant, target ID, n int, noSeed bool, rng *rand.Rand, f func(netip.AddrPort)) {
	swarm := s.swarms[target]
	if len(swarm) == 0 {
		return
	}
	for i, start := 0, rng.IntN(len(swarm)); i < len(swarm) && n > 0; i++ {
		p := &swarm[(start+i)%len(swarm)]
		if now < p.expires && !(noSeed && p.seed) {
			f(p.addr)
			n--
		}
	}
}

// scrape fills the bloom filters of BEP 33 with the addresses of seeds and of
// the others.
func (s *peerStore) scrape(now instant, target ID, seeds, leeches *krpc.ScrapeBloomFilter) {
	for _, p := range s.swarms[target] {
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
