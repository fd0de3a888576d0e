package utp

import "sync"

// A Budget bounds the memory of many connections. It is safe for concurrent use.
type Budget interface {
	// Take takes n bytes, or none and returns false if there is no room for n.
	Take(n int) bool
	// Need is Take for bytes without which a connection cannot get on. There is room for
	// them in a part of the budget that Take leaves alone.
	Need(n int) bool
	// Give returns n bytes.
	Give(n int)
	// Left returns how many bytes can be taken at the moment. No connection takes more
	// than it leaves to others, so those that hold on to their memory cannot take all of it.
	Left() int
	// Short reports whether so little is left that connections whose other ends do nothing
	// should end soon.
	Short() bool
}

const (
	// chunkSize is the unit of buffers, in bytes: one block of a torrent. A payload that
	// waits for an earlier one lies in one chunk, so this bounds what a datagram may carry.
	chunkSize = 16 << 10
	// smallSize is the size of the chunk of a stream that has to get on while the budget is
	// used up: some messages, or a packet of the usual size.
	smallSize = 2 << 10
)

// A chunk is memory for payload.
type chunk struct {
	data []byte // of chunkSize or smallSize
	refs int    // how many packets lie in the chunk, if it holds packets
}

var (
	chunks      = sync.Pool{New: func() any { return &chunk{data: make([]byte, chunkSize)} }}
	smallChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, smallSize)} }}
)

// small reports whether the chunk is one of smallSize.
func (c *chunk) small() bool { return len(c.data) == smallSize }

// memory is what one connection has of the budget: its chunks, and the rings of its packets. A
// connection holds nothing while nothing is buffered.
type memory struct {
	budget Budget // nil for no limit
	chunks int
	bytes  int // in all
}

// take returns a chunk, or nil if the connection has its share of the budget.
func (m *memory) take() *chunk {
	if !m.charge(chunkSize, false) {
		return nil
	}
	m.chunks++
	return chunks.Get().(*chunk)
}

// need returns a chunk that has room for n bytes at least, and that the connection cannot get
// on without. It is a small one if the connection has its share of the budget. It is nil if
// all connections together need more than there is.
func (m *memory) need(n int) *chunk {
	if c := m.take(); c != nil {
		return c
	}
	pool, size := &smallChunks, smallSize
	if n > smallSize {
		pool, size = &chunks, chunkSize
	}
	if !m.charge(size, true) {
		return nil
	}
	m.chunks++
	return pool.Get().(*chunk)
}

// give takes a chunk back.
func (m *memory) give(c *chunk) {
	m.chunks--
	m.refund(len(c.data))
	c.refs = 0
	if c.small() {
		smallChunks.Put(c)
		return
	}
	chunks.Put(c)
}

// charge takes n bytes of the budget, if the connection leaves as much of it to others as it
// holds itself (Choudhury and Hahne, "Dynamic Queue Length Thresholds"). A connection takes
// half of what is left at most, so many that come and go share it evenly, and leave as much for
// the next. Bytes that are needed are taken in any case, while the budget has some for that.
func (m *memory) charge(n int, needed bool) bool {
	if m == nil || m.budget == nil {
		return true
	}
	shares := m.budget.Left() >= m.bytes+n
	if !(shares && m.budget.Take(n)) && !(needed && m.budget.Need(n)) {
		return false
	}
	m.bytes += n
	return true
}

// refund gives n bytes back.
func (m *memory) refund(n int) {
	if m != nil && m.budget != nil && n > 0 {
		m.bytes -= n
		m.budget.Give(n)
	}
}

// short reports whether connections should end soon whose other ends do nothing.
func (m *memory) short() bool { return m.budget != nil && m.budget.Short() }
