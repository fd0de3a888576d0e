package main

import (
	"context"
	"errors"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// memoryDefault is enough for ten thousand idle torrents, or for a few thousand
	// connections. A single transfer uses a twentieth of it.
	memoryDefault = 384 << 20
	// memoryMin is what the program needs to move anything.
	memoryMin = 32 << 20
	// memoryOutside is what the process uses besides the memory that the collector can
	// limit: the program itself.
	memoryOutside = 14 << 20
	// overshoot is the fraction, 1/overshoot, of the ceiling by which the process may
	// exceed what the collector is told, while many torrents or look-ups start.
	overshoot = 24
	// blocksShare is the fraction, 1/blocksShare, of the memory for blocks on their way
	// between connections and files.
	blocksShare = 8
	// blocksMax bounds those blocks in any case: no path carries more at a time.
	blocksMax = 1 << 30
)

// A memoryValue is the flag of the memory ceiling of the process.
type memoryValue int64

func (v *memoryValue) Type() string   { return "SIZE" }
func (v *memoryValue) String() string { return compactBytes(int64(*v)) }
func (v *memoryValue) Set(s string) error {
	n, err := parseBytes(s)
	if err != nil || n < memoryMin {
		return errors.New("not a size such as 100M or 1G, of at least " + compactBytes(memoryMin))
	}
	*v = memoryValue(n)
	return nil
}

// blocks returns how many bytes of blocks may be on their way.
func (v memoryValue) blocks() int64 { return min(int64(v)/blocksShare, blocksMax) }

// apply makes the collector keep the process below the ceiling, as far as what is in use
// allows, or below what the system gives the process if that is less. It runs before
// anything large is read.
func (v *memoryValue) apply(c *console) error {
	if err := v.fit(c); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(*v) - memoryOutside - int64(*v)/overshoot)
	c.log.Info("memory", "ceiling", int64(*v), "blocks", v.blocks())
	return nil
}

// memoryHint is what to try when the ceiling does not suffice.
const memoryHint = "--memory with more"

// checkMemory fails if there is no room for n more bytes.
func checkMemory(what string, n int64) error {
	if swarm.MemoryRoom(n) {
		return nil
	}
	return failWithHint(exitOther, what, swarm.ErrMemory, memoryHint)
}

// crampedMax is how many checks in a row may find that the collector gave up on the
// ceiling since the check before. A start with many torrents causes a few.
const crampedMax = 10

// A memoryWatch notices that the ceiling is too low for what is in use, and warns once.
// It is for one goroutine.
type memoryWatch struct {
	cramped int    // looks that found the collector giving up
	last    uint64 // the cycle in which it did
	sample  [1]metrics.Sample
}

// look warns if the collector has given up on the ceiling. The collector then takes more
// memory rather than half of the processor time.
func (w *memoryWatch) look(c *console, ceiling memoryValue) {
	w.sample[0].Name = "/gc/limiter/last-enabled:gc-cycle"
	metrics.Read(w.sample[:])
	v := w.sample[0].Value
	if v.Kind() != metrics.KindUint64 || v.Uint64() == w.last {
		return
	}
	w.last = v.Uint64()
	if w.cramped++; w.cramped == crampedMax {
		c.warn("%s of memory is not enough, and more is being used (try: --memory with more, "+
			"or fewer torrents and peers)",
			formatBytes(int64(ceiling)))
	}
}

const (
	// roomLooks is how often a torrent looks for room before it is refused, and roomPause
	// the time between two looks. Torrents that start take more memory for a moment than
	// later, and the node collects garbage for such a question once a second.
	roomLooks = 3
	roomPause = time.Second
)

// awaitRoom waits for room for a torrent of info, if the node has others, and reports
// whether there is some.
func (s *session) awaitRoom(ctx context.Context, info *metainfo.Info) bool {
	for look := 1; ; look++ {
		if s.node.HasRoom(info) {
			return true
		}
		if look == roomLooks || len(s.node.Torrents()) == 0 {
			return false
		}
		select {
		case <-time.After(roomPause):
		case <-ctx.Done():
			return false
		}
	}
}
