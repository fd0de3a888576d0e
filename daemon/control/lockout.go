package control

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// wrongMax is how many wrong passwords a source may give before it is locked out, first
	// for lockFirst, then for twice as long with each further wrong one, up to lockMax.
	wrongMax  = 10
	lockFirst = time.Minute
	lockMax   = time.Hour
	// forgetAfter is the time without a wrong password after which a source begins again.
	forgetAfter = time.Hour
	// lockedMax bounds the sources that are remembered. The one that was wrong least recently
	// gives way.
	lockedMax = 4096
)

// A lockout remembers who gave wrong passwords. It is safe for concurrent use.
type lockout struct {
	mu      sync.Mutex
	sources map[netip.Addr]*list.Element // of order, by limit.SourceOf
	order   list.List                    // of *wrong, the latest last
}

// wrong is what is remembered of a source.
type wrong struct {
	source netip.Addr
	count  int
	last   time.Time
	until  time.Time // when the lock ends; zero before the first
}

// wait returns how long a source is still locked out.
func (l *lockout) wait(now time.Time, ip netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.sources[limit.SourceOf(ip)]; e != nil {
		return max(0, e.Value.(*wrong).until.Sub(now))
	}
	return 0
}

// failed counts a wrong password. It returns for how long the source is locked out.
func (l *lockout) failed(now time.Time, ip netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.find(limit.SourceOf(ip))
	if now.Sub(w.last) >= forgetAfter {
		w.count = 0
	}
	w.last = now
	if w.count++; w.count < wrongMax {
		return 0
	}
	d := lockMax
	if doublings := w.count - wrongMax; doublings < 6 {
		d = min(d, lockFirst<<doublings)
	}
	w.until = now.Add(d)
	return d
}

// find returns what is remembered of a source, as the latest. l.mu is held.
func (l *lockout) find(source netip.Addr) *wrong {
	if e := l.sources[source]; e != nil {
		l.order.MoveToBack(e)
		return e.Value.(*wrong)
	}
	if l.sources == nil {
		l.sources = make(map[netip.Addr]*list.Element)
	}
	if len(l.sources) >= lockedMax {
		l.forget(l.order.Front())
	}
	w := &wrong{source: source}
	l.sources[source] = l.order.PushBack(w)
	return w
}

// right forgets a source that gave the right password.
func (l *lockout) right(ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.sources[limit.SourceOf(ip)]; e != nil {
		l.forget(e)
	}
}

// forget removes an entry. l.mu is held.
func (l *lockout) forget(e *list.Element) {
	delete(l.sources, l.order.Remove(e).(*wrong).source)
}
