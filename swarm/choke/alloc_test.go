package choke

import (
	"testing"
	"time"

	"swarmnode/swarm/block"
)

// TestBlocksCostNoAllocation: a request, the block and the room for the next one take no
// memory, at a sole seed too.
func TestBlocksCostNoAllocation(t *testing.T) {
	for _, mode := range []string{"fetch", "seed", "sole"} {
		s := draw(t, mode, "U i | U i q | C i", 1)
		p, at := s.peers[1], uint32(0)
		allocs := testing.AllocsPerRun(1000, func() {
			s.now += time.Microsecond
			s.choker.Request(s.now, p, block.Ref{Piece: common, Begin: at, Length: block.Size})
			at += block.Size
			s.choker.Plan()
			s.choker.Sent(s.now, p, 1)
			s.choker.Plan()
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations for a block", mode, allocs)
		}
	}
}
