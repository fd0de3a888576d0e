package utp

import "sync"

// A Budget bounds the memory of many connections. It is safe for concurrent use.
type Budget interface {
	// Take takes n bytes, or none and returns false if there is no room for n.
	Take(n int) bool
	// Give returns n bytes.
	Give(n int)
	// Left returns how many bytes can be taken at the moment. No connection takes more
	// than it leaves to others, so those that hold on to their memory cannot take all of it.
	Left() int
}

// chunkSize is the unit of buffers, in bytes: one block of a torrent. A payload that waits
// for an earlier one lies in one chunk, so this bounds what a datagram may carry.
const chunkSize = 16 << 10

// A chunk is memory for payload.
type chunk struct {
	data [chunkSize]byte
	// refs counts the packets that lie in the chunk, if it holds packets.
	refs int
	// forced says that the budget was not asked for the chunk.
	forced bool
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// memory hands out the chunks of one connection. A connection holds none while nothing is
// buffered.
type memory struct {
	budget Budget // nil for no limit
	held   int    // chunks
}

// take returns a chunk, or nil if the connection has its share of the budget. A connection
// that must get on takes one more chunk with force, which the budget is not asked for:
// callers force only a chunk of their own, so that each connection is at most two chunks
// over the budget, and none waits for the memory of another.
func (m *memory) take(force bool) *chunk {
	forced := m.budget != nil && !(m.shares() && m.budget.Take(chunkSize))
	if forced && !force {
		return nil
	}
	m.held++
	c := chunks.Get().(*chunk)
	c.refs, c.forced = 0, forced
	return c
}

// shares reports whether the connection leaves as much of the budget to others as it holds
// itself (Choudhury and Hahne, "Dynamic Queue Length Thresholds"). A connection takes half of
// what is left at most, so n that come and go share it evenly, and leave as much for the next.
func (m *memory) shares() bool { return m.budget.Left() >= (m.held+1)*chunkSize }

// give takes a chunk back.
func (m *memory) give(c *chunk) {
	m.held--
	if m.budget != nil && !c.forced {
		m.budget.Give(chunkSize)
	}
	chunks.Put(c)
}
