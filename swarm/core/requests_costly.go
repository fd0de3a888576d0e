package core

import (
	"time"

	"swarmnode/swarm/bits"
)

// directQuiet is how long a direct peer that is asked for blocks may send none, until what it
// has is asked of costly peers as well.
const directQuiet = 10 * time.Second

// beyondDirect returns the pieces of have that no direct peer gives us: what may be asked of a
// costly one. It is good until the next call.
func (r *requests) beyondDirect(have *bits.Set, now time.Duration) *bits.Set {
	if have == nil {
		return nil
	}
	var rest *bits.Set
	for _, q := range r.peers.all() {
		if q.costly() || q.chokesUs() || !q.interesting() || q.ask.snubs() ||
			q.ask.isPaused(now) || q.ask.waiting() > 0 && now-q.ask.lastMoved() > directQuiet {
			continue
		}
		if rest == nil {
			if r.round.rest == nil || r.round.rest.Len() != have.Len() {
				r.round.rest = bits.New(have.Len())
			}
			rest = r.round.rest
			rest.Intersect(have, have)
		}
		rest.Subtract(q.has.pieces())
	}
	if rest == nil {
		return have
	}
	return rest
}
