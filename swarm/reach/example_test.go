package reach_test

import (
	"fmt"
	"net/netip"
	"time"

	"swarmnode/swarm/reach"
)

// A machine that knows nothing says so.
func ExampleMachine() {
	now := time.Now()
	m := reach.New(now)
	m.Observe(now, reach.Relayed{Addrs: []netip.AddrPort{
		netip.MustParseAddrPort("203.0.113.7:4000")}})
	fmt.Println(m.Standing().UTP, m.Standing().Relayed)
	// Output: unknown [203.0.113.7:4000]
}
