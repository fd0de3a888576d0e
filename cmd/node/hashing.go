package main

import (
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
)

// A hashing shows once a second how far a check is, from startHashing to stop.
type hashing struct {
	done, total atomic.Int64 // bytes
	ended       chan struct{}
	wait        sync.WaitGroup
}

func startHashing(c *console, torrent metainfo.Hash) *hashing {
	h := &hashing{ended: make(chan struct{})}
	start := time.Now()
	m := newMeter(c, start)
	h.wait.Go(func() {
		tick := time.NewTicker(showInterval)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				s := status{hash: torrent.String(), state: stateHashing, have: h.done.Load(),
					total: h.total.Load()}
				s.down = int64(float64(s.have) / now.Sub(start).Seconds())
				m.update(now, []status{s}, dhtView{})
			case <-h.ended:
				c.endProgress()
				return
			}
		}
	})
	return h
}

// at records how far the check is.
func (h *hashing) at(done, total int64) {
	h.total.Store(total)
	h.done.Store(done)
}

func (h *hashing) stop() {
	close(h.ended)
	h.wait.Wait()
}

// tellStop says how far the check was when a signal ended it.
func (h *hashing) tellStop(c *console) {
	c.note("stopped at %s of the hashing; the same command starts over",
		formatPercent(h.done.Load(), h.total.Load()))
}
