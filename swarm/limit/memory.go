package limit

import (
	"math"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// memoryRoom is the part of the ceiling, in sixteenths, up to which Room allows more,
	// and memoryOver the part above which Over asks to give something up. The closer the
	// heap comes to the ceiling, the more often the collector runs.
	memoryRoom = 14
	memoryOver = 15
	// collectEvery is the least time between two collections for the sake of an answer,
	// unless the memory in use has grown by collectShare of the ceiling since the last
	// one. A collection takes a few milliseconds, or a tenth of a second in a large heap.
	collectEvery = time.Second
	collectShare = 32
)

// Memory reports whether this process may take more memory. The ceiling is that of the Go
// runtime (debug.SetMemoryLimit, GOMEMLIMIT); without a ceiling there is always room. It
// is safe for concurrent use.
type Memory struct {
	usage   func() (taken, ceiling int64)
	collect func()
	now     func() time.Time

	mu        sync.Mutex
	collected time.Time
	left      int64 // in use after that
}

// NewMemory returns the memory of this process. Tests set usage, which returns how many
// bytes are in use and how many may be.
func NewMemory(usage func() (taken, ceiling int64)) *Memory {
	if usage == nil {
		usage = memoryUsage
	}
	return &Memory{usage: usage, collect: runtime.GC, now: time.Now}
}

// Room reports whether n more bytes fit that will stay.
func (m *Memory) Room(n int64) bool { return m.within(n, memoryRoom) }

// Spare reports whether n more bytes fit for a moment, such as those of a request. It allows
// them up to where something should be given up.
func (m *Memory) Spare(n int64) bool { return m.within(n, memoryOver) }

// Over reports whether so much memory is in use that something should be given up.
func (m *Memory) Over() bool { return !m.within(0, memoryOver) }

// within reports whether the memory in use and n bytes more are within that number of
// sixteenths of the ceiling. If they are not, it collects garbage before it says so.
func (m *Memory) within(n int64, sixteenths int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken, ceiling := m.usage()
	most := ceiling / 16 * sixteenths
	if ceiling == math.MaxInt64 || taken+n <= most {
		return true
	}
	if taken < m.left+ceiling/collectShare && m.now().Sub(m.collected) < collectEvery {
		return false
	}
	m.collect()
	m.collected = m.now()
	m.left, _ = m.usage()
	return m.left+n <= most
}

// memoryUsage returns the memory that the runtime counts against its ceiling, without
// memory that it could give back at once, and the ceiling.
func memoryUsage() (taken, ceiling int64) {
	samples := [...]metrics.Sample{
		{Name: "/gc/gomemlimit:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples[:])
	value := func(i int) int64 {
		if v := samples[i].Value; v.Kind() == metrics.KindUint64 {
			return int64(min(v.Uint64(), math.MaxInt64))
		}
		return 0
	}
	if ceiling = value(0); ceiling == 0 {
		ceiling = math.MaxInt64 // a runtime that does not tell
	}
	return value(1) - value(2) - value(3), ceiling
}
