package limit

import (
	"net/netip"
	"sync"
)

// Pending is the budget for handshakes that others start. It never refuses a
// newcomer: when all places are taken, the one that has been at it for longest
// has to go, out of the address that has most. So those who connect and say
// nothing cannot keep out those who have something to say, who are through
// within a round trip.
type Pending struct {
	max int

	mu     sync.Mutex
	places []*place // oldest first, len(places) <= max
}

type place struct {
	from  netip.Addr
	evict func()
}

// NewPending returns a budget of n places; 0 means HalfOpenMax.
func NewPending(n int) *Pending {
	if n <= 0 {
		n = HalfOpenMax
	}
	return &Pending{max: n}
}

// Admit takes a place for a handshake with an address. evict is called, at
// most once and from another goroutine's Admit, when the place is needed; it
// should end the handshake and must not block. release gives the place back
// when the handshake has ended, however it did; it may be called twice.
func (p *Pending) Admit(from netip.Addr, evict func()) (release func()) {
	mine := &place{from.Unmap().WithZone(""), evict}
	p.mu.Lock()
	var gone *place
	if len(p.places) >= p.max {
		gone = p.victim()
		p.remove(gone)
	}
	p.places = append(p.places, mine)
	p.mu.Unlock()
	if gone != nil {
		gone.evict()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.remove(mine)
	}
}

// Used returns how many places are taken.
func (p *Pending) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.places)
}

// victim returns the oldest place of the address that has most places.
func (p *Pending) victim() *place {
	count := make(map[netip.Addr]int, len(p.places))
	most := 0
	for _, x := range p.places {
		count[x.from]++
		most = max(most, count[x.from])
	}
	for _, x := range p.places {
		if count[x.from] == most {
			return x
		}
	}
	return nil // there are no places
}

// remove takes x out of the places, if it is there.
func (p *Pending) remove(x *place) {
	for i, y := range p.places {
		if x == y {
			copy(p.places[i:], p.places[i+1:])
			p.places[len(p.places)-1] = nil
			p.places = p.places[:len(p.places)-1]
			return
		}
	}
}
