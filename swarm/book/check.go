package book

import (
	"maps"
	"net/netip"
)

// Check panics when the counts of the book are not those of its entries. It takes time
// in proportion to them; it is for tests.
func (b *Book) Check() {
	var perSource, byDial [SourceCount]int32
	attempts, proven, hosted, atHosts := 0, 0, 0, 0
	tellers := map[netip.Addr]int{}
	for _, e := range b.list {
		away := !b.cfg.Home.Has(e.endpoint.Host())
		switch {
		case e.proven:
			proven++
		case e.teller.IsValid():
			tellers[e.teller]++
			fallthrough
		default:
			perSource[e.source]++
		}
		if away {
			hosted++
		}
		if e.state == stateDialling {
			attempts++
			byDial[e.source]++
			if away {
				atHosts++
			}
		}
		if b.byEndpoint[e.endpoint] != e {
			panic("book: an entry is in the list alone")
		}
	}
	for _, h := range b.hosts {
		hosted -= h.entries
		atHosts -= h.dialling
	}
	if attempts != b.dialling || byDial != b.byDial || proven != b.proven ||
		perSource != b.perSource || len(b.list) != len(b.byEndpoint) ||
		hosted != 0 || atHosts != 0 || !maps.Equal(tellers, b.tellers) {
		panic("book: the counts are wrong")
	}
	if len(b.list) > entriesMax || proven > provenMax+1 ||
		len(b.hosts) > entriesMax+restingMax || b.bans.Len() > bansMax {
		panic("book: a limit is passed")
	}
}
