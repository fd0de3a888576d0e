package core

import (
	"maps"
	"net/netip"

	"swarmnode/swarm/picker"
)

const (
	checkPieces = 64
	checkEvery  = 256
)

// checks counts the steps of which some are checked.
type checks struct{ steps uint64 }

// due reports whether a step should be checked. Those of large torrents are checked now
// and then, because a check takes time in proportion to the pieces.
func (c *checks) due(pick *picker.Picker) bool {
	c.steps++
	return pick == nil || pick.Pieces() <= checkPieces || c.steps%checkEvery == 0
}

// check panics when an invariant does not hold.
func (t *Torrent) check() {
	for _, p := range t.peers.all() {
		p.check(t)
	}
	t.requests.check()
	t.book.check()
	t.choker.Check()
	if t.pick != nil {
		t.pick.Check()
	}
}

// check panics when the counts of the book are not those of its addresses.
func (b *book) check() {
	dialling, proven, hosted, atHosts := 0, 0, 0, 0
	var perSource, byDial [sourceCount]int
	tellers := map[netip.Addr]int{}
	for _, e := range b.list {
		if e.good {
			proven++
		} else {
			perSource[e.source]++
			if e.teller.IsValid() {
				tellers[e.teller]++
			}
		}
		if e.state == entryDialling {
			dialling++
			byDial[e.source]++
			if !b.home.Has(e.endpoint.Host()) {
				atHosts++
			}
		}
		if !b.home.Has(e.endpoint.Host()) {
			hosted++
		}
		if b.byEndpoint[e.endpoint] != e {
			panic("core: an address is in the list alone")
		}
	}
	for _, h := range b.hosts {
		hosted -= h.entries
		atHosts -= h.dialling
	}
	if dialling != b.dialling || byDial != b.byDial || proven != b.proven ||
		perSource != b.perSource ||
		len(b.list) != len(b.byEndpoint) || hosted != 0 || atHosts != 0 ||
		!maps.Equal(tellers, b.tellers) {
		panic("core: counts of the address book are wrong")
	}
	if len(b.list) > addressesMax || proven > provenMax+1 ||
		len(b.hosts) > addressesMax+restingMax {
		panic("core: a limit of the address book is passed")
	}
}

// check panics when what is known of p is wrong.
func (p *peer) check(t *Torrent) {
	if p.gone {
		panic("core: a dropped peer is listed")
	}
	p.answer.check()
	p.flood.check()
	if t.pick == nil {
		return
	}
	p.has.check(t.pick.Needed())
}
