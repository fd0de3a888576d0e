package limit

import (
	"net/netip"
	"sync"
	"time"
)

// Turns limits how often something that costs processor time is done for others: so often
// per second for one source (see Sources), and so often for all together. Each may save up
// a second's worth. An address of Home is bound by the total alone, since all nodes of one
// machine share it.
type Turns struct {
	each *Sources
	home Home
	all  float64 // per second

	mu   sync.Mutex
	used float64 // of what may be saved up; 0 <= used <= all
	at   time.Time
}

// NewTurns returns the limit of a process that listens at home: each times a second for a
// source and all times for all together. Both must be positive.
func NewTurns(each, all int, home Home) *Turns {
	return &Turns{each: NewSources(each, each), all: float64(all), home: home}
}

// Allow reports whether it may be done once more for from. If so, that counts.
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
