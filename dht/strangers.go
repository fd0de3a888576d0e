package dht

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// askedPeriod is how long, at least, and at most twice as long, a host counts as one that we
	// have sent something to: longer than firewalls let its packets in for that.
	askedPeriod = 10 * time.Minute
	// askedBits is the size of the set of such hosts, and askedBitsRouter that of a bootstrap node,
	// which sends to many. Of n hosts in a set of m bits, one stranger in m/n is taken for a host
	// that was asked. A busy node sends to some 10,000 hosts in askedPeriod.
	askedBits       = 1 << 15
	askedBitsRouter = 1 << 17
	// strangersFor is how long a network counts from which a stranger has reached us.
	strangersFor = time.Hour
	// strangersMax bounds the networks that are remembered.
	strangersMax = 64
)

// strangers finds out whether hosts reach us that we have sent nothing to: whether the network
// lets everybody in. It takes 8 KiB, or 32 KiB for a bootstrap node, however many hosts there are.
type strangers struct {
	seed    maphash.Seed
	asked   [2][]uint64 // one bit for each host, of this period and the one before
	rotated instant
	came    map[netip.Prefix]instant // when a stranger of that network was last heard
}

func newStrangers(now instant, router bool) *strangers {
	size := askedBits / 64
	if router {
		size = askedBitsRouter / 64
	}
	return &strangers{seed: maphash.MakeSeed(), rotated: now,
		asked: [2][]uint64{make([]uint64, size), make([]uint64, size)},
		came:  make(map[netip.Prefix]instant)}
}

// place returns the bit of a host.
func (s *strangers) place(host netip.Addr) (word int, bit uint64) {
	h := maphash.Comparable(s.seed, source(host)) % uint64(64*len(s.asked[0]))
	return int(h / 64), 1 << (h % 64)
}

// sent records that something was sent to a host.
func (s *strangers) sent(now instant, host netip.Addr) {
	if now-s.rotated >= askedPeriod {
		s.asked[0], s.asked[1] = s.asked[1], s.asked[0]
		if now-s.rotated >= 2*askedPeriod {
			clear(s.asked[1])
		}
		clear(s.asked[0])
		s.rotated = now
	}
	word, bit := s.place(host)
	s.asked[0][word] |= bit
}

// heard records that a host has sent a query. Local hosts prove nothing.
func (s *strangers) heard(now instant, host netip.Addr) {
	word, bit := s.place(host)
	if isLocal(host) || (s.asked[0][word]|s.asked[1][word])&bit != 0 {
		return
	}
	network := owner(host)
	if _, known := s.came[network]; known || len(s.came) < strangersMax {
		s.came[network] = now
	}
}

// networks returns from how many networks strangers have reached us lately.
func (s *strangers) networks(now instant) int {
	for network, at := range s.came {
		if now-at >= strangersFor {
			delete(s.came, network)
		}
	}
	return len(s.came)
}

// forget forgets who has reached us, after our address has changed.
func (s *strangers) forget() { clear(s.came) }
