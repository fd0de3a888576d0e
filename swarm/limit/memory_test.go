package limit

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// A fakeHeap is memory in use, some of it garbage.
type fakeHeap struct {
	used, garbage, ceiling int64
	collections            int
	now                    time.Time
}

func (h *fakeHeap) memory() *Memory {
	m := NewMemory(func() (int64, int64) { return h.used + h.garbage, h.ceiling })
	m.collect = func() { h.garbage = 0; h.collections++ }
	m.now = func() time.Time { return h.now }
	return m
}

func TestMemory(t *testing.T) {
	h := &fakeHeap{used: 50, ceiling: 160, now: time.Unix(1, 0)}
	m := h.memory()
	if !m.Room(90) || m.Over() || h.collections != 0 {
		t.Errorf("50 and 90 of 160: room %v, over %v, %d collections", m.Room(90), m.Over(),
			h.collections)
	}
	h.garbage = 100
	if !m.Room(90) || h.collections != 1 {
		t.Errorf("garbage is counted: %d collections", h.collections)
	}
	h.used, h.garbage = 135, 10
	if m.Room(10) || !m.Room(5) || h.collections != 2 {
		t.Errorf("135 of 160: room for 10, or none for 5, after %d collections", h.collections)
	}
	h.garbage = 4
	if m.Room(10) || h.collections != 2 {
		t.Errorf("another collection for little within a second: %d", h.collections)
	}
	h.now = h.now.Add(collectEvery)
	if m.Room(10) || h.collections != 3 {
		t.Errorf("no other collection after a second: %d", h.collections)
	}
	h.used = 155
	h.now = h.now.Add(collectEvery)
	if !m.Over() {
		t.Error("155 of 160 is not over")
	}
	h.used = 145
	h.now = h.now.Add(collectEvery)
	if m.Room(5) || !m.Spare(5) || m.Spare(6) {
		t.Error("145 of 160: room for 5 that stay, or for more than 5 that are given back")
	}
	h.ceiling = math.MaxInt64
	if m.Over() || !m.Room(1<<60) {
		t.Error("there is a ceiling although none is set")
	}
}

// The runtime tells what is in use, and a ceiling that is set holds.
func TestMemoryOfRuntime(t *testing.T) {
	m := NewMemory(nil)
	if !m.Room(1 << 50) {
		t.Skip("there is a ceiling already")
	}
	debug.FreeOSMemory() // what earlier runs held and the system has not got back counts
	taken, _ := memoryUsage()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(taken + 256<<20))
	if !m.Room(64<<20) || m.Room(1<<30) {
		t.Errorf("with %d bytes in use and 256 MiB more: room for 64 MiB %v, for 1 GiB %v", taken,
			m.Room(64<<20), m.Room(1<<30))
	}
	held := make([]byte, 250<<20)
	for i := range held {
		held[i] = 1
	}
	m = NewMemory(nil)
	if m.Room(0) {
		t.Error("250 of 256 MiB are in use, and there is room")
	}
	runtime.KeepAlive(held)
}
