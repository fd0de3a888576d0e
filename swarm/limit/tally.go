package limit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// tallyCells is how many cells all sources of a Tally share: 128 KiB. Two sources in one
// cell count together. Which sources share a cell is secret.
const tallyCells = 1 << 14

// A Tally counts bytes by source (see SourceOf) across connections, and forgets them at a
// steady rate. Its memory is fixed, however many sources there are. It is safe for
// concurrent use; a nil Tally counts nothing.
type Tally struct {
	perByte time.Duration // how long a byte is remembered
	most    time.Duration // nothing is remembered for longer
	start   time.Time
	seed    maphash.Seed
	// until holds, for each cell, the time since start at which everything that it counted
	// will be forgotten.
	until [tallyCells]atomic.Int64
}

// NewTally returns a Tally that forgets forgotten bytes of each source per second, and
// every byte after the time most.
func NewTally(forgotten int64, most time.Duration) *Tally {
	return &Tally{
		perByte: time.Second / time.Duration(forgotten), most: most, start: time.Now(),
		seed: maphash.MakeSeed(),
	}
}

func (t *Tally) cell(ip netip.Addr) *atomic.Int64 {
	key := SourceOf(ip).As16()
	return &t.until[maphash.Bytes(t.seed, key[:])%tallyCells]
}

// Add counts n bytes of the source of ip, and returns how many bytes of it are remembered
// then.
func (t *Tally) Add(now time.Time, ip netip.Addr, n int) int64 {
	if t == nil {
		return 0
	}
	cell, at := t.cell(ip), int64(now.Sub(t.start))
	for {
		before := cell.Load()
		after := min(max(before, at)+int64(n)*int64(t.perByte), at+int64(t.most))
		if cell.CompareAndSwap(before, after) {
			return (after - at) / int64(t.perByte)
		}
	}
}

// Of returns how many bytes are remembered of the source of ip.
func (t *Tally) Of(now time.Time, ip netip.Addr) int64 {
	if t == nil {
		return 0
	}
	return max(0, t.cell(ip).Load()-int64(now.Sub(t.start))) / int64(t.perByte)
}
