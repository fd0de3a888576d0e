package utp

import "time"

const (
	// capacityFirst is the receive window of a connection whose user has read little, in
	// bytes. A sender that begins slowly needs three round trips to fill it.
	capacityFirst = 128 << 10
	// appetiteSpan is the time in which reads are counted. The window is twice of what is
	// read in it, so it bounds no sender whose round trip is shorter than that, also while
	// the rate doubles with each round trip.
	appetiteSpan = time.Second
)

// An appetite is how much the user of a connection reads.
type appetite struct {
	at     time.Duration // when the current span began
	bytes  int           // read in the current span
	before int           // read in the one before
	// gap says that in the current span everything waited for a lost packet. The user may
	// have read less than they would have.
	gap bool
}

// read records that n bytes were read.
func (a *appetite) read(now time.Duration, n int) {
	a.pass(now)
	a.bytes += n
}

// pass lets time pass. A span with a gap makes the appetite no smaller.
func (a *appetite) pass(now time.Duration) {
	d := now - a.at
	if d < appetiteSpan {
		return
	}
	next := appetite{at: a.at + appetiteSpan, before: a.bytes}
	if d >= 2*appetiteSpan {
		next = appetite{at: now}
	}
	if a.gap {
		next.before = max(a.before, a.bytes)
	}
	*a = next
}

// room returns how large the receive window should be.
func (a *appetite) room() int { return max(capacityFirst, 2*max(a.bytes, a.before)) }

// fit makes the receive window as large as the user's appetite, and as memory allows. The peer
// keeps the room that it was told of.
func (m *machine) fit(now time.Duration) {
	if m.in.count > 0 && m.in.stream.size() == 0 {
		m.appetite.gap = true
	}
	m.appetite.pass(now)
	told := int(max(0, m.promised-m.in.stream.end))
	m.capacity = min(m.roof, max(m.appetite.room(), m.in.stream.size()+told))
}

// retract takes back the room that the peer was told of and that nobody needs, while nothing
// has come for long.
func (m *machine) retract(now time.Duration) {
	m.promised = m.in.stream.end
	m.fit(now)
}

// shrink makes the receive window smaller for want of memory.
func (m *machine) shrink(now time.Duration) {
	m.roof = min(m.roof, max(capacityMin, m.capacity/2))
	m.capacity = min(m.capacity, m.roof)
	m.shrunkAt = now
}

// widen allows a larger window again, step by step.
func (m *machine) widen(now time.Duration) {
	if m.roof < m.config.receiveBuffer && now-m.shrunkAt > time.Second {
		m.roof = min(2*m.roof, m.config.receiveBuffer)
		m.shrunkAt = now
	}
}
