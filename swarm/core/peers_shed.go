package core

import (
	"cmp"
	"slices"
	"time"
)

// limitPeers bounds the connections from now on; 0 or less is the default. Those that are
// too many end. It serves the event Limited.
func limitPeers(t *Torrent, most int) {
	if most <= 0 {
		most = peersMaxDefault
	}
	t.dialer.setPeersMax(t.now, most)
	shed(t, t.peers.count()-most)
}

// shed ends surplus connections, those of the least useful peers first. Web seeds stay. It
// serves the event Shed.
func shed(t *Torrent, surplus int) {
	if surplus <= 0 {
		return
	}
	leave := t.peers.eviction(t.now, t.book.Priority).worst()
	for _, p := range leave[:min(surplus, len(leave))] {
		t.drop(p, ReasonFull)
	}
}

// worst returns the peers, the least useful first: those that are useless, then those that
// exchange nothing, then the slowest. Web seeds are left out.
func (v *eviction) worst() []*peer {
	list := slices.DeleteFunc(slices.Clone(v.peers), (*peer).isServer)
	slices.SortStableFunc(list, func(p, q *peer) int {
		return cmp.Or(
			cmp.Compare(q.uselessness(v.now), p.uselessness(v.now)),
			cmp.Compare(p.flow(v.now), q.flow(v.now)),
			cmp.Compare(p.down.sum()+p.up.sum(), q.down.sum()+q.up.sum()),
			cmp.Compare(v.priority(p.endpoint), v.priority(q.endpoint)),
		)
	})
	return list
}

// flow returns how many bytes per second p moves, and -1 if it neither gives nor takes
// blocks.
func (p *peer) flow(now time.Duration) int64 {
	if !p.exchanges(now) {
		return -1
	}
	return p.down.rate(now) + p.up.rate(now)
}
