package book

import (
	"cmp"
	"slices"
	"time"

	"swarmnode/swarm/endpoint"
)

// A Known is a peer that is worth an attempt in a later run.
type Known struct {
	Endpoint endpoint.Endpoint
	Met      time.Time // when it was connected last
	Vouched  bool      // a tracker or the user named it: for private torrents
	// Transport is by which it was met last, and UTP says that it accepts uTP.
	Transport endpoint.Transport
	UTP       bool
}

// Known returns the peers that are worth an attempt in a later run, the last met first,
// and no more than most: connected peers that spoke, and peers that were met at their
// endpoint in this run or an earlier one.
func (b *Book) Known(now time.Duration, most int, spoke func(Conn) bool) []Known {
	var list []Known
	for _, e := range b.list {
		here := e.state == stateConnected && spoke(e.conn)
		lost := e.failures > failuresMax && e.source != SourceUser
		if !here && (!e.proven || e.state == stateSelf || lost) || b.private && !e.vouched ||
			!SourceResume.MayName(e.endpoint.Addr) {
			continue
		}
		k := Known{Endpoint: e.endpoint, Met: b.cfg.Start.Add(e.met), Vouched: e.vouched,
			Transport: e.reach.worked, UTP: e.reach.utp}
		if here {
			k.Met = b.cfg.Start.Add(now)
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Known) int {
		return cmp.Or(b.Met.Compare(a.Met), a.Endpoint.Compare(b.Endpoint))
	})
	return list[:min(len(list), most)]
}
