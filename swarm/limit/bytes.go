package limit

import "sync/atomic"

// Bytes is a budget of bytes for buffers that can wait. Unlike a Ledger it closes nobody: those
// for whom nothing is left have to do without. A quarter of it is a reserve for what somebody
// cannot get on without. It is safe for concurrent use.
type Bytes struct {
	max  int64
	used atomic.Int64 // may exceed max for a moment, by what is being refused
}

const (
	// bytesReserve is the share of the budget that Take leaves to Need.
	bytesReserve = 4
	// bytesShort is the share of the budget below which what is left is short.
	bytesShort = 8
)

// NewBytes returns a budget of that many bytes.
func NewBytes(bytes int64) *Bytes { return &Bytes{max: bytes} }

// Take takes n bytes, or none and returns false if fewer are left beside the reserve.
func (b *Bytes) Take(n int) bool { return b.take(n, b.common()) }

// Need is Take, with the reserve.
func (b *Bytes) Need(n int) bool { return b.take(n, b.max) }

func (b *Bytes) take(n int, limit int64) bool {
	if b.used.Add(int64(n)) <= limit {
		return true
	}
	b.used.Add(int64(-n))
	return false
}

// common returns how many bytes Take can take in all.
func (b *Bytes) common() int64 { return b.max - b.max/bytesReserve }

// Give returns n bytes that were taken.
func (b *Bytes) Give(n int) { b.used.Add(int64(-n)) }

// Left returns how many bytes Take can take.
func (b *Bytes) Left() int { return int(max(0, b.common()-b.used.Load())) }

// Short reports whether less than an eighth of the budget is left for Take.
func (b *Bytes) Short() bool { return int64(b.Left()) < b.max/bytesShort }

// Used returns how many bytes are taken, with those of the reserve.
func (b *Bytes) Used() int64 { return b.used.Load() }
