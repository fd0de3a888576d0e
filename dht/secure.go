package dht

import (
	"math/rand/v2"
	"net/netip"

	library "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
)

// secureID returns a random id that is valid for the external address ip by
// BEP 42, "Node ID restriction". Local addresses bind nothing.
func secureID(rng *rand.Rand, ip netip.Addr) ID {
	id := randomID(rng)
	if ip.IsValid() && !isLocal(ip) {
		library.SecureNodeId((*krpc.ID)(&id), ip.AsSlice())
	}
	return id
}

// isSecure reports whether a node at ip may have that id by BEP 42; any id is
// right on a local address.
func isSecure(id ID, ip netip.Addr) bool {
	return isLocal(ip) || library.NodeIdSecure(id, ip.AsSlice())
}
