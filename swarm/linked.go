package swarm

import (
	"context"
	"fmt"
	"net/netip"

	"swarmnode/swarm/book"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/tracker"
)

// LinkMayName reports whether a node that gets a magnet link or a torrent from a stranger
// dials a peer that it names at addr, or asks a DHT node there. It does not if addr may be
// a service of its own machine or network.
func LinkMayName(addr netip.AddrPort) bool { return book.SourceLink.MayName(addr) }

// A LinkTrackerError says why nodes that get a link do not ask a tracker that it names.
type LinkTrackerError struct {
	Tracker string // scheme, host and port alone: the rest may hold keys of the user
	Err     error
}

func (e *LinkTrackerError) Error() string {
	return fmt.Sprintf("nodes that get the link do not ask tracker %s: %v", e.Tracker, e.Err)
}

// Unwrap returns the reason.
func (e *LinkTrackerError) Unwrap() error { return e.Err }

// CheckLinkTracker returns a *LinkTrackerError if nodes that get a link would not ask the
// tracker at url, as far as this machine can tell. It may look up a name by n, which may be
// nil, for up to two seconds. A URL that cannot be that of a tracker leads to another error.
func CheckLinkTracker(ctx context.Context, n *egress.Net, url string) error {
	t, err := tracker.ParseTracker(url, false)
	if err != nil {
		return err
	}
	if err := t.CheckLink(ctx, n); err != nil {
		return &LinkTrackerError{t.String(), err}
	}
	return nil
}
