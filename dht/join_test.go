package dht

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestManyJoinAtOnce: a network whose nodes all join at one instant, through one
// node, is one network a minute later: a lookup finds the peer. Each node at first
// knows the nodes close to its own id alone, and a lookup asks the closest alone, so
// that parts of the id space could stay unknown to others.
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
