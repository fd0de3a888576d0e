package swarm

import (
	"context"
	"iter"
	"net/netip"

	"swarmnode/swarm/transport/relay"
)

// A RelaySource names TURN servers (RFC 8656) that can lend an Engine an address. It is safe for
// concurrent use.
type RelaySource interface {
	// Relays yields servers, the one to try first in front, each at most once. It may look for
	// more of them while the engine tries the first, until ctx ends. The engine takes no more
	// than it needs.
	Relays(ctx context.Context) iter.Seq[RelayServer]
}

// A RelayServer is a TURN server that an Engine may use.
type RelayServer struct {
	// URI says where the server is. Two RelayServers of one host and port are the same server.
	URI relay.URI
	// Credentials returns the user and the password for an allocation that is asked for now,
	// from the address local of ours, or from any if local is the zero Addr. Nil means those of
	// URI.
	Credentials func(ctx context.Context, local netip.Addr) (user, password string, err error)
	// Outcome is told how each attempt to get an allocation has ended: nil, or the error. It may
	// be nil, and returns soon.
	Outcome func(err error)
}
