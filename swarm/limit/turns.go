package limit

import (
	"net/netip"
	"sync"
	"time"
)

// Turns limits how often something that costs time is done for others: so many
// times a second for one source, as Sources has it, and so many for all. Each
// may save up for a second. Loopback is bound by the total alone: all nodes of
// one machine share it.
type Turns struct {
	each *Sources
	all  float64 // per second

	mu   sync.Mutex
	used float64 // of what may be saved up; 0 <= used <= all
	at   time.Time
}

// NewTurns returns a limit of each times a second for a source and all times
// for all together. Both must be positive.
func NewTurns(each, all int) *Turns {
	return &Turns{each: NewSources(each, each), all: float64(all)}
}

// Allow tells whether it may be done once more for from, and counts it if so.
func (t *Turns) Allow(now time.Time, from netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = max(0, t.used-t.all*now.Sub(t.at).Seconds())
	t.at = now
	if t.used+1 > t.all || !from.Unmap().IsLoopback() && !t.each.Allow(now, from) {
		return false
	}
	t.used++
	return true
}
