package core

import (
	"cmp"
	"slices"
	"time"

	"swarmnode/swarm/endpoint"
)

// A KnownPeer is a peer that is worth a try in a later run.
type KnownPeer struct {
	Endpoint endpoint.Endpoint
	Met      time.Time // when it was connected last
	Vouched  bool      // a tracker or the user named it: for private torrents
}

// Known returns the peers that are worth a try in a later run, those met last
// first and at most so many: who is connected and says where it listens, and who
// was met at the address in this run or an earlier one.
func (t *Torrent) Known(most int) []KnownPeer {
	var list []KnownPeer
	for _, e := range t.book.list {
		p := t.peers.live(e.peer)
		connected := e.state == entryConnected && p != nil && p.silence.broken()
		lost := e.failures > failuresMax && e.source != SourceUser
		if !connected && (!e.good || e.state == entrySelf || lost) || !t.mayDial(e) ||
			!SourceResume.MayName(e.endpoint.Addr) {
			continue
		}
		k := KnownPeer{Endpoint: e.endpoint, Met: t.start.Add(e.met), Vouched: e.sources.vouched()}
		switch {
		case connected:
			k.Met = t.start.Add(t.now)
		case e.met == 0 && !e.said.IsZero():
			k.Met = e.said
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b KnownPeer) int {
		return cmp.Or(b.Met.Compare(a.Met), a.Endpoint.Compare(b.Endpoint))
	})
	return list[:min(len(list), most)]
}
