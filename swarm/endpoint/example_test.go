package endpoint_test

import (
	"fmt"
	"net/netip"

	"swarmnode/swarm/endpoint"
)

// What stands behind an endpoint is asked of the endpoint, and never concluded from an
// address.
func Example() {
	peer := endpoint.IP(netip.MustParseAddrPort("[::ffff:203.0.113.5]:6881"))
	seed := endpoint.WebSeed(1)
	banned := map[endpoint.Endpoint]bool{seed: true}
	for _, e := range []endpoint.Endpoint{peer, seed} {
		fmt.Println(e, e.Network, "dialable:", e.Dialable(), "banned:", banned[e])
	}
	// Output:
	// 203.0.113.5:6881 IP dialable: true banned: false
	// web seed 1 web seed dialable: false banned: true
}
