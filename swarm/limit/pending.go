package limit

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// markLast is how long a failed place counts against its source and network. An honest
	// source that fails now and then has hardly any marks; a source that takes places
	// again and again gets more and more.
	markLast = 10 * time.Second
	// marksMax bounds the marks of one source or network, so that they wear off within a
	// few minutes. recordsMax bounds the sources and networks that are remembered.
	marksMax   = 32
	recordsMax = 16384
	// networkShare is how many places and marks of a network weigh as much as one of a
	// single source.
	networkShare = 8
	// sweepEvery is the least time between two sweeps for records without content.
	sweepEvery = time.Second
)

// Pending is a budget of places for newcomers that have not shown yet whether they are
// useful, such as incoming handshakes. It never refuses a newcomer: when all places are
// taken, another newcomer has to go. The first to go are those of the source that holds
// most places or whose places failed most often lately; the places of a whole network
// weigh an eighth of that. Among equals the oldest goes. So connections that say nothing,
// even from ever new addresses, do not keep out honest ones, which are through within a
// round trip or two. It is safe for concurrent use.
type Pending struct {
	max   int
	start time.Time

	mu       sync.Mutex
	places   []*Place // oldest first, len(places) <= max
	sources  records[netip.Addr]
	networks records[netip.Prefix]
}

// A record holds what counts against a source or a network.
type record struct {
	places int
	marks  float64 // places that came to nothing, at the time at; they wear off
	at     time.Duration
}

// weight returns how much counts against t at a moment.
func (t *record) weight(now time.Duration) float64 {
	return float64(t.places) + t.marksAt(now)
}

func (t *record) marksAt(now time.Duration) float64 {
	return max(0, t.marks-float64(now-t.at)/float64(markLast))
}

func (t *record) mark(now time.Duration) {
	t.marks, t.at = min(t.marksAt(now)+1, marksMax), now
}

// A Place is one place of a Pending.
type Place struct {
	of              *Pending
	source, network *record
	evict           func()
	gone            bool
}

// NewPending returns a budget of n places; 0 means PendingMax.
func NewPending(n int) *Pending {
	if n <= 0 {
		n = PendingMax
	}
	return &Pending{
		max: n, start: time.Now(),
		sources:  records[netip.Addr]{by: make(map[netip.Addr]*record)},
		networks: records[netip.Prefix]{by: make(map[netip.Prefix]*record)},
	}
}

// Admit takes a place for a newcomer from an address. When another newcomer needs the
// place, evict is called, at most once and from the goroutine of that other Admit; it
// should send the newcomer away and must not block. The caller gives the place back by
// Keep or Leave.
func (p *Pending) Admit(from netip.Addr, evict func()) *Place {
	p.mu.Lock()
	now := time.Since(p.start)
	var gone *Place
	if len(p.places) >= p.max {
		gone = p.victim(now)
		p.remove(gone, now)
	}
	mine := &Place{
		of: p, evict: evict,
		source: p.sources.of(SourceOf(from), now), network: p.networks.of(NetworkOf(from), now),
	}
	mine.source.places++
	mine.network.places++
	p.places = append(p.places, mine)
	p.mu.Unlock()
	if gone != nil {
		gone.evict()
	}
	return mine
}

// Keep gives back the place of a newcomer that proved useful. It has no effect after Keep
// or Leave.
func (x *Place) Keep() { x.end(false) }

// Leave gives back the place of a newcomer that did not prove useful. It has no effect
// after Keep or Leave.
func (x *Place) Leave() { x.end(true) }

func (x *Place) end(forNothing bool) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	if x.gone {
		return
	}
	if forNothing {
		x.of.remove(x, time.Since(x.of.start))
	} else {
		x.of.take(x)
	}
}

// Used returns how many places are taken.
func (p *Pending) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.places)
}

// victim returns the place that has to go first. There is one.
func (p *Pending) victim(now time.Duration) *Place {
	var worst *Place
	most := -1.0
	for _, x := range p.places {
		if w := max(x.source.weight(now), x.network.weight(now)/networkShare); w > most {
			worst, most = x, w
		}
	}
	return worst
}

// remove takes x out of the places, and counts it against its source and network.
func (p *Pending) remove(x *Place, now time.Duration) {
	p.take(x)
	x.source.mark(now)
	x.network.mark(now)
}

// take takes x out of the places.
func (p *Pending) take(x *Place) {
	x.gone = true
	x.source.places--
	x.network.places--
	for i, y := range p.places {
		if x == y {
			copy(p.places[i:], p.places[i+1:])
			p.places[len(p.places)-1] = nil
			p.places = p.places[:len(p.places)-1]
			return
		}
	}
}

// records are those of the sources or the networks.
type records[K comparable] struct {
	by    map[K]*record // len(by) <= recordsMax, unless more have places
	swept time.Duration
}

// of returns the record of key. Beyond the bound it first removes records without content,
// or else any record without a place.
func (ts *records[K]) of(key K, now time.Duration) *record {
	if t := ts.by[key]; t != nil {
		return t
	}
	if len(ts.by) >= recordsMax && now-ts.swept >= sweepEvery {
		ts.swept = now
		for k, t := range ts.by {
			if t.places == 0 && t.marksAt(now) == 0 {
				delete(ts.by, k)
			}
		}
	}
	for k, t := range ts.by {
		if len(ts.by) < recordsMax {
			break
		}
		if t.places == 0 {
			delete(ts.by, k)
		}
	}
	t := new(record)
	ts.by[key] = t
	return t
}
