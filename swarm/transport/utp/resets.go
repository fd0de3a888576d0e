package utp

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// resetsMax bounds the RESETs per second for packets of no connection. More of them do
	// not come from clients, and their addresses may be forged.
	resetsMax = 1000
	// resetsPerSource bounds the RESETs to one source, so that a flood from one address,
	// forged or not, leaves answers for the others.
	resetsPerSource = 50
	// sourceCounts is how many counts all sources share.
	sourceCounts = 1024
)

// resetLimits bounds the RESETs of a socket. It is safe for concurrent use.
type resetLimits struct {
	mu     sync.Mutex
	seed   maphash.Seed // which sources share a count is secret
	second time.Time    // start of the second that resets and counts are of
	resets int
	counts [sourceCounts]uint8
}

func (r *resetLimits) init() { r.seed = maphash.MakeSeed() }

// allow reports whether a RESET may go to an address now.
func (r *resetLimits) allow(now time.Time, to netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.second) >= time.Second {
		r.second, r.resets = now, 0
		clear(r.counts[:])
	}
	n := &r.counts[maphash.Comparable(r.seed, limit.SourceOf(to))%sourceCounts]
	if r.resets >= resetsMax || *n >= resetsPerSource {
		return false
	}
	r.resets++
	*n++
	return true
}
