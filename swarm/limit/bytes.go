package limit

import "sync/atomic"

// Bytes is a budget of bytes for buffers that can wait. Unlike a Ledger it closes nobody: those
// for whom nothing is left have to do without. It is safe for concurrent use.
type Bytes struct {
	max  int64
	used atomic.Int64 // may exceed max for a moment, by what is being refused
}

// NewBytes returns a budget of that many bytes.
func NewBytes(bytes int64) *Bytes { return &Bytes{max: bytes} }

// Take takes n bytes, or none and returns false if there are not so many left.
func (b *Bytes) Take(n int) bool {
	if b.used.Add(int64(n)) <= b.max {
		return true
	}
	b.used.Add(int64(-n))
	return false
}

// Give returns n bytes that were taken.
func (b *Bytes) Give(n int) { b.used.Add(int64(-n)) }

// Left returns how many bytes can be taken.
func (b *Bytes) Left() int { return int(max(0, b.max-b.used.Load())) }

// Used returns how many bytes are taken.
func (b *Bytes) Used() int64 { return b.used.Load() }
