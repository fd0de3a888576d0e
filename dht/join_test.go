package dht

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestManyJoinAtOnce: nodes that all join at the same instant through one node form one
// network a minute later, in which a lookup finds a peer. At first each node knows only
// the nodes close to its own id, and a lookup asks only the closest nodes, so parts of
// the id space could stay unknown to the rest.
func TestManyJoinAtOnce(t *testing.T) {
	const nodes, lookups, missedMax = 50, 50, 2
	for _, local := range []bool{true, false} {
		addr := publicAddr
		if local {
			addr = func(i int) netip.AddrPort {
				return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(1000+i))
			}
		}
		missed := 0
		for seed := range uint64(20) {
			s := newSimNet(t, seed)
			s.latency = [2]time.Duration{time.Millisecond, 3 * time.Millisecond}
			first := s.add(addr(0)).addr
			for i := 1; i < nodes; i++ {
				s.add(addr(i), first)
			}
			s.run(time.Minute, nil)
			r := s.measure(fmt.Sprintf("seed %d", seed), lookups)
			missed += r.pairs - r.found
		}
		t.Logf("local %v: %d of %d lookups missed the peer", local, missed, 20*lookups)
		if missed > missedMax {
			t.Errorf("local %v: %d of %d lookups missed the peer", local, missed, 20*lookups)
		}
	}
}
