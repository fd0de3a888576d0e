package limit

import (
	"net/netip"
	"sync"
	"time"
)

// Turns limits how often something that costs time is done for others: so many
// times a second for one source, as Sources has it, and so many for all. Each
// may save up for a second. Home is bound by the total alone: all nodes of one
// machine share it.
type Turns struct {
	each *Sources
	home Home
	all  float64 // per second

	mu   sync.Mutex
	used float64 // of what may be saved up; 0 <= used <= all
	at   time.Time
}

// NewTurns returns the limit of one who listens at home: each times a second for a
// source and all times for all together. Both must be positive.
func NewTurns(each, all int, home Home) *Turns {
	return &Turns{each: NewSources(each, each), all: float64(all), home: home}
}

// Allow reports whether it may be done once more for from, and counts it if so.
func (t *Turns) Allow(now time.Time, from netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = max(0, t.used-t.all*now.Sub(t.at).Seconds())
	t.at = now
	if t.used+1 > t.all || !t.home.Has(from) && !t.each.Allow(now, from) {
		return false
	}
	t.used++
	return true
}
