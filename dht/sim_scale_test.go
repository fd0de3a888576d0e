package dht

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// harsh sets the conditions of the open network: round trips of 20 to 300 ms, and a
// loss of 10 % of the packets.
func (s *simNet) harsh() {
	s.latency = [2]time.Duration{10 * time.Millisecond, 150 * time.Millisecond}
	s.loss = .1
}

// TestSimHarsh: every lookup finds the announced peer among 2,000 nodes, a fifth of
// which has just died, on slow and lossy lines.
func TestSimHarsh(t *testing.T) {
	nodes, pairs := 2000, 100
	if underRace || testing.Short() {
		nodes, pairs = 100, 20
	}
	seed := uint64(2)
	s := newSimNet(t, seed)
	s.harsh()
	s.build(nodes, 30*time.Second, 90*time.Second)
	s.kill(.2)
	r := s.measure(fmt.Sprintf("%d, 20%% dead, 10%% loss", nodes), pairs)
	t.Log(r)
	if r.found != r.pairs {
		t.Errorf("seed %d: %d of %d lookups found the peer", seed, r.found, r.pairs)
	}
}

// TestSimGrowth prints how the cost of a lookup grows with the network, up to
// 10,000 nodes. It runs when SWARM_SIM is set: it takes minutes.
func TestSimGrowth(t *testing.T) {
	if os.Getenv("SWARM_SIM") == "" {
		t.Skip("SWARM_SIM is not set")
	}
	for _, nodes := range []int{50, 200, 1000, 2000, 5000, 10000} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := newSimNet(t, uint64(nodes))
		s.latency = [2]time.Duration{15 * time.Millisecond, 60 * time.Millisecond}
		began := time.Now()
		s.build(nodes, 20*time.Second, 0)
		joined := time.Since(began)
		s.run(3*time.Minute, nil)
		s.events = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%d nodes: joined in %.1f s of this machine, %.1f KiB of heap a node", nodes,
			joined.Seconds(), float64(after.HeapAlloc-before.HeapAlloc)/1024/float64(nodes))
		for _, n := range s.nodes {
			n.tickAt = forever
			s.schedule(n)
		}
		t.Log(s.measure(fmt.Sprintf("%d, 30-120 ms", nodes), 100))
		near := s.latency
		s.harsh()
		s.kill(.2)
		r := s.measure(fmt.Sprintf("%d, 20-300 ms, 10%% loss, 20%% dead", nodes), 100)
		t.Log(r)
		s.latency, s.loss = near, 0
		s.kill(.125) // of those that are left: 30 % in all
		t.Log(s.measure(fmt.Sprintf("%d, 30-120 ms, 30%% dead", nodes), 100))
		if r.found != r.pairs {
			t.Errorf("%d of %d lookups found the peer", r.found, r.pairs)
		}
	}
}
